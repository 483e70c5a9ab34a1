package publish

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// account is what publishing knows of one: its types ready to validate with and
// its subscriptions by type. It is a copy; the commit finds out when it is out of
// date (store.ErrStale), and then it is read again.
type account struct {
	id        string
	revision  int64
	names     []string // of all types, for suggestions
	builtin   map[string]*catalog.Validator
	own       map[string]json.RawMessage // schemas, compiled when an event comes
	schemas   *schemas
	endpoints []endpoint

	mu     sync.Mutex
	byType map[string]subscribers
}

// subscribers are the endpoints that want events of one type.
type subscribers struct {
	all []store.Subscription
	ids []string // of all
}

type endpoint struct {
	store.Subscription
	wants catalog.Matcher
}

// accounts keeps the accounts that publish, a bounded number of them.
type accounts struct {
	mu   sync.RWMutex
	byID map[string]*account
}

// maxAccounts bounds how many are kept ready; beyond it one goes for each that comes.
const maxAccounts = 2000

func (a *accounts) get(id string) *account {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.byID[id]
}

func (a *accounts) put(acc *account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byID == nil {
		a.byID = map[string]*account{}
	}
	for id := range a.byID { // any: which one publishes again cannot be known
		if len(a.byID) < maxAccounts {
			break
		}
		delete(a.byID, id)
	}
	a.byID[acc.id] = acc
}

// account gives an account ready to publish in, as it is remembered or, when
// that is not wanted, as it is on disk.
func (p *Publisher) account(ctx context.Context, id string, fresh bool) (acc *account, remembered bool, err error) {
	if acc := p.accounts.get(id); acc != nil && !fresh {
		return acc, true, nil
	}
	sub, err := p.cfg.Store.Subscriptions(ctx, id)
	if err != nil {
		return nil, false, err
	}
	if acc, err = p.newAccount(sub); err != nil {
		return nil, false, err
	}
	p.accounts.put(acc)
	return acc, false, nil
}

func (p *Publisher) newAccount(sub store.Subscriptions) (*account, error) {
	builtin, err := p.builtin()
	if err != nil {
		return nil, err
	}
	acc := &account{
		id: sub.AccountID, revision: sub.Revision, builtin: builtin, own: map[string]json.RawMessage{},
		schemas: p.schemas, byType: map[string]subscribers{},
	}
	for _, t := range catalog.Builtin() {
		if !t.Operational {
			acc.names = append(acc.names, t.Name)
		}
	}
	for _, t := range sub.Types {
		acc.own[t.Name] = t.Schema
		acc.names = append(acc.names, t.Name)
	}
	for _, s := range sub.Endpoints {
		acc.endpoints = append(acc.endpoints, endpoint{s, catalog.NewMatcher(s.Events)})
	}
	return acc, nil
}

// compileBuiltin compiles the schemas of the built-in types, which every account shares.
func compileBuiltin() (map[string]*catalog.Validator, error) {
	all := map[string]*catalog.Validator{}
	var errs []error
	for _, t := range catalog.Builtin() {
		v, err := catalog.Compile(t.Schema)
		errs = append(errs, err)
		all[t.Name] = v
	}
	return all, errors.Join(errs...)
}

func (a *account) known(name string) bool {
	_, builtin := a.builtin[name]
	_, own := a.own[name]
	return builtin || own
}

// validator gives the validator of a known type.
func (a *account) validator(name string) (*catalog.Validator, error) {
	if v, ok := a.builtin[name]; ok {
		return v, nil
	}
	return a.schemas.validator(a.own[name])
}

// subscribers gives the endpoints that want events of a known type.
func (a *account) subscribers(name string) subscribers {
	a.mu.Lock()
	defer a.mu.Unlock()
	if found, ok := a.byType[name]; ok {
		return found
	}
	var found subscribers
	for _, e := range a.endpoints {
		if e.wants.Match(name) {
			found.all = append(found.all, e.Subscription)
			found.ids = append(found.ids, e.EndpointID)
		}
	}
	a.byType[name] = found
	return found
}

// without gives the account as it is without one of its endpoints.
func (a *account) without(endpointID string) *account {
	others := slices.DeleteFunc(slices.Clone(a.endpoints), func(e endpoint) bool { return e.EndpointID == endpointID })
	return &account{
		id: a.id, revision: a.revision, names: a.names, builtin: a.builtin, own: a.own, schemas: a.schemas,
		endpoints: others, byType: map[string]subscribers{},
	}
}

// receivers gives the endpoints that the events of a call go to.
func (a *account) receivers(events []store.NewEvent) []string {
	if len(events) == 0 {
		return nil
	}
	first := a.subscribers(events[0].Type).ids
	seen := map[string]bool{events[0].Type: true}
	all := first[:len(first):len(first)] // appending must not write into what is shared
	for i := range events[1:] {
		if name := events[1+i].Type; !seen[name] {
			seen[name] = true
			all = append(all, a.subscribers(name).ids...)
		}
	}
	return all
}
