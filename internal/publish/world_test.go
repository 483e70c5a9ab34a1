package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

// moment is when everything happens, to the nanosecond and not in UTC, so that
// the tests see both being put right.
func moment() time.Time {
	return time.Date(2026, time.March, 8, 13, 34, 56, 789_999_999, time.FixedZone("one hour east", 3600))
}

// lanes stands in for the dispatcher: it places every delivery as it is told and
// keeps the books of its reservations.
type lanes struct {
	t    *testing.T
	seen func(l delivery.Lease) // called by Hand; nil = not

	mu       sync.Mutex
	place    func(endpointID string) delivery.Status // nil = always Sending
	tokens   int64
	open     map[string]int // reservations that neither Hand nor Release has followed
	bytes    map[string]int // of the bodies they are for
	reserved map[string]int // in all
	released int
	handed   []delivery.Lease
	woken    map[string]int
	admitted [][]string // what Admit was asked for, call by call
}

func newLanes(t *testing.T) *lanes {
	return &lanes{t: t, open: map[string]int{}, bytes: map[string]int{}, reserved: map[string]int{}, woken: map[string]int{}}
}

// Now never moves.
func (l *lanes) Now() time.Time { return moment() }

// Admit notes for whom it is asked, and holds nobody back.
func (l *lanes) Admit(_ context.Context, endpointIDs []string, _ int) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.admitted = append(l.admitted, slices.Clone(endpointIDs))
	return func() {}
}

// Reserve places a delivery.
func (l *lanes) Reserve(endpointID string, size int) store.NewDelivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := store.NewDelivery{EndpointID: endpointID, Status: delivery.Sending, Cycle: delivery.Automatic}
	if l.place != nil {
		n.Status = l.place(endpointID)
	}
	if n.Status != delivery.Sending {
		return n
	}
	l.tokens++
	l.open[endpointID]++
	l.bytes[endpointID] += size
	l.reserved[endpointID]++
	n.Token, n.Until, n.Node = l.tokens, moment().Add(40*time.Second), "node-1"
	return n
}

// Hand takes a reservation over.
func (l *lanes) Hand(lease delivery.Lease) {
	if l.seen != nil {
		l.seen(lease)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handed = append(l.handed, lease)
	l.close(lease.EndpointID, len(lease.Body))
}

// Release gives a reservation up.
func (l *lanes) Release(endpointID string, size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released++
	l.close(endpointID, size)
}

func (l *lanes) close(endpointID string, size int) {
	if l.open[endpointID]--; l.open[endpointID] < 0 {
		l.t.Errorf("a reservation of %s ended twice", endpointID)
	}
	l.bytes[endpointID] -= size
}

// Wake counts who is told that work waits on disk.
func (l *lanes) Wake(endpointID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken[endpointID]++
}

// settled checks that every reservation was followed by Hand or Release, with
// the size it was made for.
func (l *lanes) settled() {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, n := range l.open {
		if n != 0 || l.bytes[id] != 0 {
			l.t.Errorf("%s has %d reservations of %d bytes left", id, n, l.bytes[id])
		}
	}
}

// count gives how many reservations were made, handed over and released.
func (l *lanes) count() (reserved, handed, released int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.reserved {
		reserved += n
	}
	return reserved, len(l.handed), l.released
}

// world is a Publisher on a real database with lanes that keep books.
type world struct {
	*publish.Publisher
	t     *testing.T
	db    *sqlstore.Store
	lanes *lanes

	mu       sync.Mutex
	observed []string // ids of the events that Observe heard of
}

// newWorld makes one; between, when it is not nil, stands between the Publisher
// and the database.
func newWorld(t *testing.T, between func(db store.Publisher) store.Publisher) *world {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	w := &world{t: t, db: db, lanes: newLanes(t)}
	var through store.Publisher = db
	if between != nil {
		through = between(db)
	}
	w.Publisher = publish.New(publish.Config{Store: through, Lanes: w.lanes, Observe: w.observe})
	t.Cleanup(w.lanes.settled)
	return w
}

func (w *world) observe(accountID string, e *store.NewEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if accountID != store.DefaultAccount {
		w.t.Errorf("observed an event of account %q", accountID)
	}
	w.observed = append(w.observed, e.ID)
}

// endpoint adds an enabled endpoint.
func (w *world) endpoint(id string, events ...string) {
	w.t.Helper()
	w.endpointIn(id, delivery.Enabled, events...)
}

func (w *world) endpointIn(id string, state delivery.State, events ...string) {
	w.t.Helper()
	e := delivery.Endpoint{
		ID: id, AccountID: store.DefaultAccount, URL: "https://receiver.example/" + id, Events: events,
		State: state, CreatedAt: moment(), UpdatedAt: moment(),
	}
	secret := store.Secret{ID: "sec_" + id, Role: store.Current, Sealed: []byte("sealed"), CreatedAt: moment()}
	w.must(w.db.CreateEndpoint(w.t.Context(), e, secret, 1000))
}

// eventType registers a type of the account's own; schema "" = any data.
func (w *world) eventType(name, schema string) {
	w.t.Helper()
	t := store.EventType{AccountID: store.DefaultAccount, Name: name, Schema: json.RawMessage(schema), CreatedAt: moment(), UpdatedAt: moment()}
	w.must(w.db.CreateType(w.t.Context(), t, 1000))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// publish accepts events, or ends the test.
func (w *world) publish(in ...publish.Input) []store.Published {
	w.t.Helper()
	done, err := w.Publish(w.t.Context(), store.DefaultAccount, in)
	w.must(err)
	if len(done) != len(in) {
		w.t.Fatalf("%d answers for %d events", len(done), len(in))
	}
	return done
}

// refused publishes what must be refused as invalid.
func (w *world) refused(in ...publish.Input) *publish.Invalid {
	w.t.Helper()
	_, err := w.Publish(w.t.Context(), store.DefaultAccount, in)
	var bad *publish.Invalid
	if !errors.As(err, &bad) {
		w.t.Fatalf("got error %v, want a *publish.Invalid", err)
	}
	return bad
}

// events reads all events that are on disk.
func (w *world) events() []store.Event {
	w.t.Helper()
	var all []store.Event
	page := store.Page{Limit: 1000}
	for {
		some, next, err := w.db.ListEvents(w.t.Context(), store.DefaultAccount, store.EventFilter{}, page)
		w.must(err)
		all = append(all, some...)
		if page.Cursor = next; next == "" {
			return all
		}
	}
}

// deliveries reads all deliveries that are on disk.
func (w *world) deliveries() []delivery.Delivery {
	w.t.Helper()
	var all []delivery.Delivery
	page := store.Page{Limit: 1000}
	for {
		some, next, err := w.db.ListDeliveries(w.t.Context(), store.DefaultAccount, store.DeliveryFilter{}, page)
		w.must(err)
		all = append(all, some...)
		if page.Cursor = next; next == "" {
			return all
		}
	}
}

// added is the smallest event of a built-in type.
func added(domain string) publish.Input {
	return publish.Input{Type: catalog.DomainAdded, Data: json.RawMessage(`{"domain":"` + domain + `"}`)}
}

// sample is an event of a built-in type with the sample of the catalogue.
func sample(name string) publish.Input {
	t, _ := catalog.Lookup(name)
	return publish.Input{Type: name, Data: t.Sample}
}
