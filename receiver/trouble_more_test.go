package receiver_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/memstore"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// leaseLost is a TxStore in which somebody else has the item by now.
type leaseLost struct{ receiver.Store }

func (leaseLost) EndInTx(context.Context, receiver.End, func(receiver.Tx) error) error {
	return receiver.ErrLeaseLost
}

// Inline and InTx, the lease lost: this copy has done nothing.
func TestInlineDoesNotSayDoneForWhatAnotherCopyMayFailToDo(t *testing.T) {
	t.Parallel()
	k := newKit(t, receiver.Config{Inline: true, InTx: true, Store: leaseLost{memstore.New(nil)}})
	var runs atomic.Int32
	k.OnOther(func(context.Context, rawEvent) error { runs.Add(1); return nil })
	if a := k.send(webhooktest.NewEvent("backup.ended", `{}`)); a.Code == 200 {
		t.Errorf("the handler ran %d times, and the answer is %d %q", runs.Load(), a.Code, a.Body)
	}
}

// An event that failed for good and is sent again by hand at the sender.
func TestAnEventThatFailedIsTakenAgainWhenItIsSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got calls
		k := newKit(t, receiver.Config{})
		k.OnOther(func(_ context.Context, e rawEvent) error {
			if got.add(e) == 1 {
				return receiver.Permanent(errors.New("broken"))
			}
			return nil
		})
		k.start()
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.send(event)
		pass(time.Minute)
		a := k.send(event)
		pass(time.Minute)
		t.Logf("answered %d %s; handled %s times; %s", a.Code, a.Body, strconv.Itoa(len(got.all())), k.item(event.ID).Status)
		if len(got.all()) != 2 {
			t.Error("the event is failed here, and delivered at the sender, whatever is pressed there")
		}
		k.halt()
	})
}

// InTx, a commit that fails because of what the handler did.
func TestInTxACommitThatAlwaysFailsIsAnAttempt(t *testing.T) {
	t.Parallel()
	store, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	k := newKit(t, receiver.Config{Store: store, InTx: true, Backoff: time.Millisecond, Timeout: 20 * time.Millisecond})
	k.OnOther(func(ctx context.Context, _ rawEvent) error {
		<-ctx.Done() // always a little too long, and it says that all is well
		return nil
	})
	event := webhooktest.NewEvent("backup.ended", `{}`)
	k.send(event)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = k.Run(ctx) }()
	item := k.item(event.ID)
	for ; item.Status != receiver.Failed; item = k.item(event.ID) {
		// On a machine that is busy a try may be over before its handler began, which counts
		// for nothing.
		if item.Tries > 10 {
			t.Errorf("after so many attempts: %s, tries %d, failures %d: %s", item.Status, item.Tries, item.Failures, item.Error)
			break
		}
		breathe()
	}
	stop()
	<-ended
}

// hanging is a store whose writes take until their context ends.
type hanging struct {
	receiver.Store
	put, record atomic.Bool
}

func (h *hanging) Put(ctx context.Context, items []receiver.Item) ([]bool, error) {
	if h.put.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.Store.Put(ctx, items)
}

func (h *hanging) Record(ctx context.Context, ends []receiver.End) ([]bool, error) {
	if h.record.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.Store.Record(ctx, ends)
}

// A store that hangs, and many requests.
func TestAStoreThatHangsIsAnsweredWith503WithinThePatienceOfTheSender(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &hanging{Store: memstore.New(nil)}
		store.put.Store(true)
		k := newKit(t, receiver.Config{Store: store})
		begin := time.Now()
		var longest atomic.Int64
		var all sync.WaitGroup
		for range 3000 {
			all.Go(func() {
				k.send(webhooktest.NewEvent("backup.ended", `{}`))
				longest.Store(max(longest.Load(), int64(time.Since(begin))))
			})
		}
		all.Wait()
		if d := time.Duration(longest.Load()); d > 30*time.Second {
			t.Errorf("of 3000 requests the last was answered after %v", d)
		}
	})
}

// A store that hangs while the program ends.
func TestRunEndsSoonAfterItsGraceWhenTheStoreHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &hanging{Store: memstore.New(nil)}
		k := newKit(t, receiver.Config{Store: store})
		k.OnOther(func(ctx context.Context, e rawEvent) error { time.Sleep(time.Second); return nil })
		k.start()
		k.publish(1)
		store.record.Store(true)
		begin := time.Now()
		k.halt()
		if d := time.Since(begin); d > 30*time.Second {
			t.Errorf("a handler of a second, the store hangs: Run returned %v after it was to end", d)
		}
	})
}

// Inline, a handler that hangs: every copy starts one more.
func TestInlineAHandlerThatHangsIsNotRunTwiceAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var at, most atomic.Int32
		k := newKit(t, receiver.Config{Inline: true})
		k.OnOther(func(ctx context.Context, e rawEvent) error {
			most.Store(max(most.Load(), at.Add(1)))
			<-release
			at.Add(-1)
			return nil
		})
		event := webhooktest.NewEvent("backup.ended", `{}`)
		for range 5 {
			k.send(event)
			pass(time.Minute)
		}
		if most.Load() > 1 {
			t.Errorf("the handler of one event ran %d times at once", most.Load())
		}
		close(release)
		synctest.Wait()
	})
}

// Inline, Permanent.
func TestInlinePermanentIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	k := newKit(t, receiver.Config{Inline: true})
	k.OnOther(func(context.Context, rawEvent) error { return receiver.Permanent(errors.New("of no use")) })
	a := k.send(webhooktest.NewEvent("backup.ended", `{}`))
	if a.Code >= 500 {
		t.Errorf("%d %s: the sender repeats it to the end of its schedule; failure.go says: 'The event is failed at once'", a.Code, a.Body)
	}
}

// A route that is taken out and put back while its handler runs.
func TestALaneThatGoesAndComesBackIsWorkedOffByOneOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at, most atomic.Int32
		a := receiver.Lane{Name: "a", Ordered: true, Handle: func(context.Context, rawEvent) error {
			most.Store(max(most.Load(), at.Add(1)))
			time.Sleep(10 * time.Second)
			at.Add(-1)
			return nil
		}}
		b := receiver.Lane{Name: "b", Handle: func(context.Context, rawEvent) error { return nil }}
		k := newKit(t, receiver.Config{Route: func(rawEvent) []string { return []string{"a"} }})
		if err := k.SetLanes(a); err != nil {
			t.Fatal(err)
		}
		k.start()
		k.publish(3)
		for _, lanes := range [][]receiver.Lane{{b}, {a}} { // kill -HUP, twice
			if err := k.SetLanes(lanes...); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
		}
		pass(time.Minute)
		if most.Load() > 1 {
			t.Errorf("an ordered lane handled %d at once after it was taken out and put back", most.Load())
		}
		k.halt()
	})
}

// A handler that does not look at its context keeps its lane from being changed.
func TestALaneThatCannotStartSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		a := receiver.Lane{Name: "a", Timeout: time.Minute, Handle: func(context.Context, rawEvent) error { <-hung; return nil }}
		k := newKit(t, receiver.Config{Route: func(rawEvent) []string { return []string{"a"} }})
		if err := k.SetLanes(a); err != nil {
			t.Fatal(err)
		}
		k.start()
		k.publish(1)
		pass(time.Second)
		if err := k.SetLanes(a); err != nil {
			t.Fatal(err)
		}
		const words = "a lane does not start"
		pass(time.Minute)
		if strings.Contains(k.logs.String(), words) {
			t.Error("it is said while the handler may go on")
		}
		pass(time.Minute)
		if n := strings.Count(k.logs.String(), words); n != 1 {
			t.Errorf("it is said %d times, want once:\n%s", n, k.logs)
		}
		close(hung)
		k.halt()
	})
}

func TestTheCallersSliceOfSecretsIsTheCallers(t *testing.T) {
	t.Parallel()
	list := []webhook.Secret{webhook.NewSecret()}
	k := newKit(t, receiver.Config{Secrets: list})
	k.secret = list[0]
	list[0] = webhook.NewSecret()
	k.want(k.send(webhooktest.NewEvent("backup.ended", `{}`)), 200, "an event signed with the secret that was given")
}

// Run may end while requests come in: it says only that events would wait.
func TestRunMayEndWhileInlineRequestsComeIn(t *testing.T) {
	for range 40 {
		secret := webhook.NewSecret()
		r, err := receiver.New(receiver.Config{Inline: true, Store: memstore.New(nil), Secrets: []webhook.Secret{secret}})
		if err != nil {
			t.Fatal(err)
		}
		r.OnOther(func(context.Context, rawEvent) error { return nil })
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		begun := make(chan bool, 100)
		for range 8 {
			all.Go(func() {
				for range 40 {
					req := webhooktest.NewRequest(t, "/", secret, webhooktest.NewEvent("a.b", `{}`))
					r.ServeHTTP(discard{}, req)
					select {
					case begun <- true:
					default:
					}
				}
			})
		}
		all.Go(func() {
			<-begun
			stop()
		})
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
		all.Wait()
	}
}

// discard takes an answer that nobody looks at.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// Names are compared exactly, as in the libraries of the other languages.
func TestOnlyTestIsTest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got calls
		k := newKit(t, receiver.Config{})
		k.OnOther(func(_ context.Context, e rawEvent) error {
			got.add(e)
			return nil
		})
		k.start()
		k.send(webhooktest.NewEvent("backup.ended", `{"TEST":true}`))
		k.send(webhooktest.NewEvent("backup.ended", `{"test":false,"Test":true}`))
		pass(time.Minute)
		if n := len(got.all()); n != 2 {
			t.Errorf("%d of 2 were handled: the others were taken for tests", n)
		}
		k.halt()
	})
}
