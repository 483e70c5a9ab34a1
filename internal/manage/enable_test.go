package manage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestWhatEnablingDoesWithHeldDeliveries(t *testing.T) {
	t.Parallel()
	const h, p = delivery.Held, delivery.Pending
	tests := []struct {
		name string
		in   manage.EnableEndpoint
		held int
		want []delivery.Status // of the deliveries, oldest first, after the job
		pace int               // of the job; 0 = no job
	}{
		{"by default all are sent", manage.EnableEndpoint{}, 3, []delivery.Status{p, p, p}, 50},
		{"send, at a pace", manage.EnableEndpoint{Held: manage.SendHeld, PerSecond: 7}, 3, []delivery.Status{p, p, p}, 7},
		{"only the newest", manage.EnableEndpoint{Held: manage.NewestHeld}, 3, []delivery.Status{h, h, p}, 50},
		{"keep", manage.EnableEndpoint{Held: manage.KeepHeld}, 3, []delivery.Status{h, h, h}, 0},
		{"nothing is held", manage.EnableEndpoint{}, 0, []delivery.Status{}, 0},
		{"nothing is held and the newest is wanted", manage.EnableEndpoint{Held: manage.NewestHeld}, 0, []delivery.Status{}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			e := w.endpoint(w.user)
			other := w.endpoint(w.user)
			must(w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: e.ID}))(t)
			must(w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: other.ID}))(t)
			elsewhere := w.publish(other, 1, "")
			ids := w.publish(e, tt.held, "")

			tt.in.ID = e.ID
			got := must(w.EnableEndpoint(t.Context(), w.user, tt.in))(t)
			if got.Held != tt.held || got.Endpoint.State != delivery.Enabled || got.Endpoint.DisabledReason != "" {
				t.Errorf("got %d held and %s (%s), want %d and enabled", got.Held, got.Endpoint.State, got.Endpoint.DisabledReason, tt.held)
			}
			if (got.Job != nil) != (tt.pace != 0) || got.Job != nil && got.Job.PerSecond != tt.pace {
				t.Fatalf("the job is %+v, want a pace of %d", got.Job, tt.pace)
			}
			if got.Job != nil {
				w.run(got.Job.ID)
				job := must(w.Job(t.Context(), w.user, got.Job.ID))(t)
				if job.State != store.JobDone || job.Done != job.Total {
					t.Errorf("the job ended %s with %d of %d", job.State, job.Done, job.Total)
				}
			}
			statuses := []delivery.Status{}
			for _, id := range ids {
				statuses = append(statuses, w.status(w.user.AccountID, id))
			}
			if diff := cmp.Diff(tt.want, statuses); diff != "" {
				t.Errorf("deliveries (-want +got):\n%s", diff)
			}
			if got := w.status(w.user.AccountID, elsewhere[0]); got != delivery.Held {
				t.Errorf("the delivery of another endpoint is %s, want held", got)
			}
		})
	}
}

func TestEnablingAgainLetsGoWhatIsStillHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	id := w.publish(e, 1, "")[0]
	got := must(w.EnableEndpoint(t.Context(), w.user, manage.EnableEndpoint{ID: e.ID}))(t)
	if got.Job == nil {
		t.Fatal("no job was made")
	}
	w.run(got.Job.ID)
	if got := w.status(w.user.AccountID, id); got != delivery.Pending {
		t.Errorf("the delivery is %s, want pending", got)
	}
}

// A count that took too long left the endpoint enabled, with nothing let go and an error on the page.
func TestAnEndpointWhoseHeldCannotBeCountedStaysDisabled(t *testing.T) {
	t.Parallel()
	slow := &between{}
	w := newWorld(t, func(c *manage.Config) { slow.Store, c.Store = c.Store, slow })
	e := w.endpoint(w.user)
	must(w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: e.ID}))(t)
	w.publish(e, 2, "")
	slow.count = store.ErrSlow
	if _, err := w.EnableEndpoint(t.Context(), w.user, manage.EnableEndpoint{ID: e.ID}); !errors.Is(err, store.ErrSlow) {
		t.Errorf("enable: got %v, want ErrSlow", err)
	}
	if got := must(w.Endpoint(t.Context(), w.user, e.ID))(t); got.State != delivery.Disabled {
		t.Errorf("the endpoint is %s, want disabled", got.State)
	}
	if jobs := must(w.ListJobs(t.Context(), w.user, manage.Page{}))(t).Rows; len(jobs) > 0 {
		t.Errorf("jobs were made: %+v", jobs)
	}
}

func TestWhatIsHeldBetweenTheCountAndTheStartOfAnEndpointIsSentToo(t *testing.T) {
	t.Parallel()
	late := &between{}
	w := newWorld(t, func(c *manage.Config) { late.Store, c.Store = c.Store, late })
	e := w.endpoint(w.user)
	must(w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: e.ID}))(t)
	var ids []delivery.ID
	late.beforeState = func() { ids = w.publish(e, 1, "") }
	got := must(w.EnableEndpoint(t.Context(), w.user, manage.EnableEndpoint{ID: e.ID}))(t)
	if got.Job == nil {
		t.Fatal("no job was made")
	}
	w.run(got.Job.ID)
	if got := w.status(w.user.AccountID, ids[0]); got != delivery.Pending {
		t.Errorf("the delivery is %s, want pending", got)
	}
}

// between is a store in which counts fail, or in which something happens before a state changes.
type between struct {
	manage.Store
	count       error
	beforeState func()
}

func (b *between) CountDeliveries(ctx context.Context, accountID string, f store.DeliveryFilter) (int, error) {
	if b.count != nil {
		return 0, b.count
	}
	return b.Store.CountDeliveries(ctx, accountID, f)
}

func (b *between) SetState(ctx context.Context, accountID, id string, state delivery.State, reason delivery.Reason, at time.Time) (bool, error) {
	if b.beforeState != nil {
		b.beforeState()
	}
	return b.Store.SetState(ctx, accountID, id, state, reason, at)
}

func TestUpdatingToEnabledSendsWhatIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	must(w.UpdateEndpoint(t.Context(), w.user, manage.UpdateEndpoint{ID: e.ID, Enabled: pointer(false)}))(t)
	w.publish(e, 2, "")
	got := must(w.UpdateEndpoint(t.Context(), w.user, manage.UpdateEndpoint{ID: e.ID, Enabled: pointer(true)}))(t)
	if got.State != delivery.Enabled {
		t.Errorf("the endpoint is %s, want enabled", got.State)
	}
	jobs := must(w.ListJobs(t.Context(), w.user, manage.Page{}))(t).Rows
	if len(jobs) != 1 || jobs[0].Kind != store.JobRelease || jobs[0].Total != 2 || jobs[0].PerSecond != manage.DefaultPerSecond {
		t.Errorf("the jobs are %+v, want one that releases 2", jobs)
	}
}

func TestDisablingHoldsAndKeepsItsFirstReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	must(w.db.SetState(t.Context(), w.user.AccountID, e.ID, delivery.Disabled, delivery.ByFailures, e.CreatedAt))(t)
	got := must(w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: e.ID, Reason: "again"}))(t)
	if got.State != delivery.Disabled || got.DisabledReason != delivery.ByFailures {
		t.Errorf("got %s by %s, want disabled by failures", got.State, got.DisabledReason)
	}
}

func TestMistakesInEnablingAndDisabling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	for _, perSecond := range []int{-1, manage.MaxPerSecond + 1} {
		_, err := w.EnableEndpoint(t.Context(), w.user, manage.EnableEndpoint{ID: e.ID, Held: "all", PerSecond: perSecond})
		if diff := cmp.Diff([]string{"held", "per_second"}, invalid(t, err)); diff != "" {
			t.Errorf("%d a second (-want +got):\n%s", perSecond, diff)
		}
	}
	_, err := w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: e.ID, Reason: "a\x00"})
	if diff := cmp.Diff([]string{"reason"}, invalid(t, err)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := w.EnableEndpoint(t.Context(), w.user, manage.EnableEndpoint{ID: "ep_none"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("enable: got %v, want ErrNotFound", err)
	}
}

func TestAJobIsAnnouncedAsWorkOfNoEndpoint(t *testing.T) {
	t.Parallel()
	notes := &announced{}
	w := newWorld(t, func(c *manage.Config) { notes.Store, c.Store = c.Store, notes })
	e := w.endpoint(w.user)
	must(w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: e.ID}))(t)
	w.publish(e, 1, "")
	notes.heard = nil
	must(w.EnableEndpoint(t.Context(), w.user, manage.EnableEndpoint{ID: e.ID}))(t)
	want := []store.Note{
		{Kind: store.EndpointChanged, AccountID: w.user.AccountID, ID: e.ID},
		{Kind: store.WorkAdded, AccountID: w.user.AccountID},
	}
	if diff := cmp.Diff(want, notes.heard); diff != "" {
		t.Errorf("enabling (-want +got):\n%s", diff)
	}
	w.publish(e, 1, delivery.ServerError)
	notes.heard = nil
	must(w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{}))(t)
	if diff := cmp.Diff(want[1:], notes.heard); diff != "" {
		t.Errorf("a bulk retry (-want +got):\n%s", diff)
	}
}

// announced keeps what is announced.
type announced struct {
	manage.Store
	heard []store.Note
}

func (a *announced) Announce(_ context.Context, notes ...store.Note) error {
	a.heard = append(a.heard, notes...)
	return nil
}

func TestTheNodesAreToldWhatChanged(t *testing.T) {
	t.Parallel()
	notes := &announced{}
	w := newWorld(t, func(c *manage.Config) { notes.Store, c.Store = c.Store, notes })
	ctx, account := t.Context(), w.user.AccountID
	e := w.endpoint(w.user)
	failed := w.publish(e, 1, delivery.ServerError)[0]
	key := must(w.CreateKey(ctx, w.user, manage.CreateKey{Name: "ci", Scopes: []string{"read"}}))(t)
	tests := []struct {
		name string
		do   func() error
		want []store.Note
	}{
		{"a setting", func() error {
			_, err := w.UpdateEndpoint(ctx, w.user, manage.UpdateEndpoint{ID: e.ID, RateLimit: pointer(3)})
			return err
		}, []store.Note{{Kind: store.EndpointChanged, AccountID: account, ID: e.ID}, {Kind: store.WorkAdded, AccountID: account}}},
		{"a secret", func() error {
			_, err := w.RotateSecret(ctx, w.user, manage.RotateSecret{EndpointID: e.ID})
			return err
		}, []store.Note{{Kind: store.EndpointChanged, AccountID: account, ID: e.ID}}},
		{"a retry", func() error {
			_, err := w.RetryDelivery(ctx, w.user, failed)
			return err
		}, []store.Note{{Kind: store.WorkAdded, AccountID: account, ID: e.ID}}},
		{"a key", func() error {
			_, err := w.RevokeKey(ctx, w.user, manage.RevokeKey{ID: key.ID})
			return err
		}, []store.Note{{Kind: store.KeysChanged, AccountID: account, ID: key.ID}}},
		{"a type", func() error {
			_, err := w.CreateType(ctx, w.user, manage.CreateType{Name: "invoice.paid"})
			return err
		}, []store.Note{{Kind: store.EndpointChanged, AccountID: account}}},
		{"nothing", func() error {
			_, err := w.UpdateEndpoint(ctx, w.user, manage.UpdateEndpoint{ID: e.ID, RateLimit: pointer(3)})
			return err
		}, nil},
	}
	for _, tt := range tests {
		notes.heard = nil
		check(t, tt.do())
		if diff := cmp.Diff(tt.want, notes.heard); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
