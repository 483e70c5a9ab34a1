package mail

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

const (
	// rest is the least time between two mails to one address.
	rest = 5 * time.Minute
	// lease is how long a letter is this node's: the time to send it, and as much to record that.
	lease = 2 * sendTime
	// A mail server that is away is tried again after 1 m, 2 m, 4 m ... 1 h: with maxTries for three days.
	retryFirst   = time.Minute
	retryLongest = time.Hour
	maxTries     = 78
	// lastWords is how long sending and recording may take when the program stops.
	lastWords = 5 * time.Second
	// kept is how long mails that ended are kept: for the page, and to tell nothing twice.
	kept = 7 * 24 * time.Hour
	// deleteEvery and deleteBatch say how those that are older are removed.
	deleteEvery = time.Hour
	deleteBatch = 1000
)

// wait says how long to wait after a try that failed, and false when it was the last. tries counts it.
func wait(tries int) (time.Duration, bool) {
	if tries >= maxTries {
		return 0, false
	}
	return min(retryFirst<<min(tries-1, 10), retryLongest), true
}

// Store is what a Courier needs of the store.
type Store interface {
	store.Mails
	Account(ctx context.Context, id string) (store.Account, error)
	Clock(ctx context.Context) (time.Time, error)
}

// CourierConfig says what a Courier works with.
type CourierConfig struct {
	Store  Store
	Sender *Sender
	Every  time.Duration // how often to look for letters that are due
	Log    *slog.Logger
}

// Courier sends what the outbox has.
type Courier struct {
	CourierConfig
	wake    chan struct{}
	away    bool      // the store did not answer last time
	deleted time.Time // when old mails were last deleted; Run's own
}

// NewCourier makes a Courier; Run starts it.
func NewCourier(c CourierConfig) *Courier {
	return &Courier{CourierConfig: c, wake: make(chan struct{}, 1)}
}

// Wake tells that a mail was written.
func (c *Courier) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run sends letters until ctx ends. One that is on its way then has a moment to get through.
func (c *Courier) Run(ctx context.Context) error {
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	for {
		err := c.round(ctx)
		if err != nil && ctx.Err() == nil && !c.away {
			c.Log.Error("mails not looked for; they stay and are tried again", slog.Any("error", err))
		}
		c.away = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case <-tick.C:
		}
	}
}

// round sends all that is due, one letter after the other, as long as the mail server takes them.
func (c *Courier) round(ctx context.Context) error {
	if err := c.deleteOld(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		l, err := c.claim(ctx)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if goesOn, err := c.deliver(ctx, l); err != nil || !goesOn {
			return err
		}
	}
	return nil
}

func (c *Courier) claim(ctx context.Context) (store.Letter, error) {
	now, err := c.Store.Clock(ctx)
	if err != nil {
		return store.Letter{}, err
	}
	// No letter waits for longer than retryLongest: what does was written before the clock was put back.
	return c.Store.ClaimLetter(ctx, store.LetterClaim{Now: now, Until: now.Add(lease), Beyond: now.Add(2 * retryLongest), Most: Most})
}

// deliver sends a letter and records what became of it. It answers false when the mail server is not
// worth another try for now.
func (c *Courier) deliver(ctx context.Context, l store.Letter) (goesOn bool, err error) {
	ctx, cancel := lingering(ctx, lastWords)
	defer cancel()
	if len(l.Mails) == 0 { // somebody has removed its rows
		return true, lost(c.Store.EndLetter(ctx, l, store.MailSent, "", time.Time{}, time.Time{}))
	}
	s, err := c.site(ctx, l)
	if err != nil {
		return false, err // the lease ends, and the letter is tried again
	}
	err = c.Sender.send(ctx, compose(l, s))
	now, clockErr := c.Store.Clock(ctx)
	if clockErr != nil {
		return false, clockErr
	}
	attrs := []any{slog.String("letter", l.ID), slog.String("account_id", l.Mails[0].AccountID), slog.Int("count", l.Count), slog.Int("attempt", l.Attempts)}
	if err == nil {
		c.Log.Info("mail sent", attrs...)
		return true, lost(c.Store.EndLetter(ctx, l, store.MailSent, "", now, now.Add(rest)))
	}
	var p *Problem
	if !errors.As(err, &p) {
		return false, err
	}
	attrs = append(attrs, slog.String("error", p.Text), slog.String("detail", p.Detail))
	if p.Final {
		c.Log.Warn("mail refused; it is dropped", attrs...)
		return true, lost(c.Store.EndLetter(ctx, l, store.MailRefused, p.Text, now, now.Add(rest)))
	}
	later, more := wait(l.Attempts)
	if !more {
		c.Log.Warn("mail given up", attrs...)
		return false, lost(c.Store.EndLetter(ctx, l, store.MailGivenUp, p.Text, now, now.Add(rest)))
	}
	c.Log.Warn("mail not sent; it is tried again", append(attrs, slog.Duration("after", later))...)
	return false, lost(c.Store.PostponeLetter(ctx, l, p.Text, now.Add(later)))
}

// lost passes over a lease that was lost: another node has the letter.
func lost(err error) error {
	if errors.Is(err, store.ErrLeaseLost) {
		return nil
	}
	return err
}

// site reads the names of the accounts that a letter is about.
func (c *Courier) site(ctx context.Context, l store.Letter) (site, error) {
	s := site{url: c.Sender.PublicURL(), accounts: map[string]string{}}
	for _, m := range l.Mails {
		if _, known := s.accounts[m.AccountID]; known {
			continue
		}
		a, err := c.Store.Account(ctx, m.AccountID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return s, err
		}
		s.accounts[m.AccountID] = a.Name
	}
	return s, nil
}

// lingering gives a context that ends a while after another.
func lingering(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(after):
			cancel()
		case <-own.Done():
		}
	})
	return own, func() { stop(); cancel() }
}

// deleteOld removes mails that nobody looks at any more, now and then.
func (c *Courier) deleteOld(ctx context.Context) error {
	if time.Since(c.deleted) < deleteEvery {
		return nil
	}
	now, err := c.Store.Clock(ctx)
	if err != nil {
		return err
	}
	for n := deleteBatch; n == deleteBatch; {
		if n, err = c.Store.DeleteMails(ctx, now.Add(-kept), deleteBatch); err != nil {
			return err
		}
	}
	c.deleted = time.Now()
	return nil
}
