package model_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// saboteur breaks one promise of the store on purpose: each of its functions, where set,
// stands in for a method.
type saboteur struct {
	store.Store
	publish func(*store.Batch) ([]store.Published, error)
	claim   func(store.Claim) ([]store.Claimed, error)
	record  func(delivery.Policy, []store.Result) ([]store.Recorded, error)
	back    func([]delivery.Lease, time.Time) error
	lane    func(string, time.Time) (store.Lane, error)
	state   func(id string, s delivery.State) (delivery.State, bool)
	old     func(before time.Time) time.Time
	audit   func() bool
	account func(string) string
	view    func(*store.EndpointView)

	rewind func() bool
}

func (s *saboteur) Publish(ctx context.Context, b *store.Batch) ([]store.Published, error) {
	if s.publish != nil {
		return s.publish(b)
	}
	return s.Store.Publish(ctx, b)
}

func (s *saboteur) Claim(ctx context.Context, c store.Claim) ([]store.Claimed, error) {
	if s.claim != nil {
		return s.claim(c)
	}
	return s.Store.Claim(ctx, c)
}

func (s *saboteur) Record(ctx context.Context, p delivery.Policy, all []store.Result) ([]store.Recorded, error) {
	if s.record != nil {
		return s.record(p, all)
	}
	return s.Store.Record(ctx, p, all)
}

func (s *saboteur) Return(ctx context.Context, all []delivery.Lease, now time.Time) error {
	if s.back != nil {
		return s.back(all, now)
	}
	return s.Store.Return(ctx, all, now)
}

func (s *saboteur) Lane(ctx context.Context, id string, now time.Time) (store.Lane, error) {
	if s.lane != nil {
		return s.lane(id, now)
	}
	return s.Store.Lane(ctx, id, now)
}

func (s *saboteur) SetState(ctx context.Context, account, id string, state delivery.State, reason delivery.Reason, now time.Time) (bool, error) {
	if s.state != nil {
		other, skip := s.state(id, state)
		if skip {
			return true, nil
		}
		state = other
	}
	return s.Store.SetState(ctx, account, id, state, reason, now)
}

func (s *saboteur) DeleteOld(ctx context.Context, before time.Time, limit int) (int, error) {
	if s.old != nil {
		before = s.old(before)
	}
	return s.Store.DeleteOld(ctx, before, limit)
}

func (s *saboteur) AddAudit(ctx context.Context, e store.AuditEntry) error {
	if s.audit != nil && s.audit() {
		return nil
	}
	return s.Store.AddAudit(ctx, e)
}

func (s *saboteur) Endpoint(ctx context.Context, account, id string) (store.EndpointView, error) {
	if s.account != nil {
		account = s.account(id)
	}
	v, err := s.Store.Endpoint(ctx, account, id)
	if s.view != nil {
		s.view(&v)
	}
	return v, err
}

func (s *saboteur) Rewind(ctx context.Context, p delivery.Policy, now, beyond time.Time) (int, error) {
	if s.rewind != nil && s.rewind() {
		return 0, nil
	}
	return s.Store.Rewind(ctx, p, now, beyond)
}

// sabotages are ways to break the store, each with the invariant that must be found broken.
// They say what a real fault of that kind would look like from outside.
var sabotages = map[string]struct {
	breaks []string // one of them
	how    func(*saboteur)
}{
	"an endpoint is left out of the fan-out": {[]string{"I2"}, func(s *saboteur) {
		s.publish = func(b *store.Batch) ([]store.Published, error) {
			for i, e := range b.Events {
				if len(e.Deliveries) > 1 {
					b.Events[i].Deliveries = e.Deliveries[:1]
				}
			}
			return s.Store.Publish(context.Background(), b)
		}
	}},
	// I4: a first attempt that was leased with its event leaves although nothing of it is on disk.
	// I17: the key of such an event is not known, so that it is accepted again as another.
	"events are acknowledged that were not written": {[]string{"I1", "I4", "I17"}, func(s *saboteur) {
		var published atomic.Int64 // some are published at the same time
		s.publish = func(b *store.Batch) ([]store.Published, error) {
			n := int(published.Add(1))
			if n%7 != 0 || len(b.Events) > 1 {
				return s.Store.Publish(context.Background(), b)
			}
			e := &b.Events[0]
			p := store.Published{EventID: e.ID, Type: e.Type, CreatedAt: e.CreatedAt}
			for i := range e.Deliveries {
				e.Deliveries[i].ID = delivery.ID(900_000 + 10*n + i)
				p.Deliveries = append(p.Deliveries, store.DeliveryRef{ID: e.Deliveries[i].ID, EndpointID: e.Deliveries[i].EndpointID})
			}
			return []store.Published{p}, nil
		}
	}},
	"the Idempotency-Key is not looked at": {[]string{"I17", "I2"}, func(s *saboteur) {
		s.publish = func(b *store.Batch) ([]store.Published, error) {
			for i := range b.Events {
				b.Events[i].Key = ""
			}
			return s.Store.Publish(context.Background(), b)
		}
	}},
	"a lease is given twice": {[]string{"I3", "I5"}, func(s *saboteur) {
		s.claim = func(c store.Claim) ([]store.Claimed, error) {
			got, err := s.Store.Claim(context.Background(), c)
			for i := range got {
				if got[i].State == delivery.Enabled && !got[i].Health.Narrow() {
					got[i].Leases = append(got[i].Leases, got[i].Leases...)
				}
			}
			return got, err
		}
	}},
	"what is claimed is not written": {[]string{"I4"}, func(s *saboteur) {
		s.claim = func(c store.Claim) ([]store.Claimed, error) {
			got, err := s.Store.Claim(context.Background(), c)
			for i := range got {
				for j := range got[i].Leases {
					got[i].Leases[j].Token++
				}
			}
			return got, err
		}
	}},
	"an attempt number is used again": {[]string{"I3", "I4", "I5"}, func(s *saboteur) {
		s.claim = func(c store.Claim) ([]store.Claimed, error) {
			got, err := s.Store.Claim(context.Background(), c)
			for i := range got {
				for j := range got[i].Leases {
					if l := &got[i].Leases[j]; l.Attempt > 1 {
						l.Attempt--
					}
				}
			}
			return got, err
		}
	}},
	"retries are due at once": {[]string{"I6", "I7"}, func(s *saboteur) {
		s.record = func(p delivery.Policy, all []store.Result) ([]store.Recorded, error) {
			for i := range all {
				if all[i].Change.Status == delivery.Retrying {
					all[i].Change.DueAt = all[i].Attempt.EndedAt
				}
			}
			return s.Store.Record(context.Background(), p, all)
		}
	}},
	"Retry-After is not bounded": {[]string{"I7"}, func(s *saboteur) {
		s.record = func(p delivery.Policy, all []store.Result) ([]store.Recorded, error) {
			for i := range all {
				if r := &all[i]; r.Change.Status == delivery.Retrying && r.Attempt.RetryAfter > 24*time.Hour {
					r.Change.DueAt = r.Attempt.EndedAt.Add(r.Attempt.RetryAfter)
				}
			}
			return s.Store.Record(context.Background(), p, all)
		}
	}},
	"our own faults use up the schedule": {[]string{"I8"}, func(s *saboteur) {
		s.record = func(p delivery.Policy, all []store.Result) ([]store.Recorded, error) {
			for i := range all {
				if all[i].Attempt.Class.Ours() && all[i].Change.Status == delivery.Retrying {
					all[i].Change.Used++
				}
			}
			return s.Store.Record(context.Background(), p, all)
		}
	}},
	"the token is not looked at": {[]string{"I16", "I9", "I5", "I4", "the history could not go on"}, func(s *saboteur) {
		tokens := &tokens{of: map[delivery.ID]int64{}}
		s.claim = func(c store.Claim) ([]store.Claimed, error) {
			got, err := s.Store.Claim(context.Background(), c)
			for i := range got {
				tokens.note(got[i].Leases)
			}
			return got, err
		}
		s.record = func(p delivery.Policy, all []store.Result) ([]store.Recorded, error) {
			for i := range all {
				all[i].Lease.Token = tokens.now(all[i].Lease)
			}
			return s.Store.Record(context.Background(), p, all)
		}
	}},
	"disabling is answered and not done": {[]string{"I10"}, func(s *saboteur) {
		s.state = func(_ string, to delivery.State) (delivery.State, bool) { return to, to == delivery.Disabled }
	}},
	"what is returned is not given up": {[]string{"I27"}, func(s *saboteur) {
		s.back = func([]delivery.Lease, time.Time) error { return nil }
	}},
	"an old secret goes on signing": {[]string{"I14"}, func(s *saboteur) {
		s.lane = func(id string, now time.Time) (store.Lane, error) {
			return s.Store.Lane(context.Background(), id, now.Add(-time.Hour))
		}
	}},
	"the wrong secret is the current one": {[]string{"I12", "I14"}, func(s *saboteur) {
		s.lane = func(id string, now time.Time) (store.Lane, error) {
			l, err := s.Store.Lane(context.Background(), id, now)
			if n := len(l.Secrets); n > 1 {
				l.Secrets[0], l.Secrets[n-1] = l.Secrets[n-1], l.Secrets[0]
			}
			return l, err
		}
	}},
	"the bytes change between attempts": {[]string{"I13"}, func(s *saboteur) {
		s.claim = func(c store.Claim) ([]store.Claimed, error) {
			got, err := s.Store.Claim(context.Background(), c)
			for i := range got {
				for j, l := range got[i].Leases {
					got[i].Leases[j].Body = append([]byte{' '}, l.Body...)
				}
			}
			return got, err
		}
	}},
	"what was delivered is sent again": {[]string{"I15", "I9"}, func(s *saboteur) {
		s.record = func(p delivery.Policy, all []store.Result) ([]store.Recorded, error) {
			for i := range all {
				if r := &all[i]; r.Attempt.Class == delivery.OK && r.Lease.Cycle != delivery.Test && r.Lease.Attempt < 3 {
					r.Change.Status, r.Change.DueAt = delivery.Retrying, r.Attempt.EndedAt
				}
			}
			return s.Store.Record(context.Background(), p, all)
		}
	}},
	"the limit of an endpoint is not kept": {[]string{"I20"}, func(s *saboteur) {
		s.lane = func(id string, now time.Time) (store.Lane, error) {
			l, err := s.Store.Lane(context.Background(), id, now)
			l.Endpoint.Concurrency = 100
			return l, err
		}
	}},
	"one account sees another's endpoints": {[]string{"I18"}, func(s *saboteur) {
		s.account = func(id string) string {
			for _, account := range []string{store.DefaultAccount, accountB} {
				if _, err := s.Store.Endpoint(context.Background(), account, id); err == nil {
					return account
				}
			}
			return ""
		}
	}},
	"what is for a disabled endpoint is dropped": {[]string{"I1", "I11"}, func(s *saboteur) {
		s.publish = func(b *store.Batch) ([]store.Published, error) {
			for i := range b.Events {
				for j := range b.Events[i].Deliveries {
					if d := &b.Events[i].Deliveries[j]; d.Status == delivery.Held {
						d.Status = delivery.Discarded
					}
				}
			}
			return s.Store.Publish(context.Background(), b)
		}
	}},
	"a count is wrong by one": {[]string{"I22"}, func(s *saboteur) {
		s.view = func(v *store.EndpointView) { v.Failed++ }
	}},
	"the audit is not written": {[]string{"I24"}, func(s *saboteur) {
		s.audit = func() bool { return true }
	}},
	"retention takes what is young": {[]string{"I25"}, func(s *saboteur) {
		s.old = func(before time.Time) time.Time { return before.Add(48 * time.Hour) }
	}},
	"what lies ahead of a clock that was put back is left there": {[]string{"I26"}, func(s *saboteur) {
		s.rewind = func() bool { return true }
	}},
	"what is due is not given": {[]string{"I19", "I26", "I1", "I11"}, func(s *saboteur) {
		s.claim = func(c store.Claim) ([]store.Claimed, error) {
			for i := range c.Wants {
				c.Wants[i].Max = 0
			}
			return s.Store.Claim(context.Background(), c)
		}
	}},
}

// tokens remembers the newest token of each delivery.
type tokens struct {
	mu sync.Mutex
	of map[delivery.ID]int64
}

func (t *tokens) note(leases []delivery.Lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range leases {
		t.of[l.ID] = l.Token
	}
}

func (t *tokens) now(l delivery.Lease) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if token, ok := t.of[l.ID]; ok {
		return token
	}
	return l.Token
}

// mostTries is how many histories a sabotage may take to be noticed.
const mostTries = 60

func TestTheModelNoticesAStoreThatBreaksItsPromises(t *testing.T) {
	t.Parallel()
	for name, one := range sabotages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp(pgtest.Memory(), "compliancelayer-model-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			for i := range mostTries {
				w := &world{database: filepath.Join(dir, string(rune('a'+i%26))+"-"+time.Duration(i).String(), "model.db"), findings: newFindings()}
				w.sabotage = func(s store.Store) store.Store {
					broken := &saboteur{Store: s}
					one.how(broken)
					return broken
				}
				problem := within(t, w, histories(option[int](opsFlag)).Example(i))
				if problem == "" {
					continue
				}
				for _, want := range one.breaks {
					if strings.HasPrefix(problem, want+" ") || strings.HasPrefix(problem, want+":") {
						t.Logf("noticed in history %d", i)
						return
					}
				}
				t.Fatalf("noticed as %q, want %v", problem[:min(len(problem), 600)], one.breaks)
			}
			t.Errorf("not noticed in %d histories", mostTries)
		})
	}
}
