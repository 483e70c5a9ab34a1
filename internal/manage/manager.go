package manage

import (
	"context"
	"log/slog"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/seal"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Store is what managing needs of the store.
type Store interface {
	store.Publisher
	store.Endpoints
	store.Log
	store.Deliveries
	store.Jobs
	store.Accounts
	store.People
	store.Reveals
	store.Types
	store.Audit
	store.Alerts
	store.Mails
	store.Recipients
	store.Bus
	// Clock gives the time that leases are reckoned in, as store.Queue has it.
	Clock(ctx context.Context) (time.Time, error)
}

// Sender makes one attempt of a leased delivery at once, outside the lanes, records it
// and answers with it as it was written. The dispatcher implements it.
type Sender interface {
	SendNow(ctx context.Context, lease delivery.Lease) (delivery.Attempt, error)
}

// Limits bound what one account may have. A zero limit means its default.
type Limits struct {
	Endpoints int // DefaultEndpoints
	Types     int // DefaultTypes
}

// The limits of an account unless the operator chooses others: enough for every
// integration of a team, and a bound on what publishing must match.
const (
	DefaultEndpoints = 100
	DefaultTypes     = 200
)

// Passwords hashes the passwords of members. auth.SignIns implements it.
type Passwords interface {
	// HashPassword answers auth.ErrBusy when too many are being hashed.
	HashPassword(ctx context.Context, password string) (phc string, err error)
}

// Mail sends test mails. mail.Sender implements it.
type Mail interface {
	// SendTest answers a *mail.Problem when the mail server did not take it.
	SendTest(ctx context.Context, to, account string) error
}

// Config is what a Manager is made of. All but Passwords, Limits, Mail, Turns and Logger must be set.
type Config struct {
	Store   Store
	Targets *egress.Policy // says which URLs an endpoint may have
	Box     *seal.Box      // seals the secrets of endpoints
	Sender  Sender         // makes test deliveries
	Policy  delivery.Policy
	Node    string // the name of this process in leases
	// Passwords is needed by what sets one: SetUpOwner, AcceptInvite.
	Passwords Passwords
	Limits    Limits
	Mail      Mail           // nil = this server sends no mail
	Turns     *catalog.Turns // bounds what is costly; nil = two at once
	Logger    *slog.Logger   // nil = slog.Default()
}

// Two at once of what is costly leave the processors to publishing and sending; who finds sixteen
// waiting, a second of work, had better come again.
const (
	maxTurns   = 2
	maxWaiting = 16
)

// Manager does the operations. It holds no state of its own and may be used by
// many goroutines.
type Manager struct {
	db      Store
	targets *egress.Policy
	box     *seal.Box
	sender  Sender
	policy  delivery.Policy
	node    string
	phc     Passwords
	limits  Limits
	mail    Mail
	turns   *catalog.Turns
	log     *slog.Logger
}

// New makes a Manager.
func New(c Config) *Manager {
	if c.Limits.Endpoints == 0 {
		c.Limits.Endpoints = DefaultEndpoints
	}
	if c.Limits.Types == 0 {
		c.Limits.Types = DefaultTypes
	}
	if c.Turns == nil {
		c.Turns = catalog.NewTurns(maxTurns, maxWaiting)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return &Manager{
		db:      c.Store,
		targets: c.Targets,
		box:     c.Box,
		sender:  c.Sender,
		policy:  c.Policy,
		node:    c.Node,
		phc:     c.Passwords,
		limits:  c.Limits,
		mail:    c.Mail,
		turns:   c.Turns,
		log:     c.Logger,
	}
}
