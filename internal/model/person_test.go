package model_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// caller is a person of an account who may do everything there.
func caller(account string) auth.Caller {
	return auth.Caller{AccountID: account, Actor: "person", Scopes: auth.Scopes{auth.Manage, auth.Read, auth.Publish}}
}

// mostEndpoints bounds the endpoints that a history has at a time.
const mostEndpoints = 5

// manageEndpoint makes one of the steps that concern an endpoint.
func (w *world) manageEndpoint(s step) (string, error) {
	nodes := w.living()
	n := nodes[s.how%len(nodes)]
	if s.kind == addEndpoint {
		return w.addEndpoint(n, s)
	}
	e := w.model.pick(s.who, fitting(s.kind))
	if e == nil {
		return "", nil
	}
	ctx, who := context.Background(), caller(e.account)
	switch s.kind {
	case editEndpoint:
		return w.editEndpoint(n, e, s)
	case disable:
		_, err := n.man.DisableEndpoint(ctx, who, manage.DisableEndpoint{ID: e.id})
		if err != nil {
			return "", err
		}
		w.did(e, func() { e.stopped = true })
		return fmt.Sprintf("%s disables %s", n.name, e.name), nil
	case enable:
		w.did(e, func() { e.stopped = false }) // before the answer: it may begin at once
		how := []manage.HeldChoice{manage.SendHeld, manage.SendHeld, manage.NewestHeld, manage.KeepHeld}[s.how%4]
		out, err := n.man.EnableEndpoint(ctx, who, manage.EnableEndpoint{ID: e.id, Held: how, PerSecond: 1 + s.how%5})
		if err != nil {
			return "", err
		}
		w.did(e, func() {
			if out.Job != nil {
				w.model.jobs[e.account]++
			}
			w.model.kicked[e.account] = time.Now()
		})
		w.findings.saw("held: " + string(how))
		return fmt.Sprintf("%s enables %s: %d held, %s", n.name, e.name, out.Held, how), nil
	}
	return w.remove(n, e)
}

// fitting says which endpoints a step is for.
func fitting(k kind) func(*endpoint) bool {
	if k == disable {
		return func(e *endpoint) bool { return !e.stopped }
	}
	return nil
}

// did notes what a person did to an endpoint.
func (w *world) did(e *endpoint, change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
	e.since = time.Now()
}

// changing notes that what is known of an endpoint is old and new at once, until the answer is here.
func (w *world) changing(e *endpoint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.changedLimit, e.changing = time.Now(), true
}

func (w *world) addEndpoint(n *node, s step) (string, error) {
	alive := 0
	for _, e := range w.model.endpoints {
		if !e.deleted {
			alive++
		}
	}
	if alive >= mostEndpoints {
		return "", nil
	}
	e := &endpoint{name: fmt.Sprintf("e%d", len(w.model.endpoints)+1), account: account(s.who), answer: answers[0]}
	e.patterns = [][]string{{"*"}, {"domain.*"}, {"domain.added"}, {"domain.removed"}, {"domain.added", "domain.*"}}[s.how%5]
	e.concurrency = s.how % 4
	made, err := n.man.CreateEndpoint(context.Background(), caller(e.account), manage.CreateEndpoint{
		URL: "https://" + e.name + ".example.com/in", Events: e.patterns, Concurrency: e.concurrency, Disabled: s.how%11 == 10,
	})
	if err != nil {
		return "", err
	}
	secretText, err := webhook.ParseSecret(made.Secret)
	if err != nil {
		return "", err
	}
	e.id, e.stopped, e.secrets = made.Endpoint.ID, s.how%11 == 10, []secret{{text: secretText, role: store.Current}}
	w.mu.Lock()
	defer w.mu.Unlock()
	e.since, e.changedLimit, e.changedSecrets = time.Now(), time.Now(), time.Now()
	w.model.audited["endpoint.create"]++
	w.model.endpoints = append(w.model.endpoints, e)
	w.model.byID[e.id] = e
	return fmt.Sprintf("%s adds %s of %s for %v, at most %d at once, disabled %t", n.name, e.name, e.account, e.patterns, e.concurrency, e.stopped), nil
}

func (w *world) editEndpoint(n *node, e *endpoint, s step) (string, error) {
	patterns := [][]string{{"*"}, {"domain.*"}, {"domain.added"}, {"domain.removed"}}[s.how%4]
	limit := s.how % 3
	rate := []int{0, 0, 2}[s.how%3]
	w.changing(e)
	_, err := n.man.UpdateEndpoint(context.Background(), caller(e.account), manage.UpdateEndpoint{ID: e.id, Events: &patterns, Concurrency: &limit, RateLimit: &rate})
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e.patterns, e.concurrency, e.changing = patterns, limit, false
	return fmt.Sprintf("%s edits %s: for %v, at most %d at once, %d a second", n.name, e.name, patterns, limit, rate), nil
}

// remove deletes an endpoint and checks that what waits for it is given up, and counted.
func (w *world) remove(n *node, e *endpoint) (string, error) {
	waiting := 0
	for _, d := range w.last.deliveries {
		if d.endpoint == e.id && (d.status.Waiting() || d.status == delivery.Held) {
			waiting++
		}
	}
	out, err := n.man.DeleteEndpoint(context.Background(), caller(e.account), manage.DeleteEndpoint{ID: e.id})
	if err != nil {
		return "", err
	}
	w.did(e, func() { e.deleted = true })
	w.model.audited["endpoint.delete"]++
	if out.Discarded != waiting {
		w.mu.Lock()
		w.breaks(22, "deleting %s says %d discarded; %d waited for it or were held", e.name, out.Discarded, waiting)
		w.mu.Unlock()
	}
	return fmt.Sprintf("%s deletes %s: %d discarded", n.name, e.name, out.Discarded), nil
}

// manageSecret makes one of the steps of a rotation, and does the same in the model.
func (w *world) manageSecret(s step) (string, error) {
	nodes := w.living()
	n := nodes[s.how%len(nodes)]
	e := w.model.pick(s.who, nil)
	if e == nil {
		return "", nil
	}
	ctx, who := context.Background(), caller(e.account)
	overlap := []time.Duration{0, 4 * time.Second, time.Minute, 24 * time.Hour}[s.how%4]
	w.changing(e)
	var made manage.NewSecret
	var err error
	switch s.kind {
	case prepareSecret:
		made, err = n.man.PrepareSecret(ctx, who, e.id)
	case promoteSecret:
		_, err = n.man.PromoteSecret(ctx, who, manage.PromoteSecret{EndpointID: e.id, Overlap: &overlap})
		if errors.Is(err, store.ErrConflict) && !slices.ContainsFunc(e.secrets, func(s secret) bool { return s.role == store.Next }) {
			e.changing = false
			return "nothing is prepared for " + e.name, nil
		}
	case rotateSecret:
		made, err = n.man.RotateSecret(ctx, who, manage.RotateSecret{EndpointID: e.id, Overlap: &overlap})
	}
	if err != nil {
		return "", err
	}
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	action := map[kind]string{prepareSecret: "secret.prepare", promoteSecret: "secret.promote", rotateSecret: "secret.rotate"}[s.kind]
	w.model.audited[action]++
	if made.Text != "" {
		text, err := webhook.ParseSecret(made.Text)
		if err != nil {
			return "", err
		}
		e.prepare(text, now)
	}
	if s.kind != prepareSecret {
		e.promote(now, overlap)
	}
	e.changedSecrets, e.changing = time.Now(), false
	return fmt.Sprintf("%s: %s of %s, overlap %s", n.name, s.kind, e.name, overlap), nil
}

func (e *endpoint) prepare(text webhook.Secret, now time.Time) {
	e.secrets = slices.DeleteFunc(e.secrets, func(s secret) bool { return s.role == store.Next || s.ended(now) })
	e.secrets = append(e.secrets, secret{text: text, role: store.Next})
}

// promote makes the next secret the current one; without an overlap nothing else is left.
func (e *endpoint) promote(now time.Time, overlap time.Duration) {
	var after []secret
	for _, s := range e.secrets {
		switch {
		case s.role == store.Next:
			s.role = store.Current
		case overlap == 0:
			continue
		case s.role == store.Current:
			s.role, s.ends = store.Old, now.Add(overlap)
		}
		if !s.ended(now) {
			after = append(after, s)
		}
	}
	// At most five old ones go on: the one that ends first is given up.
	for {
		first, old := -1, 0
		for i, s := range after {
			if s.role == store.Old {
				old++
				if first < 0 || s.ends.Before(after[first].ends) {
					first = i
				}
			}
		}
		if old <= 5 {
			break
		}
		after = slices.Delete(after, first, first+1)
	}
	e.secrets = after
}
