package model_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// manageDelivery makes one of the steps of a person that concern deliveries.
func (w *world) manageDelivery(s step) (string, error) {
	nodes := w.living()
	n := nodes[s.how%len(nodes)]
	switch s.kind {
	case retry:
		return w.retry(n, s)
	case retryMany:
		return w.retryMany(n, s)
	case discard:
		return w.discard(n, s)
	case discardMany:
		return w.discardMany(n, s)
	case test:
		return w.test(n, s), nil
	}
	return w.trespass(n, s)
}

// choose picks a delivery in one of the statuses.
func (w *world) choose(n int, statuses ...delivery.Status) *deliveryRow {
	var all []*deliveryRow
	for _, d := range w.last.deliveries {
		if slices.Contains(statuses, d.status) {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b *deliveryRow) int { return cmp.Compare(a.id, b.id) })
	return all[n%len(all)]
}

func (w *world) retry(n *node, s step) (string, error) {
	from := []delivery.Status{delivery.Failed, delivery.Discarded, delivery.Delivered, delivery.Held, delivery.Retrying, delivery.Pending, delivery.Sending}
	d := w.choose(s.who, from[:1+s.how%len(from)]...)
	if d == nil {
		return "", nil
	}
	_, err := n.man.RetryDelivery(context.Background(), caller(d.account), d.id)
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.last.endpoints[d.endpoint]
	refused := d.cycle == delivery.Test || d.status == delivery.Sending || e == nil || e.state != delivery.Enabled
	if err == nil && refused {
		w.breaks(9, "%s was retried", d)
	}
	if err == nil {
		w.model.audited["delivery.retry"]++
		w.model.resent[d.id]++
		w.model.kicked[d.account] = time.Now()
		return fmt.Sprintf("%s retries %s", n.name, d), nil
	}
	if !refused || !errors.Is(err, store.ErrDisabled) && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	return fmt.Sprintf("%s does not retry %s: %v", n.name, d, err), nil
}

func (w *world) retryMany(n *node, s step) (string, error) {
	in := manage.RetryDeliveries{PerSecond: 1 + s.how%7}
	in.Filter.Statuses = [][]delivery.Status{nil, {delivery.Failed}, {delivery.Held, delivery.Failed}, {delivery.Delivered}, {delivery.Discarded}}[s.how%5]
	of := account(s.who)
	out, err := n.man.RetryDeliveries(context.Background(), caller(of), in)
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if out.Job != nil {
		w.model.audited["deliveries.retry"]++
		w.model.jobs[of]++
		w.model.kicked[of] = time.Now()
	}
	return fmt.Sprintf("%s retries what is %v of %s, %d a second: %d match, %d to be skipped", n.name, in.Filter.Statuses, of, in.PerSecond, out.Count, out.Skipped), nil
}

func (w *world) discard(n *node, s step) (string, error) {
	d := w.choose(s.who, delivery.Failed, delivery.Held, delivery.Retrying, delivery.Pending)
	if d == nil {
		return "", nil
	}
	_, err := n.man.DiscardDelivery(context.Background(), caller(d.account), manage.DiscardDelivery{ID: d.id, Reason: "not wanted"})
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.model.discarded[d.id] = true
	w.model.audited["delivery.discard"]++
	w.model.kicked[d.account] = time.Now()
	return fmt.Sprintf("%s discards %s", n.name, d), nil
}

// tooMany is why deliveries are discarded in bulk: what was discarded for it must be of an account that did so.
const tooMany = "there are too many"

func (w *world) discardMany(n *node, s step) (string, error) {
	in := manage.DiscardDeliveries{Reason: tooMany}
	in.Filter.Statuses = [][]delivery.Status{nil, {delivery.Held}, {delivery.Retrying, delivery.Failed}, {delivery.Pending, delivery.Held}}[s.how%4]
	of := account(s.who)
	out, err := n.man.DiscardDeliveries(context.Background(), caller(of), in)
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if out.Job != nil {
		w.model.audited["deliveries.discard"]++
		w.model.discardedMany[of] = true
		w.model.kicked[of] = time.Now()
	}
	return fmt.Sprintf("%s discards what is %v of %s: %d match", n.name, in.Filter.Statuses, of, out.Count), nil
}

// test sends a test, which a person waits for while other things go on.
func (w *world) test(n *node, s step) string {
	e := w.model.pick(s.who, nil)
	if e == nil {
		return ""
	}
	w.people.Go(func() {
		_, err := n.man.TestEndpoint(context.Background(), caller(e.account), manage.TestEndpoint{ID: e.id, Type: "domain.added"})
		w.mu.Lock()
		defer w.mu.Unlock()
		passing := errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrLeaseLost)
		if err != nil && !passing && !(errors.Is(err, store.ErrNotFound) && e.deleted) {
			w.broken = append(w.broken, fmt.Sprintf("a test of %s ended with: %v", e.name, err))
		}
	})
	return fmt.Sprintf("%s tests %s", n.name, e.name)
}

// trespass reaches for what belongs to the other account, in every way that a step knows.
func (w *world) trespass(n *node, s step) (string, error) {
	e := w.model.pick(s.who, nil)
	if e == nil {
		return "", nil
	}
	other := caller(accountB)
	if e.account == accountB {
		other = caller(store.DefaultAccount)
	}
	ctx := context.Background()
	tries := map[string]error{}
	_, tries["read"] = n.man.Endpoint(ctx, other, e.id)
	_, tries["disable"] = n.man.DisableEndpoint(ctx, other, manage.DisableEndpoint{ID: e.id})
	_, tries["delete"] = n.man.DeleteEndpoint(ctx, other, manage.DeleteEndpoint{ID: e.id})
	_, tries["rotate"] = n.man.RotateSecret(ctx, other, manage.RotateSecret{EndpointID: e.id})
	_, tries["test"] = n.man.TestEndpoint(ctx, other, manage.TestEndpoint{ID: e.id})
	for id, d := range w.last.deliveries {
		if d.account == e.account {
			_, tries["read a delivery"] = n.man.Delivery(ctx, other, id)
			_, tries["retry a delivery"] = n.man.RetryDelivery(ctx, other, id)
			_, tries["discard a delivery"] = n.man.DiscardDelivery(ctx, other, manage.DiscardDelivery{ID: id, Reason: "x"})
			break
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.findings.checked(18)
	for what, err := range tries {
		if !errors.Is(err, store.ErrNotFound) {
			w.breaks(18, "account %s could %s of %s: %v", other.AccountID, what, e.account, err)
		}
	}
	return fmt.Sprintf("%s reaches for %s of %s", other.AccountID, e.name, e.account), nil
}
