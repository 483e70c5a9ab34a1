package model_test

import (
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// model is what was promised: what a publisher or a person was answered, and what receivers saw.
type model struct {
	endpoints []*endpoint
	byID      map[string]*endpoint
	events    map[string]*promised // accepted, by id
	doubtful  map[string]*promised // the publisher got no answer, by the mark in the data
	marks     map[string]string    // the id of the event with this mark in its data
	keys      map[string]*promised // by account and Idempotency-Key
	keyed     []*promised          // in the order in which they were first sent
	tries     map[delivery.ID][]*try
	published int // to make marks of

	resent         map[delivery.ID]int  // how often a person asked for a delivery again
	jobs           map[string]int       // how many jobs an account began
	kicked         map[string]time.Time // when something of an account was last asked for again
	discarded      map[delivery.ID]bool // by a person
	discardedMany  map[string]bool      // the accounts that discarded in bulk
	audited        map[string]int       // what people did, by the action of the audit
	goneDeliveries map[delivery.ID]bool // with retention
}

// promised is an event, as its publisher knows it.
type promised struct {
	account, id, kind, mark, key string
	endpoints                    map[string]bool   // that it was to go to
	matched                      []map[string]bool // the same, each time that no answer came
	deliveries                   map[delivery.ID]string
	gone                         bool // with retention
}

// endpoint is an endpoint as a person knows it.
type endpoint struct {
	name, id, account string
	patterns          []string
	deleted           bool
	stopped           bool      // by a person
	since             time.Time // when it was last stopped, enabled or deleted
	concurrency       int
	changedLimit      time.Time
	secrets           []secret
	changedSecrets    time.Time
	changing          bool // a change is under way
	answer            answer
	changedAnswer     time.Time
}

// secret is a secret as its receiver knows it.
type secret struct {
	text webhook.Secret
	role store.Role
	ends time.Time // by the database's clock
}

// try is an attempt on its way, or what became of it.
type try struct {
	lease    delivery.Lease
	node     *node
	endpoint *endpoint
	answer   answer
	began    time.Time
	ended    time.Time // zero = on the wire
	class    delivery.Class
}

// String puts a secret in words, without its text.
func (s secret) String() string {
	if s.ends.IsZero() {
		return string(s.role)
	}
	return string(s.role) + " until " + s.ends.UTC().Format("15:04:05.000")
}

func newModel() *model {
	return &model{
		byID: map[string]*endpoint{}, events: map[string]*promised{}, doubtful: map[string]*promised{}, marks: map[string]string{},
		keys: map[string]*promised{}, tries: map[delivery.ID][]*try{}, resent: map[delivery.ID]int{}, jobs: map[string]int{},
		kicked: map[string]time.Time{}, discarded: map[delivery.ID]bool{}, discardedMany: map[string]bool{}, goneDeliveries: map[delivery.ID]bool{}, audited: map[string]int{},
	}
}

// account names the account that a number chooses.
func account(n int) string {
	if n%4 == 3 {
		return accountB
	}
	return store.DefaultAccount
}

// pick chooses an endpoint that is not deleted and that fits.
func (m *model) pick(n int, fits func(*endpoint) bool) *endpoint {
	var all []*endpoint
	for _, e := range m.endpoints {
		if !e.deleted && (fits == nil || fits(e)) {
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[n%len(all)]
}

// matching are the endpoints that an event is to go to.
func (m *model) matching(account, kind string) map[string]bool {
	all := map[string]bool{}
	for _, e := range m.endpoints {
		if e.account != account || e.deleted {
			continue
		}
		for _, p := range e.patterns {
			if p == "*" || p == kind || p == "domain.*" {
				all[e.id] = true
			}
		}
	}
	return all
}

// ended reports whether the overlap of a secret is over.
func (s secret) ended(now time.Time) bool { return !s.ends.IsZero() && !s.ends.After(now) }

// liveSecrets are those that a request may be signed with at a time of the database's clock,
// the current one first.
func (e *endpoint) liveSecrets(now time.Time) (current webhook.Secret, others []webhook.Secret) {
	for _, s := range e.secrets {
		switch {
		case s.role == store.Current:
			current = s.text
		case !s.ended(now):
			others = append(others, s.text)
		}
	}
	return current, others
}

// onWire counts what is on its way to an endpoint ("" = of a node to all of them).
func (m *model) onWire(is func(*try) bool) (n int) {
	for _, all := range m.tries {
		for _, t := range all {
			if t.ended.IsZero() && is(t) {
				n++
			}
		}
	}
	return n
}
