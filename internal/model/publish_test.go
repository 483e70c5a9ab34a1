package model_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// publish makes one of the steps that publish.
func (w *world) publish(s step) string {
	nodes := w.living()
	n := nodes[s.who%len(nodes)]
	switch s.kind {
	case publishMany:
		var all []*promised
		for i := range 2 + s.how%6 {
			all = append(all, w.newEvent(s.who, s.how+i, ""))
		}
		return fmt.Sprintf("%s is sent a batch of %d events: %s", n.name, len(all), w.send(n, all))
	case publishKeyed:
		p := w.newEvent(s.who, s.how, fmt.Sprintf("key-%d", w.model.published))
		w.model.keyed = append(w.model.keyed, p)
		return fmt.Sprintf("%s is sent an event with %s: %s", n.name, p.key, w.send(n, []*promised{p}))
	case publishAgain, publishOther:
		if len(w.model.keyed) == 0 {
			return ""
		}
		again := *w.model.keyed[s.how%len(w.model.keyed)]
		if s.kind == publishOther {
			again.mark = w.newMark()
		}
		again.id = ""
		return fmt.Sprintf("%s is sent %s again, data %s: %s", n.name, again.key, again.mark, w.send(n, []*promised{&again}))
	case publishRace:
		p := w.newEvent(s.who, s.how, fmt.Sprintf("key-%d", w.model.published))
		w.model.keyed = append(w.model.keyed, p)
		return fmt.Sprintf("an event with %s is sent 4 times at once: %s", p.key, w.race(nodes, p))
	}
	p := w.newEvent(s.who, s.how, "")
	return fmt.Sprintf("%s is sent an event: %s", n.name, w.send(n, []*promised{p}))
}

// newMark is what makes the data of an event its own.
func (w *world) newMark() string {
	w.model.published++
	return fmt.Sprintf("n%d.example.com", w.model.published)
}

func (w *world) newEvent(who, how int, key string) *promised {
	p := &promised{account: account(who), kind: []string{"domain.added", "domain.added", "domain.removed"}[how%3], mark: w.newMark(), key: key}
	if how%4 == 0 {
		p.id = uuid.NewString()
	}
	return p
}

func (p *promised) input() publish.Input {
	verb := strings.TrimPrefix(p.kind, "domain.")
	return publish.Input{ID: p.id, Type: p.kind, Key: p.key, Data: json.RawMessage(fmt.Sprintf(`{"domain":%q,"%s_at":"2026-03-08T12:34:56.789Z"}`, p.mark, verb))}
}

// race sends an event several times at once. One of them, at the most, is accepted; the
// others are answered with that.
func (w *world) race(nodes []*node, p *promised) string {
	said := make([]reply, 4)
	var all sync.WaitGroup
	for i := range said {
		one := *p
		all.Go(func() { said[i] = w.ask(nodes[i%len(nodes)], []*promised{&one}) })
	}
	all.Wait()
	slices.SortStableFunc(said, func(a, b reply) int { return a.order() - b.order() })
	words := make([]string, len(said))
	for i := range said {
		words[i] = w.hear(said[i])
	}
	return strings.Join(words, "; ")
}

// send gives events of one account to a node and holds the answer against the model.
func (w *world) send(n *node, all []*promised) string {
	return w.hear(w.ask(n, all))
}

// reply is what a publisher was answered.
type reply struct {
	of   []*promised
	done []store.Published
	err  error
}

// order puts first acceptances before what refers to them.
func (r reply) order() int {
	if r.err == nil && !r.done[0].Replayed {
		return 0
	}
	return 1
}

func (w *world) ask(n *node, all []*promised) reply {
	in := make([]publish.Input, len(all))
	w.mu.Lock()
	for i, p := range all {
		in[i] = p.input()
		p.endpoints = w.model.matching(p.account, p.kind)
	}
	w.mu.Unlock()
	done, err := n.pub.Publish(context.Background(), all[0].account, in)
	return reply{all, done, err}
}

// hear holds an answer against the model.
func (w *world) hear(r reply) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.err != nil {
		return w.notAccepted(r.of, r.err)
	}
	words := make([]string, len(r.done))
	for i := range r.done {
		words[i] = w.accepted(r.of[i], r.done[i])
	}
	return strings.Join(words, ", ")
}

// notAccepted: the publisher knows nothing, or that it asked for what cannot be.
func (w *world) notAccepted(all []*promised, err error) string {
	if known := w.model.keys[all[0].account+all[0].key]; all[0].key != "" && known != nil && errors.Is(err, store.ErrConflict) {
		w.findings.checked(17)
		if known.mark == all[0].mark && !known.gone {
			w.breaks(17, "%s was sent again with the same content and refused: %v", all[0].key, err)
		}
		w.findings.saw("conflict")
		return "refused: " + err.Error()
	}
	passing := errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrClosed)
	doubt := errors.Is(err, store.ErrConflict) && all[0].key != "" // an event that was never acknowledged has the key
	if !passing && !doubt {
		w.breaks(1, "events were refused: %v", err)
	}
	for _, p := range all {
		if first := w.model.doubtful[p.mark]; first != nil {
			p.matched = first.matched
		}
		p.matched = append(p.matched, p.endpoints)
		w.model.doubtful[p.mark] = p
	}
	w.findings.saw("publisher got no answer")
	return "no answer: " + err.Error()
}

// accepted: it goes to all endpoints that want it, or it is the first acceptance again.
func (w *world) accepted(p *promised, done store.Published) string {
	refs := map[string]bool{}
	p.deliveries = map[delivery.ID]string{}
	for _, d := range done.Deliveries {
		refs[d.EndpointID] = true
		p.deliveries[d.ID] = d.EndpointID
	}
	w.findings.checked(17)
	if known := w.model.keys[p.account+p.key]; p.key != "" && known != nil && !known.gone {
		if known.id != done.EventID || known.mark != p.mark || !done.Replayed {
			w.breaks(17, "%s was accepted as event %s with %s, and then as event %s with %s (replayed %t)", p.key, known.id, known.mark, done.EventID, p.mark, done.Replayed)
		}
		w.findings.saw("replayed")
		return "accepted before, with " + known.mark
	}
	if p.id != "" && done.EventID != p.id && !done.Replayed {
		w.breaks(17, "the event with id %s was accepted as %s", p.id, done.EventID)
	}
	p.id, p.gone = done.EventID, false // what was sent again may have gone with retention before
	if first := w.model.doubtful[p.mark]; first != nil && done.Replayed {
		p.endpoints = first.matchedAs(refs, len(w.model.goneDeliveries) > 0) // it was matched then
	}
	w.findings.checked(2)
	if !maps.Equal(refs, p.endpoints) || len(refs) != len(done.Deliveries) {
		w.breaks(2, "event %s goes to %s, and should go to %s", p.id, w.model.names(refs), w.model.names(p.endpoints))
	}
	w.findings.acknowledged++
	delete(w.model.doubtful, p.mark)
	w.model.events[p.id], w.model.marks[p.mark] = p, p.id
	if p.key != "" {
		w.model.keys[p.account+p.key] = p
	}
	return fmt.Sprintf("accepted %s of %s for %s", p.kind, p.mark, w.model.deliveries(done.Deliveries))
}

// deliveries puts the deliveries of an event in words.
func (m *model) deliveries(refs []store.DeliveryRef) string {
	if len(refs) == 0 {
		return "nobody"
	}
	words := make([]string, len(refs))
	for i, d := range refs {
		words[i] = fmt.Sprintf("%s (%d)", m.byID[d.EndpointID].name, d.ID)
	}
	return strings.Join(words, ", ")
}

// names puts endpoints in words.
func (m *model) names(ids map[string]bool) string {
	if len(ids) == 0 {
		return "nobody"
	}
	var all []string
	for id := range ids {
		all = append(all, m.byID[id].name)
	}
	slices.Sort(all)
	return strings.Join(all, " and ")
}

// matchedAs gives one of the ways in which an event was matched when no answer came: that one, if
// it is among them. When retention has taken deliveries, some of it is enough.
func (p *promised) matchedAs(refs map[string]bool, retained bool) map[string]bool {
	for _, one := range p.matched {
		if maps.Equal(one, refs) || retained && containsAll(one, refs) {
			return refs
		}
	}
	return p.endpoints
}

func containsAll(all, some map[string]bool) bool {
	for id := range some {
		if !all[id] {
			return false
		}
	}
	return true
}
