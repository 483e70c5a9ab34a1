package mail

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const (
	// rest is the least time between two mails of an account to one address.
	rest = 5 * time.Minute
	// DailyMails is how many mails to an address an account begins in a day, test mails among them. At one in
	// rest there could be 288: too many for somebody whom a stranger has named. After them only a disabling is
	// told, with all that waits, so that nothing that flaps can keep it from those who must know.
	DailyMails = 40
	// laterRest is the least time between two mails after those: 82 at most in a day, and no number of them
	// that somebody could use up.
	laterRest = 30 * time.Minute
	// lease is how long a letter is this node's: the time to send it, and as much to record that.
	lease = 2 * sendTime
	// handLease is how long it is once the mail server may have it.
	handLease = lease + answerTime
	// maxHanded is how often a mail is handed over of which nobody knows whether it arrived.
	maxHanded = 3
	// senders is how many letters are sent at once: a mail server that takes minutes over one holds up no others.
	senders = 4
	// A mail server that is away is tried again after 1 m, 2 m, 4 m ... 1 h: with maxTries for three days.
	retryFirst   = time.Minute
	retryLongest = time.Hour
	maxTries     = 78
	// lastWords is how long sending and recording may take when the program stops.
	lastWords = 5 * time.Second
	// Kept is how long mails are kept: for the page, and to tell nothing twice. What waits for longer, nobody
	// sends: a letter is tried for three days, and what comes meanwhile for three more.
	Kept = 7 * 24 * time.Hour
	// adoptEvery is how often to look for mails that nobody will send, adoptAfter how old they are.
	adoptEvery = 10 * time.Minute
	adoptAfter = 10 * time.Minute
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
	wake chan struct{}
	away atomic.Bool // the store did not answer last time
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

// Run sends letters until ctx ends. Those that are on their way then have a moment to get through.
func (c *Courier) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { every(ctx, adoptEvery, func() { c.complain(ctx, c.adopt(ctx)) }) })
	all.Go(func() { every(ctx, c.Every, c.Wake) }) // one look for all senders: whoever finds a letter wakes the next
	for range senders {
		all.Go(func() { c.serve(ctx) })
	}
	all.Wait()
	return nil
}

// every does something now and then until ctx ends, the first time at once.
func every(ctx context.Context, d time.Duration, do func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// serve sends what is due whenever it is woken.
func (c *Courier) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
			c.complain(ctx, c.round(ctx))
		}
	}
}

// complain logs an error of the store, the first of several.
func (c *Courier) complain(ctx context.Context, err error) {
	if ctx.Err() == nil && !c.away.Swap(err != nil) && err != nil {
		c.Log.Error("mails not looked for; they stay and are tried again", slog.Any("error", err))
	}
}

// adopt makes due what a node of the release before has left.
func (c *Courier) adopt(ctx context.Context) error {
	now, err := c.Store.Clock(ctx)
	if err != nil {
		return err
	}
	n, err := c.Store.AdoptMails(ctx, now, now.Add(-adoptAfter))
	if n > 0 {
		c.Log.Info("mails taken over", slog.Int("count", n))
	}
	return err
}

// round sends what is due, one letter after the other, as long as the mail server takes them.
func (c *Courier) round(ctx context.Context) error {
	for ctx.Err() == nil {
		l, err := c.claim(ctx)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		c.Wake()
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
	return c.Store.ClaimLetter(ctx, store.LetterClaim{
		Now: now, Until: now.Add(lease), Beyond: now.Add(2 * retryLongest), Most: mostRead, Daily: DailyMails, Always: delivery.DisabledIt, Later: now.Add(retryLongest),
	})
}

// deliver sends a letter and records what became of it. It answers false when the mail server is not
// worth another try for now.
func (c *Courier) deliver(ctx context.Context, l store.Letter) (goesOn bool, err error) {
	ctx, cancel := lingering(ctx, lastWords)
	defer cancel()
	if len(l.Mails) == 0 { // somebody has removed its rows
		return true, lost(c.Store.EndLetter(ctx, l, store.MailSent, "", time.Time{}, time.Time{}))
	}
	if l.Handed >= maxHanded { // by nodes that died over it
		return true, c.end(ctx, l, store.MailUnknown, neverSaid)
	}
	to, err := c.Store.MailAddresses(ctx, l.AccountID)
	if err != nil {
		return false, err // the lease ends, and the letter is tried again
	}
	if !slices.Contains(to, l.Email) {
		return true, c.pass(ctx, l, to)
	}
	s, err := c.site(ctx, l)
	if err != nil {
		return false, err
	}
	err = c.Sender.send(ctx, compose(l, s), func(ctx context.Context) error { return c.hand(ctx, l) })
	if err == nil {
		return true, c.end(ctx, l, store.MailSent, "")
	}
	var p *Problem
	if !errors.As(err, &p) {
		return true, lost(err)
	}
	return p.Letter, c.after(ctx, l, p)
}

// hand makes sure that the letter is this node's still, before the mail server gets it.
func (c *Courier) hand(ctx context.Context, l store.Letter) error {
	now, err := c.Store.Clock(ctx)
	if err != nil {
		return err
	}
	return c.Store.HandLetter(ctx, l, now.Add(handLease))
}

// neverSaid is the problem of a mail that may have arrived.
const neverSaid = "The mail server was given the mail three times and never said whether it took it: it is unknown whether it arrived."

// after records a try that failed.
func (c *Courier) after(ctx context.Context, l store.Letter, p *Problem) error {
	if p.Final {
		return c.end(ctx, l, store.MailRefused, p.Text, slog.String("detail", p.Detail))
	}
	if p.Unknown {
		l.Handed++
	}
	if l.Handed >= maxHanded {
		return c.end(ctx, l, store.MailUnknown, neverSaid, slog.String("detail", p.Detail))
	}
	later, more := wait(l.Attempts)
	if !more {
		return c.end(ctx, l, store.MailGivenUp, p.Text, slog.String("detail", p.Detail))
	}
	now, err := c.Store.Clock(ctx)
	if err != nil {
		return err
	}
	c.Log.Warn("mail not sent; it is tried again", append(attrs(l), slog.String("error", p.Text), slog.String("detail", p.Detail), slog.Duration("after", later))...)
	return lost(c.Store.PostponeLetter(ctx, l, p.Text, now.Add(later)))
}

// mostPassed bounds the mails that are written at once when a letter is handed on.
const mostPassed = 1000

// pass hands a letter on to those who are told now: what it tells was noticed before that changed, and who changes
// that drops no news by it.
func (c *Courier) pass(ctx context.Context, l store.Letter, to []string) error {
	if len(to) == 0 {
		return c.end(ctx, l, store.MailDropped, "This address is not told any more, and nobody else is.")
	}
	now, err := c.Store.Clock(ctx)
	if err != nil {
		return err
	}
	l.Mails = l.Mails[:min(len(l.Mails), max(1, mostPassed/len(to)))]
	c.Log.Info("mail handed on; its address is not told any more", attrs(l)...)
	return lost(c.Store.PassLetter(ctx, l, passed(l.Mails, to, now), "This address is not told any more: those who are told now have it.", now))
}

// end ends a letter.
func (c *Courier) end(ctx context.Context, l store.Letter, state store.MailState, problem string, more ...any) error {
	now, err := c.Store.Clock(ctx)
	if err != nil {
		return err
	}
	why := append(append(attrs(l), slog.String("error", problem)), more...)
	switch state {
	case store.MailSent:
		c.Log.Info("mail sent", attrs(l)...)
	case store.MailRefused:
		c.Log.Warn("mail refused; it is dropped", why...)
	case store.MailUnknown:
		c.Log.Warn("mail given up; nobody knows whether it arrived", why...)
	case store.MailDropped:
		c.Log.Warn("mail dropped; its address is not told any more, and nobody else is", why...)
	default:
		c.Log.Warn("mail given up", why...)
	}
	return lost(c.Store.EndLetter(ctx, l, state, problem, now, now.Add(restAfter(l))))
}

// restAfter says how long nothing goes to a mailbox after a letter.
func restAfter(l store.Letter) time.Duration {
	if l.Sent > DailyMails {
		return laterRest
	}
	return rest
}

// attrs says in the log which letter it is.
func attrs(l store.Letter) []any {
	return []any{slog.String("letter", l.ID), slog.String("account_id", l.AccountID), slog.Int("count", l.Count), slog.Int("attempt", l.Attempts)}
}

// lost passes over a lease that was lost: another node has the letter.
func lost(err error) error {
	if errors.Is(err, store.ErrLeaseLost) {
		return nil
	}
	return err
}

// site reads the name of the account that a letter is of.
func (c *Courier) site(ctx context.Context, l store.Letter) (site, error) {
	a, err := c.Store.Account(ctx, l.AccountID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return site{}, err
	}
	return siteOf(c.Sender.PublicURL(), a.Name, l.AccountID), nil
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
