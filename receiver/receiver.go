package receiver

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// Receiver takes events in and hands them to handlers. It is an [http.Handler], for
// any router, and a prometheus.Collector. Handlers are set before the first request.
type Receiver struct {
	config   Config
	log      *slog.Logger
	store    Store
	handlers handlers
	metrics  *metrics
	secrets  atomic.Pointer[[]webhook.Secret]

	puts *group[[]Item, bool] // the items of one event; whether any of them is new
	ends *group[End, bool]    // whether its lease is lost

	running atomic.Bool // Run works events off
	idle    sync.Once   // it was said that nothing does

	mu     sync.Mutex
	lanes  map[string]*lane // those that Run works off
	set    chan struct{}    // Run looks at the lanes again
	ending []*lane          // were stopped, and have perhaps not ended
	want   []Lane

	inlineRuns runs
	inHand     sync.Map // ids of the events that inline handlers run for
	refused    sparing
}

// New makes a receiver. Its store stays the caller's to close, after Run has returned.
func New(config Config) (*Receiver, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	r := &Receiver{
		config: config, log: config.Logger, store: config.Store,
		lanes: map[string]*lane{}, set: make(chan struct{}, 1),
	}
	r.handlers.log = r.log
	r.metrics = newMetrics(r.store)
	r.secrets.Store(new(slices.Clone(config.Secrets)))
	r.puts = newGroup(r.putAll)
	r.ends = newGroup(r.recordAll)
	r.want = []Lane{{
		Workers: config.Workers, Attempts: config.Attempts, Backoff: config.Backoff, Timeout: config.Timeout,
		Handle: r.handlers.handle,
	}}
	return r, nil
}

// SetSecrets replaces the secrets, while requests come in: those that a rotation made.
func (r *Receiver) SetSecrets(secrets ...webhook.Secret) error {
	if err := checkSecrets(secrets); err != nil {
		return err
	}
	r.secrets.Store(new(slices.Clone(secrets)))
	return nil
}

// storeTime bounds one call of the store.
const storeTime = 10 * time.Second

// putAll keeps the items of several events, and tells of each event whether it was
// new in any of its lanes.
func (r *Receiver) putAll(events [][]Item) ([]bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	var all []Item
	for _, items := range events {
		all = append(all, items...)
	}
	fresh, err := r.store.Put(ctx, all)
	if err == nil && len(fresh) != len(all) {
		err = fmt.Errorf("of %d items the store tells of %d", len(all), len(fresh))
	}
	if err != nil {
		return nil, fmt.Errorf("keep events: %w", err)
	}
	r.wake(all) // once for all of them: each look at what is due costs as much as an event
	news := make([]bool, len(events))
	for i, items := range events {
		for range items {
			news[i] = news[i] || fresh[0]
			fresh = fresh[1:]
		}
	}
	return news, nil
}

func (r *Receiver) recordAll(ends []End) ([]bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	lost, err := r.store.Record(ctx, ends)
	if err == nil && len(lost) != len(ends) {
		err = fmt.Errorf("of %d ends the store tells of %d", len(ends), len(lost))
	}
	if err != nil {
		return nil, fmt.Errorf("write how events ended: %w", err)
	}
	return lost, nil
}

// record writes the end of a try, again and again while the store does not take it:
// what was done must not be done twice because of a short trouble. It gives up when
// the lease is certainly over, and soon when ctx has ended.
func (r *Receiver) record(ctx context.Context, end End, lease time.Duration) {
	const first, longest, atStop = 100 * time.Millisecond, 5 * time.Second, 5 * time.Second
	begin := time.Now()
	for pause := first; ; pause = min(2*pause, longest) {
		lost, err := r.ends.do(end)
		if err == nil {
			if lost {
				r.log.Warn("an event was taken over while it was handled: its end came too late", slog.String("event_id", end.Key.ID), slog.String("lane", end.Key.Lane))
			}
			return
		}
		if waited := time.Since(begin); waited > lease || (waited > atStop && ctx.Err() != nil) {
			r.log.Error("the end of an event could not be written: it will be handled again", slog.String("event_id", end.Key.ID), slog.String("lane", end.Key.Lane), slog.Any("error", err))
			return
		}
		time.Sleep(pause)
	}
}

// eventFrom makes what a handler gets of an item.
func eventFrom(item Item) (Event[json.RawMessage], error) {
	event, err := eventOf(item.Body)
	if err != nil {
		return event, err
	}
	event.DeliveryID, event.ReceivedAt = item.DeliveryID, item.ReceivedAt.UTC()
	event.Try, event.Unsure = item.Tries, item.Unsure
	return event, nil
}
