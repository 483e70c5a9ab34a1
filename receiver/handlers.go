package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// handler takes events of any type.
type handler = func(context.Context, Event[json.RawMessage]) error

// handlers are the handlers by type of event.
type handlers struct {
	mu     sync.RWMutex
	byType map[string]handler
	test   handler
	rest   handler
	log    *slog.Logger
}

// OnScanCompleted sets what is done when a domain scan ended well.
func (r *Receiver) OnScanCompleted(handle func(context.Context, Event[ScanCompleted]) error) {
	On(r, "scan.completed", handle)
}

// OnAlertTriggered sets what is done when an alert condition is met.
func (r *Receiver) OnAlertTriggered(handle func(context.Context, Event[AlertTriggered]) error) {
	On(r, "alert.triggered", handle)
}

// OnScoreChanged sets what is done when a domain's score moved.
func (r *Receiver) OnScoreChanged(handle func(context.Context, Event[ScoreChanged]) error) {
	On(r, "score.changed", handle)
}

// OnDomainAdded sets what is done when a domain was added.
func (r *Receiver) OnDomainAdded(handle func(context.Context, Event[DomainAdded]) error) {
	On(r, "domain.added", handle)
}

// OnDomainRemoved sets what is done when a domain was removed.
func (r *Receiver) OnDomainRemoved(handle func(context.Context, Event[DomainRemoved]) error) {
	On(r, "domain.removed", handle)
}

// OnTest sets what is done with test events, of any type. They go to no other handler,
// so that a test wakes nobody and its missing numbers count nothing. Without OnTest
// they are logged.
func (r *Receiver) OnTest(handle func(context.Context, Event[Test]) error) {
	r.handlers.set(&r.handlers.test, "test events", typed(handle))
}

// OnOther sets what is done with events of the types that have no handler of their
// own. Without it they are answered with 200 and logged.
func (r *Receiver) OnOther(handle func(context.Context, Event[json.RawMessage]) error) {
	r.handlers.set(&r.handlers.rest, "other events", handle)
}

// On sets what is done with events of a type, such as one that an account registered.
// Their data is read into a T by its JSON tags. It panics when the type has a handler,
// as http.ServeMux does.
func On[T any](r *Receiver, eventType string, handle func(context.Context, Event[T]) error) {
	r.handlers.mu.Lock()
	defer r.handlers.mu.Unlock()
	if r.handlers.byType == nil {
		r.handlers.byType = map[string]handler{}
	}
	if r.handlers.byType[eventType] != nil {
		panic("receiver: " + eventType + " has a handler already")
	}
	r.handlers.byType[eventType] = typed(handle)
}

func (h *handlers) set(place *handler, what string, handle handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if *place != nil {
		panic("receiver: " + what + " have a handler already")
	}
	*place = handle
}

// typed makes a handler of any data out of one of a T.
func typed[T any](handle func(context.Context, Event[T]) error) handler {
	return func(ctx context.Context, e Event[json.RawMessage]) error {
		event, err := Typed[T](e)
		if err != nil {
			return Permanent(err)
		}
		return handle(ctx, event)
	}
}

// Typed reads the data of an event into a T. Numbers may be written in any way that
// JSON has, such as 85.0; what is missing or null is the zero value.
func Typed[T any](e Event[json.RawMessage]) (Event[T], error) {
	event := Event[T]{
		ID: e.ID, Type: e.Type, CreatedAt: e.CreatedAt, Raw: e.Raw, Body: e.Body, Test: e.Test, DeliveryID: e.DeliveryID,
		ReceivedAt: e.ReceivedAt, Try: e.Try, Unsure: e.Unsure, Tx: e.Tx,
	}
	err := json.Unmarshal(e.Raw, &event.Data)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if plain, changed := plainNumbers(e.Raw); changed {
			event.Data = *new(T)
			err = json.Unmarshal(plain, &event.Data)
		}
		if err != nil {
			return event, fmt.Errorf("data.%s of the event is a %s, which does not fit", wrong.Field, wrong.Value)
		}
	}
	if err != nil {
		return event, fmt.Errorf("the data of the event does not fit: %w", err)
	}
	return event, nil
}

// Untyped is the event with its data as it was sent: what the Handle of the integrations
// takes, so that a handler of one type can pass its events on to them.
func (e Event[T]) Untyped() Event[json.RawMessage] {
	return Event[json.RawMessage]{
		ID: e.ID, Type: e.Type, CreatedAt: e.CreatedAt, Data: e.Raw, Raw: e.Raw, Body: e.Body, Test: e.Test, DeliveryID: e.DeliveryID,
		ReceivedAt: e.ReceivedAt, Try: e.Try, Unsure: e.Unsure, Tx: e.Tx,
	}
}

// handle gives an event to the handler that is for it.
func (h *handlers) handle(ctx context.Context, e Event[json.RawMessage]) error {
	h.mu.RLock()
	handle := h.byType[e.Type]
	switch {
	case e.Test:
		handle = h.test
	case handle == nil:
		handle = h.rest
	}
	h.mu.RUnlock()
	if handle == nil {
		h.log.Info("event has no handler", slog.String("event_id", e.ID), slog.String("type", e.Type), slog.Bool("test", e.Test))
		return nil
	}
	return handle(ctx, e)
}
