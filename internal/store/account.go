package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// Accounts keeps tenants, their API keys and one-time links.
type Accounts interface {
	CreateAccount(ctx context.Context, a Account) error
	Account(ctx context.Context, id string) (Account, error)
	ListAccounts(ctx context.Context, page Page) ([]Account, string, error)
	// DeleteAccount revokes its keys, deletes its endpoints and hides it; its
	// rows go with retention. *Conflict for the default account.
	DeleteAccount(ctx context.Context, id string, now time.Time) error

	// CreateKey adds a key; *Conflict when its hash is there already.
	CreateKey(ctx context.Context, k Key) error
	// KeyByHash finds a live or ended key by the SHA-256 of its text.
	KeyByHash(ctx context.Context, hash [32]byte) (Key, error)
	ListKeys(ctx context.Context, accountID string, page Page) ([]Key, string, error)
	// Key reads a key of an account, live or ended.
	Key(ctx context.Context, accountID, id string) (Key, error)
	// RevokeKey ends a key for good. by is the key that asks, or ""; *Conflict when that
	// one has been revoked itself, so that two keys cannot end each other.
	RevokeKey(ctx context.Context, accountID, id, by string, now time.Time) error
	// TouchKey notes that a key was used; callers do it about once a minute.
	TouchKey(ctx context.Context, id string, now time.Time) error

	// OfferSetup keeps the hash of the link that makes an account's first key or member, in place of any
	// before it; *Conflict when the account has, or has had, a key or has a member.
	OfferSetup(ctx context.Context, l Link) error
	// SetUp uses that link up, before its end, and adds the first key: both or neither.
	// *Conflict when the account of the key has, or has had, one or has a member; else ErrNotFound when this is not the link.
	SetUp(ctx context.Context, hash [32]byte, first Key, now time.Time) error
	// CreateLink keeps the hash of a one-time link.
	CreateLink(ctx context.Context, l Link) error
	// UseLink uses one up, before its end, and adds the session that it leads to, which is no member's: both or neither.
	// begin makes it of the link, and may be called more than once. ErrNotFound ever after.
	UseLink(ctx context.Context, hash [32]byte, purpose string, now time.Time, begin func(Link) Session) (Session, error)
}

// Types keeps the event types that accounts registered.
type Types interface {
	CreateType(ctx context.Context, t EventType, most int) error // *Conflict when it exists, ErrLimit at `most`
	Type(ctx context.Context, accountID, name string) (EventType, error)
	ListTypes(ctx context.Context, accountID string) ([]EventType, error)
	UpdateType(ctx context.Context, accountID, name string, change func(*EventType) error) (EventType, error)
	DeleteType(ctx context.Context, accountID, name string) error
}

// Audit keeps who did what. There is no way to change or remove a row but retention.
type Audit interface {
	AddAudit(ctx context.Context, e AuditEntry) error
	// ListAudit pages through the rows that match, newest first.
	ListAudit(ctx context.Context, accountID string, f AuditFilter, page Page) ([]AuditEntry, string, error)
}

// Notices are what people and other endpoints are to be told, written in the
// transaction that caused them and removed when they have been told.
type Notices interface {
	// ListNotices reads the oldest, of all accounts.
	ListNotices(ctx context.Context, limit int) ([]NoticeRow, error)
	// DeleteNotice removes one that has been told and writes the mails that people get of it,
	// both or neither. Mails whose id is known, or whose topic was told lately or as it was later, are left out. When the
	// notice is missing, somebody else has told it: nothing is written, and it is no error.
	DeleteNotice(ctx context.Context, id string, mails ...Mail) error
}

// Upkeep is what operating the database needs.
type Upkeep interface {
	// Ping reports whether the database answers and takes what is written: ErrFull from
	// the first write that found no room until one has found some for a while.
	Ping(ctx context.Context) error
	// DeleteOld removes at most limit rows that ended before the given time and that
	// nothing needs any more: never a delivery that waits, is sent or held
	// for a live endpoint, never an event with such a delivery. It answers how many rows went.
	DeleteOld(ctx context.Context, before time.Time, limit int) (int, error)
	// SettleDeleted discards at most limit deliveries that a process which died in the
	// middle has left held for deleted endpoints. It answers how many.
	SettleDeleted(ctx context.Context, limit int) (int, error)
	// Depth counts for the metrics.
	Depth(ctx context.Context, now time.Time) (Depth, error)
	// Backup writes a consistent copy of a SQLite database to a new file while serving;
	// PostgreSQL answers an error that names pg_dump. progress may be nil and is called
	// with bytes done and the bytes expected.
	Backup(ctx context.Context, path string, progress func(done, total int64)) error
	// Note and Value keep small facts of the installation, such as the check value of the key.
	Value(ctx context.Context, name string) ([]byte, error)
	// SetValueOnce keeps a value unless one is kept already; it answers the one that is.
	SetValueOnce(ctx context.Context, name string, value []byte) ([]byte, error)
	Close() error
}

// Bus tells the nodes that share a database, this one included, what changed.
// It is a hint, at most once: whoever listens must be right without it, only later.
type Bus interface {
	Announce(ctx context.Context, notes ...Note) error
	// Listen calls hear for every note until ctx ends.
	Listen(ctx context.Context, hear func(Note)) error
}

// Store is the whole contract; each user asks for the roles it needs.
type Store interface {
	Publisher
	Queue
	Endpoints
	Log
	Deliveries
	Jobs
	Accounts
	People
	Reveals
	Types
	Audit
	Notices
	Watch
	Alerts
	Mails
	Recipients
	Upkeep
	Bus
}

// DefaultAccount is the account that exists from the start.
const DefaultAccount = "acc_default"

// Account is a tenant.
type Account struct {
	ID        string // acc_...
	Name      string
	CreatedAt time.Time
}

// Key is an API key as it is kept: hashed.
type Key struct {
	ID         string // key_...
	AccountID  string
	Name       string
	Prefix     string   // the first characters of its text, to recognise it by
	Hash       [32]byte // SHA-256 of its text
	Scopes     []string
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero = never
	RevokedAt  time.Time // zero = not
	LastUsedAt time.Time // to the minute; zero = never
}

// Link is a one-time link as it is kept: hashed.
type Link struct {
	Hash      [32]byte
	AccountID string
	Purpose   string // "setup" or "portal"
	ExpiresAt time.Time
}

// EventType is an event type that an account registered.
type EventType struct {
	AccountID   string
	Name        string
	Description string
	Schema      json.RawMessage // nil = any data
	Sample      json.RawMessage // nil = none
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// System is the actor of what the server does by itself, and DisabledEndpoint what it does to an endpoint whose attempts
// fail, or that is gone: Record writes that row in the transaction that disables it.
const (
	System           = "system"
	DisabledEndpoint = "endpoint.disabled"
)

// lastWith ends the detail of a row DisabledEndpoint.
const lastWith = ", the last with attempt "

// DisablingDetail is the detail of a row DisabledEndpoint: why, and which attempt was the last.
func DisablingDetail(why string, id delivery.ID, number int) string {
	return fmt.Sprintf("enabled → disabled: %s"+lastWith+"%d of delivery %d", why, number, id)
}

// DisabledBy reads that attempt out of it; 0 = there is none.
func DisabledBy(detail string) (id delivery.ID, number int) {
	_, attempt, _ := strings.Cut(detail, lastWith)
	if _, err := fmt.Sscanf(attempt, "%d of delivery %d", &number, &id); err != nil {
		return 0, 0
	}
	return id, number
}

// AuditFilter narrows the audit. Empty fields match all.
type AuditFilter struct {
	Actor  string
	Action string
	From   time.Time // included
	To     time.Time // not included
}

// AuditEntry is one thing that somebody did.
type AuditEntry struct {
	AccountID string
	Actor     string // a key id, a user id, "system" or "setup"
	Action    string // endpoint.create, delivery.retry ...
	Object    string // the id it was done to
	Detail    string // before → after, redacted
	At        time.Time
}

// NoticeRow is a notice on its way to the people and endpoints to be told: the
// facts as they were when it happened, to be put in words by notify.
type NoticeRow struct {
	ID         string // a UUID; the id of the operational event made of it
	AccountID  string
	Kind       delivery.Notice
	EndpointID string
	DeliveryID delivery.ID     // whose attempt caused it
	Number     int             // of that attempt
	Failures   int             // consecutive failures, that attempt included
	Reason     delivery.Reason // of a DisabledIt
	AlertID    string          // of an AlertOpened or AlertClosed, which no delivery caused
	Quiet      bool            // no event is made of it: delivery.Notice.Quiet
	CreatedAt  time.Time
}

// Depth is the state of the queue.
type Depth struct {
	Waiting  int           // deliveries that wait for an attempt
	Due      int           // of them, those whose time has come
	Oldest   time.Duration // how late the most overdue one is
	Late     time.Duration // the same of those that wait for nothing of their endpoint's: it is enabled, not narrow, has no rate limit and not its most on their way
	Sending  int
	Held     int
	Failed   int
	Enabled  int // endpoints
	Narrow   int // endpoints that get one attempt at a time
	Disabled int
}

// Note is one change, for whoever listens.
type Note struct {
	Kind      string `json:"k"` // one of the kinds below
	AccountID string `json:"a,omitempty"`
	ID        string `json:"i,omitempty"` // of the endpoint, key, event or delivery
	Number    int    `json:"n,omitempty"` // of the attempt
	Own       bool   `json:"-"`           // announced by this process
}

// The kinds of note.
const (
	EndpointChanged = "endpoint" // settings, state or secrets
	KeysChanged     = "key"
	WorkAdded       = "work" // deliveries of an endpoint became due
	EventAccepted   = "event"
	AttemptRecorded = "attempt"
	StreamWanted    = "stream" // somebody reads an account's stream: announce its events and attempts for a minute
)
