package model_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// lag is how long a node may go by what it knows of an endpoint or of the clock when it was not told
// of a change: how long it trusts what it read, a look at the due times, and a moment.
const lag = 10*time.Second + scanEvery + time.Second

// arrive takes a request in, checks everything that must hold in this moment, and says
// what becomes of it. The request of a node that is dead does not leave.
func (w *world) arrive(n *node, l delivery.Lease, r delivery.Request) (*try, bool) {
	row, state := w.onDisk(l)
	now := n.disp.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.dead {
		return nil, false
	}
	e := w.model.byID[l.EndpointID]
	t := &try{lease: l, node: n, endpoint: e, answer: e.answer, began: time.Now()}
	w.checkLogged(t, row)
	w.checkAlone(t, now)
	w.checkReceives(t, state, now)
	w.checkRoom(t, state, now)
	if !t.answer.missing {
		w.checkSigned(t, r, now)
	}
	w.findings.requests++
	w.model.tries[l.ID] = append(w.model.tries[l.ID], t)
	return t, true
}

// onDisk reads what is committed about a lease and its endpoint.
func (w *world) onDisk(l delivery.Lease) (deliveryRow, endpointRow) {
	w.reading.Lock()
	defer w.reading.Unlock()
	return w.tables.leased(context.Background(), l.ID)
}

// checkLogged: what leaves is on disk as being sent, with this number, by this node, under this lease.
func (w *world) checkLogged(t *try, row deliveryRow) {
	w.findings.checked(4)
	if jumped, back := w.jumped(t.began.Add(-w.policy.Lease())); jumped > 0 || back {
		return // the lease may have ended by a clock of which the node has not heard
	}
	if row.status != delivery.Sending || row.attempts != t.lease.Attempt || row.token != t.lease.Token || row.node != t.node.name {
		w.breaks(4, "attempt %d of delivery %d left %s under the token %d, and on disk is: %s, attempt %d, token %d of %s",
			t.lease.Attempt, t.lease.ID, t.node.name, t.lease.Token, row.status, row.attempts, row.token, row.node)
	}
}

// checkAlone: a number is on the wire once, and no two leases of a delivery hold at a time.
func (w *world) checkAlone(t *try, now time.Time) {
	w.findings.checked(3)
	forward, back := w.jumped(t.began.Add(-2 * w.policy.Lease()))
	for _, o := range w.model.tries[t.lease.ID] {
		if o.lease.Attempt == t.lease.Attempt {
			w.breaks(3, "attempt %d of delivery %d was sent by %s and again by %s", t.lease.Attempt, t.lease.ID, o.node.name, t.node.name)
		}
		ended := !o.ended.IsZero() || !w.shared && o.node.dead
		if !ended && o.lease.Until.After(now) && forward == 0 && !back {
			w.breaks(3, "attempt %d of delivery %d began while the lease of attempt %d held until %s", t.lease.Attempt, t.lease.ID, o.lease.Attempt, o.lease.Until)
		}
	}
}

// checkReceives: nothing is sent to what was stopped, but for tests.
func (w *world) checkReceives(t *try, disk endpointRow, now time.Time) {
	w.findings.checked(10)
	unheard := w.calm() < lag
	if e := t.endpoint; e.deleted || e.stopped && t.lease.Cycle != delivery.Test {
		if w.unheard() && time.Since(e.since) < lag || t.lease.Cycle == delivery.Test && time.Since(e.since) < time.Second {
			return
		}
		w.breaks(10, "attempt %d of delivery %d was sent to %s by %s, %s after it was stopped", t.lease.Attempt, t.lease.ID, e.name, t.node.name, time.Since(e.since))
	}
	if disk.state != delivery.Disabled || t.lease.Cycle == delivery.Test {
		return
	}
	slack := time.Millisecond
	if unheard || len(w.nodes) > 1 {
		slack = lag
	}
	if forward, back := w.jumped(t.began.Add(-time.Minute)); forward == 0 && !back && now.Sub(at(disk.disabledAt)) > slack {
		w.breaks(10, "attempt %d of delivery %d was sent to %s by %s, %s after it was disabled", t.lease.Attempt, t.lease.ID, t.endpoint.name, t.node.name, now.Sub(at(disk.disabledAt)))
	}
}

// checkRoom: no more is on the wire than the endpoint and the node allow, and to a narrow
// endpoint one attempt at a time.
func (w *world) checkRoom(t *try, disk endpointRow, now time.Time) {
	if t.lease.Cycle == delivery.Test {
		return // it asks no lane
	}
	w.findings.checked(20)
	own := func(o *try) bool { return o.node == t.node && o.lease.Cycle != delivery.Test }
	if n := w.model.onWire(own) + 1; n > slots {
		w.breaks(20, "%s has %d attempts on the wire; it may make %d at once", t.node.name, n, slots)
	}
	limit := t.endpoint.concurrency
	if time.Since(t.endpoint.changedLimit) < lag+w.policy.Timeout || limit == 0 {
		limit = concurrency
	}
	lane := func(o *try) bool { return own(o) && o.endpoint == t.endpoint }
	if n := w.model.onWire(lane) + 1; n > limit {
		w.breaks(20, "%s has %d attempts to %s on the wire; the limit is %d", t.node.name, n, t.endpoint.name, limit)
	}
	settled := len(w.nodes) == 1 && w.calm() > lag && now.Sub(at(disk.countedUntil)) > time.Millisecond && time.Since(t.endpoint.since) > 0
	if !settled || disk.streak < delivery.NarrowAfter {
		return
	}
	if at(disk.next).Sub(now) > time.Millisecond {
		w.breaks(20, "an attempt to %s began %s before its rest was over", t.endpoint.name, at(disk.next).Sub(now))
	}
	narrow := func(o *try) bool { return lane(o) && o.began.After(time.Now().Add(-now.Sub(at(disk.countedUntil)))) }
	if n := w.model.onWire(narrow); n > 0 {
		w.breaks(20, "%s is narrow and has %d more attempts on the wire", t.endpoint.name, n)
	}
}

// checkSigned: the bytes are those that were accepted, and the signatures those of the secrets
// that the receiver knows, over these bytes and the time of sending.
func (w *world) checkSigned(t *try, r delivery.Request, now time.Time) {
	w.checkBody(t)
	header := http.Header{}
	for _, h := range r.Header {
		header.Add(h.Name, h.Value)
	}
	if forward, back := w.jumped(t.began.Add(-lag)); t.node.began.Equal(t.began) || forward > 0 || back {
		return // a node that has just read the clock signs by it, or not yet; and which overlaps have ended depends on that
	}
	w.findings.checked(12)
	sent, err := strconv.ParseInt(header.Get(webhook.TimestampHeader), 10, 64)
	if off := time.Unix(sent, 0).Sub(now); err != nil || off < -time.Second-time.Millisecond || off > time.Second {
		w.breaks(12, "attempt %d of delivery %d says that it was sent at %d; it is %d", t.lease.Attempt, t.lease.ID, sent, now.Unix())
	}
	for name, want := range map[string]string{
		webhook.IDHeader: t.lease.EventID, webhook.EventHeader: t.lease.EventType,
		webhook.DeliveryHeader: t.lease.ID.String(), webhook.AttemptHeader: strconv.Itoa(t.lease.Attempt),
	} {
		if got := header.Get(name); got != want {
			w.breaks(12, "attempt %d of delivery %d has %s: %q, want %q", t.lease.Attempt, t.lease.ID, name, got, want)
		}
	}
	if t.endpoint.changing || w.unheard() && time.Since(t.endpoint.changedSecrets) < lag {
		return
	}
	current, others := t.endpoint.liveSecrets(now)
	if _, err := webhook.VerifySimple(t.lease.Body, header.Get(webhook.SignatureHeader), current); err != nil {
		w.breaks(12, "attempt %d of delivery %d is not signed with the current secret of %s: %v", t.lease.Attempt, t.lease.ID, t.endpoint.name, err)
	}
	w.findings.checked(14)
	lists := bytes.Fields([]byte(header.Get(webhook.StandardSignatureHeader)))
	if len(lists) != 1+len(others) {
		w.breaks(14, "attempt %d of delivery %d, of %s at %s, has %d signatures; %s has %d live secrets, of %v", t.lease.Attempt, t.lease.ID,
			t.node.name, time.Since(w.began), len(lists), t.endpoint.name, 1+len(others), t.endpoint.secrets)
	}
	for _, s := range append(others, current) {
		if _, err := webhook.Verify(header, t.lease.Body, now, time.Minute, s); err != nil {
			w.breaks(14, "attempt %d of delivery %d does not verify with a live secret of %s: %v", t.lease.Attempt, t.lease.ID, t.endpoint.name, err)
		}
	}
}

// checkBody: every attempt sends the bytes that are stored, and these are made of what the publisher sent.
func (w *world) checkBody(t *try) {
	w.findings.checked(13)
	var body struct {
		ID, Type string
		Data     struct{ Domain string }
	}
	if err := json.Unmarshal(t.lease.Body, &body); err != nil || body.ID != t.lease.EventID || body.Type != t.lease.EventType {
		w.breaks(13, "attempt %d of delivery %d has the body %s of event %s", t.lease.Attempt, t.lease.ID, t.lease.Body, t.lease.EventID)
	}
	if p := w.model.events[t.lease.EventID]; p != nil && body.Data.Domain != p.mark {
		w.breaks(13, "attempt %d of delivery %d has the data of %q, and the publisher sent %q", t.lease.Attempt, t.lease.ID, body.Data.Domain, p.mark)
	}
	for _, o := range w.model.tries[t.lease.ID] {
		if !bytes.Equal(o.lease.Body, t.lease.Body) {
			w.breaks(13, "attempts %d and %d of delivery %d have different bodies", o.lease.Attempt, t.lease.Attempt, t.lease.ID)
		}
	}
}
