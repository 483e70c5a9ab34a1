package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// The nodes that the checks speak of, what their accounts are called, and how many endpoints an account may
// have where a check is about something else.
const (
	nodeA       = "node-a"
	nodeB       = "node-b"
	accountName = "of a check"
	many        = 10_000
)

// world is a check's own corner of a store: an account that nobody else uses.
type world struct {
	t       *testing.T
	s       store.Store
	account string
}

func newWorld(t *testing.T, s store.Store) *world {
	t.Helper()
	w := &world{t: t, s: s}
	w.account = w.newAccount(at(0))
	return w
}

// at gives the time that lies d after the beginning of the checks' time. It has
// whole milliseconds, as everything that the store is given.
func at(d time.Duration) time.Time {
	return time.Date(2030, time.March, 8, 12, 0, 0, 123_000_000, time.UTC).Add(d)
}

// leaseEnd is when the leases end that the checks make by publishing.
func leaseEnd() time.Time { return at(40 * time.Second) }

func (w *world) ctx() context.Context { return w.t.Context() }

// must ends the check when err is not nil.
func (w *world) must(what string, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

// wantError ends the check unless err is want.
func (w *world) wantError(what string, err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Fatalf("%s: got error %v, want %v", what, err, want)
	}
}

// wantConflict ends the check unless err is a *store.Conflict with words in it.
func (w *world) wantConflict(what string, err error) *store.Conflict {
	w.t.Helper()
	var conflict *store.Conflict
	if !errors.As(err, &conflict) {
		w.t.Fatalf("%s: got error %v, want a *store.Conflict", what, err)
	}
	if conflict.Message == "" {
		w.t.Fatalf("%s: the conflict has no message", what)
	}
	return conflict
}

// equal reports a difference between got and want; nil and empty are the same.
func (w *world) equal(what string, got, want any, options ...cmp.Option) {
	w.t.Helper()
	options = append(options, cmpopts.EquateEmpty())
	if diff := cmp.Diff(want, got, options...); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// newID gives an id that nobody else has.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

// newToken gives a token as a node would draw it.
func newToken() int64 { return mathrand.Int64N(1<<62) + 1 }

func (w *world) newAccount(created time.Time) string {
	w.t.Helper()
	id := newID("acc_")
	w.must("create account", w.s.CreateAccount(w.ctx(), store.Account{ID: id, Name: accountName, CreatedAt: created}))
	return id
}

// endpointOf describes a plain endpoint of an account.
func endpointOf(account string) delivery.Endpoint {
	return delivery.Endpoint{
		ID:        newID("ep_"),
		AccountID: account,
		URL:       "https://receiver.example/hooks?token=in-the-query",
		Events:    []string{"*"},
		State:     delivery.Enabled,
		CreatedAt: at(0),
		UpdatedAt: at(0),
	}
}

// firstSecret describes the secret that an endpoint is made with.
func firstSecret(endpointID string) store.Secret {
	return store.Secret{
		ID: newID("sec_"), EndpointID: endpointID, Role: store.Current,
		Sealed: []byte("sealed\x00\xff"), Fingerprint: "0123456789ab", CreatedAt: at(0),
	}
}

// newEndpoint makes an endpoint, changed by the given functions, and gives its id.
func (w *world) newEndpoint(changes ...func(*delivery.Endpoint)) string {
	w.t.Helper()
	e := endpointOf(w.account)
	for _, change := range changes {
		change(&e)
	}
	w.must("create endpoint", w.s.CreateEndpoint(w.ctx(), e, firstSecret(e.ID), many))
	return e.ID
}

func (w *world) newEndpoints(n int) []string {
	w.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = w.newEndpoint()
	}
	return ids
}

func (w *world) endpoint(id string) store.EndpointView {
	w.t.Helper()
	view, err := w.s.Endpoint(w.ctx(), w.account, id)
	w.must("read endpoint", err)
	return view
}

// setState moves an endpoint to a state, deleted included.
func (w *world) setState(id string, state delivery.State) {
	w.t.Helper()
	if state == delivery.Deleted {
		_, err := w.s.DeleteEndpoint(w.ctx(), w.account, id, at(0))
		w.must("delete endpoint", err)
		return
	}
	reason := delivery.NotDisabled
	if state == delivery.Disabled {
		reason = delivery.ByHand
	}
	_, err := w.s.SetState(w.ctx(), w.account, id, state, reason, at(0))
	w.must("set state", err)
}

// eventAt describes an event of its own content with the given deliveries.
func eventAt(created time.Time, deliveries ...store.NewDelivery) store.NewEvent {
	id := uuid.NewString()
	body := fmt.Appendf(nil, `{"id":%q,"type":"scan.completed"}`, id)
	return store.NewEvent{
		ID: id, Type: "scan.completed", CreatedAt: created,
		Body: body, Hash: sha256.Sum256(body), Deliveries: deliveries,
	}
}

func pendingTo(endpointID string) store.NewDelivery {
	return store.NewDelivery{EndpointID: endpointID, Status: delivery.Pending, Cycle: delivery.Automatic}
}

func heldFor(endpointID string) store.NewDelivery {
	return store.NewDelivery{EndpointID: endpointID, Status: delivery.Held, Cycle: delivery.Automatic}
}

// sendingTo describes a delivery that is claimed by its publishing.
func sendingTo(endpointID string, cycle delivery.Cycle) store.NewDelivery {
	return store.NewDelivery{
		EndpointID: endpointID, Status: delivery.Sending, Cycle: cycle,
		Token: newToken(), Until: leaseEnd(), Node: nodeA,
	}
}

// publish commits events, whatever the subscriptions are.
func (w *world) publish(events ...store.NewEvent) []store.Published {
	w.t.Helper()
	published, err := w.s.Publish(w.ctx(), &store.Batch{AccountID: w.account, Events: events})
	w.must("publish", err)
	if len(published) != len(events) {
		w.t.Fatalf("publish: got %d answers to %d events", len(published), len(events))
	}
	return published
}

// publishOne commits one event with one delivery and gives that one's number.
func (w *world) publishOne(created time.Time, d store.NewDelivery) delivery.ID {
	w.t.Helper()
	return w.publish(eventAt(created, d))[0].Deliveries[0].ID
}

// backlog publishes n events, each with one delivery made by of, in batches.
func (w *world) backlog(n int, of func() store.NewDelivery) {
	w.t.Helper()
	for n > 0 {
		events := make([]store.NewEvent, min(n, 1000))
		for i := range events {
			events[i] = eventAt(at(0), of())
		}
		w.publish(events...)
		n -= len(events)
	}
}

// leased publishes one event of a type to each endpoint, sending at once, and
// gives the leases as the publishing node knows them.
func (w *world) leased(cycle delivery.Cycle, eventType string, endpointIDs ...string) []delivery.Lease {
	w.t.Helper()
	events := make([]store.NewEvent, len(endpointIDs))
	for i, id := range endpointIDs {
		events[i] = eventAt(at(0), sendingTo(id, cycle))
		events[i].Type = eventType
	}
	w.publish(events...)
	leases := make([]delivery.Lease, len(events))
	for i, e := range events {
		leases[i] = leaseOf(w.account, e)
	}
	return leases
}

// lease publishes one event to an endpoint, sending at once.
func (w *world) lease(endpointID string) delivery.Lease {
	w.t.Helper()
	return w.leased(delivery.Automatic, "scan.completed", endpointID)[0]
}

// leaseOf gives the lease of an event's first delivery, published as sending.
func leaseOf(account string, e store.NewEvent) delivery.Lease {
	d := e.Deliveries[0]
	return delivery.Lease{
		ID: d.ID, AccountID: account, EndpointID: d.EndpointID,
		EventID: e.ID, EventType: e.Type, Body: e.Body,
		Token: d.Token, Until: d.Until, Attempt: 1, Cycle: d.Cycle,
	}
}

func (w *world) delivery(id delivery.ID) delivery.Delivery {
	w.t.Helper()
	d, err := w.s.Delivery(w.ctx(), w.account, id)
	w.must("read delivery", err)
	return d
}

// wantStatus reports a delivery that is not in the status wanted.
func (w *world) wantStatus(id delivery.ID, want delivery.Status) {
	w.t.Helper()
	if got := w.delivery(id).Status; got != want {
		w.t.Errorf("delivery %d is %s, want %s", id, got, want)
	}
}

func (w *world) attempts(id delivery.ID) []delivery.Attempt {
	w.t.Helper()
	attempts, err := w.s.Attempts(w.ctx(), w.account, id)
	w.must("read attempts", err)
	return attempts
}

// count counts an endpoint's deliveries in the given statuses.
func (w *world) count(endpointID string, statuses ...delivery.Status) int {
	w.t.Helper()
	n, err := w.s.CountDeliveries(w.ctx(), w.account, store.DeliveryFilter{EndpointID: endpointID, Statuses: statuses})
	w.must("count deliveries", err)
	return n
}

// claimed asks one endpoint for work and gives its answer.
func (w *world) claimed(endpointID string, now time.Time, most int) store.Claimed {
	w.t.Helper()
	return w.claimFor(nodeB, endpointID, now, most)
}

func (w *world) claimFor(node, endpointID string, now time.Time, most int) store.Claimed {
	w.t.Helper()
	answers, err := w.s.Claim(w.ctx(), store.Claim{
		Node: node, Now: now, Until: now.Add(40 * time.Second),
		Wants: []store.Want{{EndpointID: endpointID, Max: most}},
	})
	w.must("claim", err)
	if len(answers) == 0 {
		return store.Claimed{EndpointID: endpointID}
	}
	if len(answers) > 1 || answers[0].EndpointID != endpointID {
		w.t.Fatalf("claim for %s: got answers %+v", endpointID, answers)
	}
	return answers[0]
}

// claimOne asks one endpoint for one lease and ends the check when it gives none.
func (w *world) claimOne(endpointID string, now time.Time) delivery.Lease {
	w.t.Helper()
	leases := w.claimed(endpointID, now, 1).Leases
	if len(leases) != 1 {
		w.t.Fatalf("claim one of %s at %s: got %d leases", endpointID, now, len(leases))
	}
	return leases[0]
}

// rules are the default settings; lastStep are the same with a single step, so
// that any failure is the last one.
func rules() delivery.Policy { return delivery.DefaultPolicy() }

func lastStep() delivery.Policy {
	p := delivery.DefaultPolicy()
	p.Schedule = delivery.Schedule{0}
	return p
}

// outcome describes an attempt that began at a time, took 100 ms and ended in class.
func outcome(class delivery.Class, began time.Time) delivery.Outcome {
	codes := map[delivery.Class]int{
		delivery.OK: 200, delivery.Redirect: 302, delivery.ClientError: 404,
		delivery.RateLimited: 429, delivery.ServerError: 503, delivery.BadStatus: 700,
	}
	return delivery.Outcome{
		StartedAt: began, EndedAt: began.Add(100 * time.Millisecond),
		Class: class, StatusCode: codes[class],
	}
}

// result says what a lease's outcome means under the rules p.
func result(p delivery.Policy, l delivery.Lease, o delivery.Outcome) store.Result {
	change := delivery.Decide(p, l, o, 0.5)
	return store.Result{
		Lease:  l,
		Change: change,
		Attempt: delivery.Attempt{
			DeliveryID: l.ID, Number: l.Attempt, Cycle: l.Cycle, PlannedAt: l.PlannedAt, Node: nodeA,
			Outcome: o, Effect: change.Effect,
		},
	}
}

// record records results and ends the check unless there is an answer to each.
func (w *world) record(p delivery.Policy, results ...store.Result) []store.Recorded {
	w.t.Helper()
	recorded, err := w.s.Record(w.ctx(), p, results)
	w.must("record", err)
	if len(recorded) != len(results) {
		w.t.Fatalf("record: got %d answers to %d results", len(recorded), len(results))
	}
	return recorded
}

// end records how a lease's attempt ended and ends the check if it was not applied.
func (w *world) end(p delivery.Policy, l delivery.Lease, class delivery.Class, began time.Time) store.Recorded {
	w.t.Helper()
	recorded := w.record(p, result(p, l, outcome(class, began)))[0]
	if !recorded.Applied {
		w.t.Fatalf("record delivery %d: the lease was lost", l.ID)
	}
	return recorded
}

// inStatus makes a delivery for an endpoint and brings it into a status. Its
// failed attempts all overlap, so that they count once.
func (w *world) inStatus(endpointID string, status delivery.Status) delivery.ID {
	w.t.Helper()
	switch status {
	case delivery.Pending:
		return w.publishOne(at(0), pendingTo(endpointID))
	case delivery.Held:
		return w.publishOne(at(0), heldFor(endpointID))
	case delivery.Discarded:
		id := w.publishOne(at(0), pendingTo(endpointID))
		_, err := w.s.Discard(w.ctx(), w.account, id, "not wanted", at(0))
		w.must("discard", err)
		return id
	}
	l := w.lease(endpointID)
	switch status {
	case delivery.Retrying:
		w.end(rules(), l, delivery.ServerError, at(0))
	case delivery.Failed:
		w.end(lastStep(), l, delivery.ServerError, at(0))
	case delivery.Delivered:
		w.end(rules(), l, delivery.OK, at(0))
	}
	return l.ID
}

// notices gives the notices of the check's account, in the order of the list.
func (w *world) notices() []store.NoticeRow {
	w.t.Helper()
	rows, err := w.s.ListNotices(w.ctx(), 1_000_000)
	w.must("list notices", err)
	var own []store.NoticeRow
	for _, row := range rows {
		if row.AccountID == w.account {
			own = append(own, row)
		}
	}
	return own
}

// settle holds or discards what waits for an endpoint, to the end.
func (w *world) settle(endpointID string) int {
	w.t.Helper()
	total := 0
	for range 1000 {
		n, err := w.s.Settle(w.ctx(), endpointID, at(0), 1000)
		w.must("settle", err)
		if n == 0 {
			return total
		}
		total += n
	}
	w.t.Fatalf("settle %s: no end after %d deliveries", endpointID, total)
	return total
}

// pages reads a list to its end in pages of limit rows; between, which may be
// nil, is called after each page.
func pages[T any](w *world, limit int, list func(store.Page) ([]T, string, error), between func()) []T {
	w.t.Helper()
	var all []T
	page := store.Page{Limit: limit}
	for range 10_000 {
		rows, next, err := list(page)
		w.must("list a page", err)
		if len(rows) > limit {
			w.t.Fatalf("a page of %d has %d rows", limit, len(rows))
		}
		all = append(all, rows...)
		if next == "" {
			return all
		}
		page.Cursor = next
		if between != nil {
			between()
		}
	}
	w.t.Fatalf("a list of %d rows and more has no end", len(all))
	return nil
}

// atOnce runs n calls together and ends the check when one answers an error.
func (w *world) atOnce(n int, call func(i int) error) {
	w.t.Helper()
	var calls sync.WaitGroup
	failed := make([]error, n)
	for i := range n {
		calls.Go(func() { failed[i] = call(i) })
	}
	calls.Wait()
	w.must("calls at the same time", errors.Join(failed...))
}
