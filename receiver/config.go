package receiver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// What a [Config] has when it says nothing.
const (
	DefaultAttempts = 3               // as the public documentation of the sender shows
	DefaultBackoff  = 2 * time.Second // before the second attempt; doubled before each further one
	DefaultWorkers  = 8
	DefaultTimeout  = time.Minute        // of a handler in inbox mode
	DefaultDeadline = 25 * time.Second   // of a handler in inline mode: the sender gives up after 30 s, way and answer included
	DefaultKeepDone = 7 * 24 * time.Hour // as the public documentation of the sender shows
	DefaultMaxBody  = 1 << 20            // bytes; the sender's own limit is a quarter of it
	DefaultGrace    = 25 * time.Second   // for handlers that run when the program ends

	// senderPatience is when the sender gives up on an answer (contract section 2).
	senderPatience = 30 * time.Second
	// leaseMargin is what a lease has beyond the handler's time, to write its end in.
	leaseMargin = 10 * time.Second
	// maxPause is the longest pause before another try.
	maxPause = time.Minute
)

// Config is what a [Receiver] is made of. Store and Secrets are required.
type Config struct {
	// Secrets are the signing secrets, of which any may have signed. During a
	// rotation both are here; see [ParseSecrets].
	Secrets []webhook.Secret
	// Store keeps the events.
	Store Store

	// Inline runs the handler within the request and answers its error with 500,
	// instead of keeping the event first and working it off later.
	Inline bool
	// InTx gives handlers a transaction, [Event.Tx], in which the mark that the event
	// is done is written too. The store must be a [TxStore]. On SQLite the handler
	// keeps other writers waiting.
	InTx bool

	// Attempts is how often a handler may end with an error that counts before the
	// event is failed; Backoff the pause after the first, which is doubled after
	// each further one, to at most a minute. Inbox mode only; inline the sender repeats.
	Attempts int
	Backoff  time.Duration
	// Workers is how many handlers run at once. Inbox mode only.
	Workers int
	// Timeout ends a handler's context. 0 is [DefaultTimeout], or [DefaultDeadline]
	// inline, where it must stay below 30 s.
	Timeout time.Duration
	// Grace is how long Run lets handlers go on after its context has ended.
	Grace time.Duration

	// KeepDone is how long ids are known after their events were done, and so how far
	// apart two copies may be. KeepFailed is how long failed events are kept; 0 is for
	// ever.
	KeepDone   time.Duration
	KeepFailed time.Duration

	// Route names the lanes that an event is kept in; see [Receiver.SetLanes]. Nil is
	// the one lane of the handlers.
	Route func(Event[json.RawMessage]) []string

	// StandardOnly refuses requests without webhook-signature, which alone covers the
	// time: a request that somebody recorded cannot be sent again after five minutes,
	// not even when KeepDone is over.
	StandardOnly bool
	// Tolerance is how far the time of a request may be from now; 0 is five minutes.
	Tolerance time.Duration
	// MaxBody is the longest body in bytes.
	MaxBody int64
	// Now is the clock that Tolerance is measured by; nil is the machine's.
	Now func() time.Time
	// Logger is told what somebody should know; nil is slog.Default.
	Logger *slog.Logger
}

// ParseSecrets reads secrets that are separated by commas or white space, as they
// stand in an environment variable: WHSEC_OLD,WHSEC_NEW. The error says which one is
// wrong and never quotes it.
func ParseSecrets(text string) ([]webhook.Secret, error) {
	var secrets []webhook.Secret
	for i, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r <= ' ' }) {
		secret, err := webhook.ParseSecret(part)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		return nil, errors.New("there is no secret: the endpoint's page at the sender shows it once, when the endpoint is made or its secret replaced")
	}
	return secrets, nil
}

// checkSecrets refuses what would verify nothing.
func checkSecrets(secrets []webhook.Secret) error {
	if len(secrets) == 0 || slices.ContainsFunc(secrets, webhook.Secret.IsZero) {
		return errors.New("receiver: there is no secret to verify with, or an empty one: set Config.Secrets")
	}
	return nil
}

// complete checks a config and puts what it leaves open.
func (c *Config) complete() error {
	if err := checkSecrets(c.Secrets); err != nil {
		return err
	}
	if c.Store == nil {
		return errors.New("receiver: there is no store: set Config.Store, to that of sqlstore.OpenSQLite for a start")
	}
	if _, ok := c.Store.(TxStore); c.InTx && !ok {
		return fmt.Errorf("receiver: InTx needs a store with transactions, which %T has not: use sqlstore", c.Store)
	}
	c.Attempts = cmp.Or(c.Attempts, DefaultAttempts)
	c.Backoff = cmp.Or(c.Backoff, DefaultBackoff)
	c.Workers = cmp.Or(c.Workers, DefaultWorkers)
	c.Grace = cmp.Or(c.Grace, DefaultGrace)
	c.KeepDone = cmp.Or(c.KeepDone, DefaultKeepDone)
	c.MaxBody = cmp.Or(c.MaxBody, DefaultMaxBody)
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
		if c.Inline {
			c.Timeout = DefaultDeadline
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c.judge()
}

func (c *Config) judge() error {
	if c.Inline && c.Timeout >= senderPatience {
		return fmt.Errorf("receiver: Timeout is %v, but the sender waits for an answer for %v only: keep it well below, or use the inbox", c.Timeout, senderPatience)
	}
	if c.Attempts < 0 || c.Backoff < 0 || c.Workers < 0 || c.Timeout < 0 || c.Grace < 0 || c.KeepDone < 0 || c.KeepFailed < 0 || c.MaxBody < 0 {
		return errors.New("receiver: a number or a time of Config is negative")
	}
	return nil
}
