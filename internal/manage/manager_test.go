package manage_test

import (
	"context"
	"encoding/base64"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/seal"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

// world is a Manager on a real database, with two accounts.
type world struct {
	*manage.Manager
	t      *testing.T
	db     *sqlstore.Store
	box    *seal.Box
	policy delivery.Policy

	admin auth.Caller // of the default account, with all scopes
	user  auth.Caller // of another account, with all scopes but admin
}

// newWorld makes one; changes to the settings may be nil.
func newWorld(t *testing.T, change func(*manage.Config)) *world {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: filepath.Join(t.TempDir(), "test.db")})
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })

	targets, err := egress.NewPolicy(egress.Config{})
	check(t, err)
	key, err := seal.Parse(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	check(t, err)
	box, err := seal.NewBox(key)
	check(t, err)

	policy := delivery.DefaultPolicy()
	policy.Schedule = delivery.Schedule{0} // one failure and it is in the dead letter queue
	policy.DisableAfter = 0
	w := &world{t: t, db: db, box: box, policy: policy}
	config := manage.Config{Store: db, Targets: targets, Box: box, Sender: &sender{db: db, policy: policy}, Policy: policy, Node: "node-1", Passwords: auth.NewSignIns(db, nil)}
	if change != nil {
		change(&config)
	}
	w.Manager = manage.New(config)
	w.admin = auth.Caller{AccountID: store.DefaultAccount, KeyID: "key_admin", Actor: "key_admin", Scopes: auth.Scopes{auth.Admin}}
	other := must(w.CreateAccount(t.Context(), w.admin, manage.CreateAccount{Name: "Other"}))(t)
	w.user = auth.Caller{AccountID: other.ID, KeyID: "key_user", Actor: "key_user", Scopes: auth.Scopes{auth.Publish, auth.Manage}}
	return w
}

// sender makes attempts without a network: every test is answered with 204, and
// recorded as the dispatcher would.
type sender struct {
	db     *sqlstore.Store
	policy delivery.Policy
	leases []delivery.Lease
}

func (s *sender) SendNow(ctx context.Context, l delivery.Lease) (delivery.Attempt, error) {
	s.leases = append(s.leases, l)
	at := time.Now().UTC().Truncate(time.Millisecond)
	a := delivery.Attempt{
		DeliveryID: l.ID, Number: l.Attempt, Cycle: l.Cycle, Node: "node-1",
		Outcome:   delivery.Outcome{StartedAt: at, EndedAt: at, Class: delivery.OK, StatusCode: 204},
		LocalInfo: "dialed 10.0.0.1",
	}
	recorded, err := s.db.Record(ctx, s.policy, []store.Result{{Lease: l, Attempt: a, Change: delivery.Decide(s.policy, l, a.Outcome, 0)}})
	if err != nil {
		return a, err
	}
	if !recorded[0].Applied {
		return a, errors.New("the lease does not hold")
	}
	return a, nil
}

// endpoint makes an endpoint of the caller's account.
func (w *world) endpoint(caller auth.Caller, events ...string) manage.Endpoint {
	w.t.Helper()
	if len(events) == 0 {
		events = []string{"*"}
	}
	made := must(w.CreateEndpoint(w.t.Context(), caller, manage.CreateEndpoint{URL: "https://example.com/hooks", Events: events}))(w.t)
	return made.Endpoint
}

// publish accepts n scans for an endpoint and gives their deliveries, oldest first.
// class is how their first attempt ends; "" leaves them held.
func (w *world) publish(e manage.Endpoint, n int, class delivery.Class) []delivery.ID {
	w.t.Helper()
	return w.publishAt(time.Now().UTC().Truncate(time.Millisecond), e, n, class)
}

// publishAt does so at a time.
func (w *world) publishAt(now time.Time, e manage.Endpoint, n int, class delivery.Class) []delivery.ID {
	w.t.Helper()
	batch := &store.Batch{AccountID: e.AccountID}
	for i := range n {
		d := store.NewDelivery{EndpointID: e.ID, Status: delivery.Held, Cycle: delivery.Automatic}
		if class != "" {
			d.Status, d.Token, d.Until, d.Node = delivery.Sending, int64(i+1), now.Add(time.Minute), "node-1"
		}
		batch.Events = append(batch.Events, store.NewEvent{
			ID: uuid.NewString(), Type: "scan.completed", CreatedAt: now, Body: []byte(`{}`), Deliveries: []store.NewDelivery{d},
		})
	}
	published := must(w.db.Publish(w.t.Context(), batch))(w.t)
	ids := make([]delivery.ID, n)
	var results []store.Result
	for i, p := range published {
		ids[i] = p.Deliveries[0].ID
		if class != "" {
			results = append(results, w.result(e, p, int64(i+1), class, now))
		}
	}
	must(w.db.Record(w.t.Context(), w.policy, results))(w.t)
	return ids
}

// result is the first attempt of a published delivery.
func (w *world) result(e manage.Endpoint, p store.Published, token int64, class delivery.Class, now time.Time) store.Result {
	l := delivery.Lease{
		ID: p.Deliveries[0].ID, AccountID: e.AccountID, EndpointID: e.ID, EventID: p.EventID, EventType: p.Type,
		Token: token, Until: now.Add(time.Minute), Attempt: 1, Cycle: delivery.Automatic,
	}
	a := delivery.Attempt{
		DeliveryID: l.ID, Number: 1, Cycle: l.Cycle, Node: "node-1",
		Outcome:   delivery.Outcome{StartedAt: now, EndedAt: now, Class: class},
		LocalInfo: "dialed 10.0.0.1",
	}
	return w.decided(l, a)
}

// decided is an attempt with what it changes.
func (w *world) decided(l delivery.Lease, a delivery.Attempt) store.Result {
	change := delivery.Decide(w.policy, l, a.Outcome, 0)
	a.Effect = change.Effect
	return store.Result{Lease: l, Attempt: a, Change: change}
}

// status reads the status of a delivery.
func (w *world) status(accountID string, id delivery.ID) delivery.Status {
	w.t.Helper()
	return must(w.db.Delivery(w.t.Context(), accountID, id))(w.t).Status
}

// run works a job off at once.
func (w *world) run(jobID string) {
	w.t.Helper()
	now := time.Now()
	for _, job := range must(w.db.ClaimJobs(w.t.Context(), "node-1", now, now.Add(time.Minute), 10))(w.t) {
		if job.ID != jobID {
			continue
		}
		job, _, err := w.db.AdvanceJob(w.t.Context(), job, 100, now, now.Add(time.Minute))
		check(w.t, err)
		if job.State != store.JobDone {
			w.t.Fatalf("job %s is %s after 100 deliveries", job.ID, job.State)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must takes the results of a call that has to succeed.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

// invalid gives the names of the fields that an error complains about.
func invalid(t *testing.T, err error) []string {
	t.Helper()
	var bad *manage.Invalid
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want an *Invalid", err)
	}
	names := make([]string, len(bad.Fields))
	for i, f := range bad.Fields {
		names[i] = f.Name
	}
	return names
}

func pointer[T any](v T) *T { return &v }
