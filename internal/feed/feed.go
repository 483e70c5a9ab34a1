// Package feed tells whoever reads along what happens in an account while it happens: events
// that are accepted and attempts that are recorded. The API's stream and the dashboard's live
// list are its readers.
//
// It may lose things when nodes lose each other, and cuts a reader that is too slow. Nothing depends on
// it: the log is where nothing is lost.
package feed

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const (
	buffer      = 1024             // items that a reader may lag behind before it is cut
	bufferBytes = 4 << 20          // of event bodies in them: a thousand of 256 KiB would be a lot of memory
	most        = 64               // readers of an account
	wantFor     = time.Minute      // how long one StreamWanted holds
	wantEvery   = 20 * time.Second // how often it is repeated
	noteBuffer  = 4096             // notes that wait to be announced
)

// ErrReaders means that an account has as many readers as it may have at once.
var ErrReaders = errors.New("as many read along in this account as may at once")

// Item is one thing that happened: an event was accepted, or an attempt recorded.
type Item struct {
	EventID     string
	EventType   string
	EndpointIDs []string // those the event goes to; of an attempt the one it was made to

	Body    []byte   // of the event, the exact bytes; nil = this is an attempt
	Attempt *Attempt // nil = this is an event
}

// Attempt is the summary of an attempt.
type Attempt struct {
	DeliveryID delivery.ID
	Number     int
	Cycle      delivery.Cycle
	Status     delivery.Status // what the delivery became
	Class      delivery.Class
	StatusCode int
	Total      time.Duration
	EndedAt    time.Time
}

// Feed tells what happens: on this node at once, on the other nodes through the
// bus, and only while somebody reads.
type Feed struct {
	db  Store
	log *slog.Logger

	mu      sync.Mutex
	readers map[string]map[*follower]bool // by account
	wanted  map[string]time.Time          // until when other nodes have readers, by account
	notes   chan store.Note
}

// follower is one reader with what it lags behind.
type follower struct {
	items chan Item
	sizes []int // of what was put into items, oldest first; the last len(items) of them are still there
	bytes int   // their sum
}

// give puts an item in, unless the reader lags too far behind.
func (r *follower) give(it Item) bool {
	for len(r.sizes) > len(r.items) {
		r.bytes -= r.sizes[0]
		r.sizes = r.sizes[1:]
	}
	if len(r.sizes) > 0 && r.bytes+len(it.Body) > bufferBytes {
		return false
	}
	select {
	case r.items <- it:
		r.sizes, r.bytes = append(r.sizes, len(it.Body)), r.bytes+len(it.Body)
		return true
	default:
		return false
	}
}

// Store is what it reads what other nodes announce with.
type Store interface {
	store.Bus
	store.Log
}

// New makes a Feed. Announce must run for other nodes to hear of what happens here.
func New(db Store, log *slog.Logger) *Feed {
	return &Feed{
		db: db, log: log,
		readers: map[string]map[*follower]bool{},
		wanted:  map[string]time.Time{},
		notes:   make(chan store.Note, noteBuffer),
	}
}

// Subscribe gives what happens in an account from now on, until ctx ends; then, and when the
// reader is so slow that something would have to be left out, the channel is closed. A slow
// reader never holds anybody else up. ErrReaders when the account has too many.
func (f *Feed) Subscribe(ctx context.Context, accountID string) (<-chan Item, error) {
	r := &follower{items: make(chan Item, buffer)}
	if !f.add(accountID, r) {
		return nil, ErrReaders
	}
	go f.keepWanting(ctx, accountID, r)
	return r.items, nil
}

// add takes a reader in, unless the account has as many as it may.
func (f *Feed) add(accountID string, r *follower) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.readers[accountID]) >= most {
		return false
	}
	if f.readers[accountID] == nil {
		f.readers[accountID] = map[*follower]bool{}
	}
	f.readers[accountID][r] = true
	return true
}

// keepWanting asks the other nodes to announce an account's events as long as
// the reader stays.
func (f *Feed) keepWanting(ctx context.Context, accountID string, r *follower) {
	tick := time.NewTicker(wantEvery)
	defer tick.Stop()
	for {
		if err := f.db.Announce(ctx, store.Note{Kind: store.StreamWanted, AccountID: accountID}); err != nil && ctx.Err() == nil {
			f.log.Warn("other nodes not asked for their events", slog.Any("error", err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.mu.Lock()
			f.drop(accountID, r)
			f.mu.Unlock()
			return
		}
	}
}

// drop ends a reader, once.
func (f *Feed) drop(accountID string, r *follower) {
	if !f.readers[accountID][r] {
		return
	}
	delete(f.readers[accountID], r)
	if len(f.readers[accountID]) == 0 {
		delete(f.readers, accountID)
	}
	close(r.items)
}

// tell gives an item to the readers of this node and cuts those that are too slow.
func (f *Feed) tell(accountID string, item func() (Item, error)) {
	f.mu.Lock()
	reads := len(f.readers[accountID]) > 0
	f.mu.Unlock()
	if !reads {
		return
	}
	it, err := item()
	if err != nil {
		f.log.Warn("item of another node not read", slog.Any("error", err))
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers[accountID] {
		if !r.give(it) {
			f.drop(accountID, r)
		}
	}
}

// Accepted hears of an event that this node accepted.
func (f *Feed) Accepted(accountID string, e *store.NewEvent) {
	f.tell(accountID, func() (Item, error) {
		ids := make([]string, len(e.Deliveries))
		for i, d := range e.Deliveries {
			ids[i] = d.EndpointID
		}
		return Item{EventID: e.ID, EventType: e.Type, EndpointIDs: ids, Body: e.Body}, nil
	})
	f.pass(store.Note{Kind: store.EventAccepted, AccountID: accountID, ID: e.ID})
}

// Recorded hears of an attempt whose outcome this node wrote.
func (f *Feed) Recorded(r store.Result, done store.Recorded) {
	f.tell(r.Lease.AccountID, func() (Item, error) {
		return Item{
			EventID: r.Lease.EventID, EventType: r.Lease.EventType, EndpointIDs: []string{r.Lease.EndpointID},
			Attempt: &Attempt{
				DeliveryID: r.Lease.ID, Number: r.Attempt.Number, Cycle: r.Attempt.Cycle, Status: done.Change.Status,
				Class: r.Attempt.Class, StatusCode: r.Attempt.StatusCode, Total: r.Attempt.Timing.Total, EndedAt: r.Attempt.EndedAt,
			},
		}, nil
	})
	f.pass(store.Note{Kind: store.AttemptRecorded, AccountID: r.Lease.AccountID, ID: r.Lease.ID.String(), Number: r.Attempt.Number})
}

// pass queues a note for the other nodes, if one of them has readers.
func (f *Feed) pass(n store.Note) {
	f.mu.Lock()
	wanted := time.Now().Before(f.wanted[n.AccountID])
	f.mu.Unlock()
	if !wanted {
		return
	}
	select {
	case f.notes <- n:
	default: // the bus is behind; a stream may miss items, and says so in its documentation
	}
}

// Hear takes notes of other nodes.
func (f *Feed) Hear(ctx context.Context, n store.Note) {
	if n.Own {
		return
	}
	switch n.Kind {
	case store.StreamWanted:
		f.mu.Lock()
		f.wanted[n.AccountID] = time.Now().Add(wantFor)
		f.mu.Unlock()
	case store.EventAccepted:
		f.tell(n.AccountID, func() (Item, error) { return f.readEvent(ctx, n) })
	case store.AttemptRecorded:
		f.tell(n.AccountID, func() (Item, error) { return f.readAttempt(ctx, n) })
	}
}

func (f *Feed) readEvent(ctx context.Context, n store.Note) (Item, error) {
	e, err := f.db.Event(ctx, n.AccountID, n.ID)
	if err != nil {
		return Item{}, err
	}
	item := Item{EventID: e.ID, EventType: e.Type, Body: e.Body}
	if e.Deliveries == 0 {
		return item, nil
	}
	ds, _, err := f.db.ListDeliveries(ctx, n.AccountID, store.DeliveryFilter{EventID: n.ID}, store.Page{Limit: e.Deliveries})
	for _, d := range ds {
		item.EndpointIDs = append(item.EndpointIDs, d.EndpointID)
	}
	return item, err
}

func (f *Feed) readAttempt(ctx context.Context, n store.Note) (Item, error) {
	id, err := delivery.ParseID(n.ID)
	if err != nil {
		return Item{}, err
	}
	d, err := f.db.Delivery(ctx, n.AccountID, id)
	if err != nil {
		return Item{}, err
	}
	a, err := f.db.Attempt(ctx, n.AccountID, id, n.Number)
	if err != nil {
		return Item{}, err
	}
	return Item{
		EventID: d.EventID, EventType: d.EventType, EndpointIDs: []string{d.EndpointID},
		Attempt: &Attempt{
			DeliveryID: id, Number: a.Number, Cycle: a.Cycle, Status: d.Status, Class: a.Class, StatusCode: a.StatusCode, Total: a.Timing.Total, EndedAt: a.EndedAt,
		},
	}, nil
}

// Announce passes queued notes on, many at a time, until ctx ends.
func (f *Feed) Announce(ctx context.Context) error {
	for {
		var notes []store.Note
		select {
		case n := <-f.notes:
			notes = append(notes, n)
		case <-ctx.Done():
			return nil
		}
		for len(notes) < noteBuffer && len(f.notes) > 0 {
			notes = append(notes, <-f.notes)
		}
		if err := f.db.Announce(ctx, notes...); err != nil && ctx.Err() == nil {
			f.log.Warn("events not announced to other nodes", slog.Any("error", err))
		}
	}
}
