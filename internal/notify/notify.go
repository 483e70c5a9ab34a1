// Package notify tells what the engine noticed about endpoints: it puts the
// notices that were written with their causes into operational events and
// publishes them to the endpoints that subscribe (contract section 3), and it writes
// what people are told by mail into the outbox, which package mail sends.
//
// It decides nothing: which outcome is worth a notice is a rule in delivery, and
// of which notices no event is made (delivery.Notice.Quiet).
//
// A notice is removed only after its event was accepted, and the event has the
// notice's id: a crash in between publishes the same event again, which changes
// nothing. Its mails are written in the transaction that removes it: a crash loses none and doubles none.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/mail"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// batch is how many notices are read at a time.
const batch = 100

// Store is what telling needs of the store.
type Store interface {
	store.Notices
	Endpoint(ctx context.Context, accountID, id string) (store.EndpointView, error)
	Delivery(ctx context.Context, accountID string, id delivery.ID) (delivery.Delivery, error)
	Attempt(ctx context.Context, accountID string, id delivery.ID, number int) (delivery.Attempt, error)
	Alert(ctx context.Context, accountID, id string) (store.Alert, error)
	MailAddresses(ctx context.Context, accountID string) ([]string, error)
	Clock(ctx context.Context) (time.Time, error)
}

// Publisher accepts operational events.
type Publisher interface {
	PublishOwn(ctx context.Context, accountID, about string, in publish.Input) error
}

// Config says what a Notifier works with.
type Config struct {
	Store     Store
	Publisher Publisher
	Policy    delivery.Policy
	Every     time.Duration // how often to look for notices that other nodes left
	Mailed    func()        // hears that mails were written; nil = this server sends none, and none are written
	Log       *slog.Logger
}

// Notifier tells notices.
type Notifier struct {
	Config
	wake   chan struct{}
	failed map[string]retry // notices that could not be told, by id; Run's own
	away   bool             // they could not even be read
}

// New makes a Notifier; Run starts it.
func New(c Config) *Notifier {
	return &Notifier{Config: c, wake: make(chan struct{}, 1), failed: map[string]retry{}}
}

// retry is when to try a notice again that could not be told.
type retry struct {
	at   time.Time
	wait time.Duration
}

const (
	retryFirst   = time.Second
	retryLongest = 5 * time.Minute
	// maxFailed bounds the notices that are read beside those that may be told.
	maxFailed = 1000
	// lastRound is how long telling may take when the program stops.
	lastRound = 5 * time.Second
)

// Wake tells that a notice was written.
func (n *Notifier) Wake() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Run tells notices until ctx ends, and then once more what the last outcomes
// have left.
func (n *Notifier) Run(ctx context.Context) error {
	tick := time.NewTicker(n.Every)
	defer tick.Stop()
	for {
		n.round(ctx)
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRound)
			defer cancel()
			n.round(last)
			return nil
		case <-n.wake:
		case <-tick.C:
		}
	}
}

// round tells all notices, and logs what is new of what went wrong.
func (n *Notifier) round(ctx context.Context) {
	listed, err := n.tellAll(ctx)
	if err != nil && ctx.Err() == nil && (listed || !n.away) {
		n.Log.Error("notices not told; they stay and are tried again", slog.Any("error", err))
	}
	n.away = !listed
}

// tellAll tells the notices that are due. It answers whether they could be read,
// and the errors of those that failed for the first time.
func (n *Notifier) tellAll(ctx context.Context) (listed bool, _ error) {
	var errs []error
	for {
		limit := batch + min(len(n.failed), maxFailed) // those that fail hold up nobody else's
		notices, err := n.Store.ListNotices(ctx, limit)
		if err != nil {
			return false, err
		}
		told, failed := n.tellEach(ctx, notices)
		errs = append(errs, failed...)
		if told == 0 || len(notices) < limit {
			return true, errors.Join(errs...)
		}
	}
}

func (n *Notifier) tellEach(ctx context.Context, notices []store.NoticeRow) (told int, errs []error) {
	still := map[string]retry{}
	for _, one := range notices {
		before, known := n.failed[one.ID]
		if known && time.Now().Before(before.at) {
			still[one.ID] = before
			continue
		}
		if !known {
			n.log(one)
		}
		err := n.tell(ctx, one)
		switch {
		case err == nil:
			told++
		case ctx.Err() == nil:
			still[one.ID] = before.next()
			if !known {
				errs = append(errs, fmt.Errorf("notice %s: %w", one.ID, err))
			}
		}
	}
	n.failed = still
	return told, errs
}

// next doubles the wait.
func (r retry) next() retry {
	wait := min(max(2*r.wait, retryFirst), retryLongest)
	return retry{at: time.Now().Add(wait), wait: wait}
}

// tell publishes a notice and removes it. What it is about may have been deleted
// since; then there is nothing left to tell.
func (n *Notifier) tell(ctx context.Context, row store.NoticeRow) error {
	if !row.Quiet {
		in, err := n.event(ctx, row)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil {
			err = n.publish(ctx, row, in)
		}
		if err != nil && !isFinal(err) {
			return err
		}
	}
	mails, err := n.mails(ctx, row)
	if err != nil {
		return err
	}
	failpoint.Hit("notice: told, not removed")
	if err := n.Store.DeleteNotice(ctx, row.ID, mails...); err != nil {
		return err
	}
	if len(mails) > 0 {
		n.Mailed()
	}
	return nil
}

// mails gives what people are told of a notice, also of one that is Quiet: mails cannot go round.
func (n *Notifier) mails(ctx context.Context, row store.NoticeRow) ([]store.Mail, error) {
	if n.Mailed == nil || !mail.Tells(row.Kind) {
		return nil, nil
	}
	to, err := n.Store.MailAddresses(ctx, row.AccountID)
	if err != nil || len(to) == 0 {
		return nil, err
	}
	e, err := n.Store.Endpoint(ctx, row.AccountID, row.EndpointID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // it was deleted since
	}
	if err != nil {
		return nil, err
	}
	f := mail.Facts{
		Description: e.Description, At: row.CreatedAt, Reason: string(row.Reason), Failures: row.Failures, DisableAfter: n.Policy.DisableAfter,
	}
	if u, err := url.Parse(e.URL); err == nil {
		f.Host = u.Host
	}
	err = n.addFacts(ctx, row, e, &f)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // so was what it tells of
	}
	if err != nil {
		return nil, err
	}
	now, err := n.Store.Clock(ctx)
	if err != nil {
		return nil, err
	}
	return mail.Rows(row, f, to, now)
}

// addFacts adds what only some kinds of notice have.
func (n *Notifier) addFacts(ctx context.Context, row store.NoticeRow, e store.EndpointView, f *mail.Facts) error {
	if row.AlertID != "" {
		a, err := n.Store.Alert(ctx, row.AccountID, row.AlertID)
		if err != nil {
			return err
		}
		by := a.Opened
		if row.Kind == delivery.AlertClosed {
			by = a.Closed
		}
		f.Alert, f.Share, f.Attempts = a.Kind, by.Value(), by.Attempts
		return nil
	}
	if row.Kind == delivery.DisabledIt {
		f.Held = e.Held
	}
	last, err := n.lastAttempt(ctx, row)
	if last != nil {
		f.Class, f.Hint = last.ErrorClass, last.Hint
	}
	return err
}

// publish publishes an event. What a receiver answered may break the schema of the
// very event that tells of it; then the event goes out without the fields that are
// wrong, so that no receiver can silence what is told about it.
func (n *Notifier) publish(ctx context.Context, row store.NoticeRow, in publish.Input) error {
	err := n.Publisher.PublishOwn(ctx, row.AccountID, row.EndpointID, in)
	var bad *publish.Invalid
	if !errors.As(err, &bad) {
		return err
	}
	n.Log.Error("an event of our own breaks its schema; it is told without what is wrong", invalidAttrs(row, in, err)...)
	if in.Data, err = without(in.Data, bad.Fields); err != nil {
		return err
	}
	if err = n.Publisher.PublishOwn(ctx, row.AccountID, row.EndpointID, in); errors.As(err, &bad) {
		n.Log.Error("an event of our own is not told: it breaks its schema without them, too", invalidAttrs(row, in, err)...)
	}
	return err
}

func invalidAttrs(row store.NoticeRow, in publish.Input, err error) []any {
	return []any{slog.String("event_id", in.ID), slog.String("type", in.Type), slog.String("account_id", row.AccountID), slog.String("endpoint_id", row.EndpointID), slog.Any("error", err)}
}

// without gives data without the members in which a field is wrong.
func without(data json.RawMessage, wrong []publish.Field) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	for _, f := range wrong {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.Name, "data."), ".")
		delete(members, name)
	}
	return json.Marshal(members)
}

// isFinal reports an error that trying again would only repeat.
func isFinal(err error) bool {
	var bad *publish.Invalid
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || errors.As(err, &bad)
}

// event puts a notice into an operational event.
func (n *Notifier) event(ctx context.Context, row store.NoticeRow) (publish.Input, error) {
	e, err := n.Store.Endpoint(ctx, row.AccountID, row.EndpointID)
	if err != nil {
		return publish.Input{}, err
	}
	if row.AlertID != "" {
		return n.alertEvent(ctx, row, e)
	}
	last, err := n.lastAttempt(ctx, row)
	if err != nil {
		return publish.Input{}, err
	}
	var eventType string
	var data any
	switch row.Kind {
	case delivery.Warning:
		eventType, data = catalog.EndpointWarning, catalog.EndpointWarningData{
			EndpointID: e.ID, URL: catalog.PublicURL(e.URL), Description: e.Description,
			ConsecutiveFailures: row.Failures, DisableAfter: n.Policy.DisableAfter, LastAttempt: last,
		}
	case delivery.DisabledIt:
		eventType, data = catalog.EndpointDisabled, catalog.EndpointDisabledData{
			EndpointID: e.ID, URL: catalog.PublicURL(e.URL), Description: e.Description, Reason: string(row.Reason),
			ConsecutiveFailures: row.Failures, DisabledAt: catalog.Timestamp(row.CreatedAt), HeldCount: e.Held, LastAttempt: last,
		}
	default:
		d, err := n.Store.Delivery(ctx, row.AccountID, row.DeliveryID)
		if err != nil {
			return publish.Input{}, err
		}
		eventType, data = catalog.DeliveryFailed, catalog.DeliveryFailedData{
			DeliveryID: d.ID.String(), EventID: d.EventID, EventType: d.EventType, EndpointID: e.ID, URL: catalog.PublicURL(e.URL),
			Attempts: row.Number, LastAttempt: last,
		}
	}
	raw, err := json.Marshal(data)
	return publish.Input{ID: row.ID, Type: eventType, Data: raw}, err
}

func (n *Notifier) lastAttempt(ctx context.Context, row store.NoticeRow) (*catalog.LastAttempt, error) {
	a, err := n.Store.Attempt(ctx, row.AccountID, row.DeliveryID, row.Number)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // retention has removed it: nothing to tell of it
	}
	if err != nil {
		return nil, err
	}
	return &catalog.LastAttempt{DeliveryID: a.DeliveryID.String(), Attempt: a.Number, StatusCode: a.StatusCode, ErrorClass: string(a.Class), Hint: a.Hint}, nil
}

// log says it to whoever reads the server's log.
func (n *Notifier) log(row store.NoticeRow) {
	if row.AlertID != "" {
		n.logAlert(row)
		return
	}
	attrs := []any{slog.String("account_id", row.AccountID), slog.String("endpoint_id", row.EndpointID), slog.Int64("delivery_id", int64(row.DeliveryID)), slog.Int("consecutive_failures", row.Failures)}
	switch row.Kind {
	case delivery.DisabledIt:
		n.Log.Warn("endpoint disabled", append(attrs, slog.String("reason", string(row.Reason)))...)
	case delivery.Warning:
		n.Log.Warn("endpoint is failing", attrs...)
	default:
		n.Log.Info("delivery failed for good; it is in the dead letter queue", attrs...)
	}
}
