package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func secretChecks() []check {
	return []check{
		{"an endpoint has the secret that it was made with", secretFirst},
		{"secrets are oldest first and ended ones are left out", secretLive},
		{"an update gets the live ones and its answer replaces them", secretUpdate},
		{"an update that is refused writes nothing", secretUpdateRefused},
		{"updates at the same time do not lose each other", secretUpdateAtOnce},
		{"a lane has current, next and old secrets in this order", secretLane},
		{"a lane of no endpoint is not found", laneMissing},
	}
}

func (w *world) secrets(endpointID string, now time.Time) []store.Secret {
	w.t.Helper()
	secrets, err := w.s.Secrets(w.ctx(), w.account, endpointID, now)
	w.must("read secrets", err)
	return secrets
}

// setSecrets replaces an endpoint's secrets.
func (w *world) setSecrets(endpointID string, now time.Time, secrets ...store.Secret) {
	w.t.Helper()
	err := w.s.UpdateSecrets(w.ctx(), w.account, endpointID, now, func([]store.Secret) ([]store.Secret, error) {
		return secrets, nil
	})
	w.must("update secrets", err)
}

// secretOf describes a secret of an endpoint, made minutes after the first.
func secretOf(endpointID string, role store.Role, minutes int, expires time.Time) store.Secret {
	s := firstSecret(endpointID)
	s.Role, s.CreatedAt, s.ExpiresAt = role, minute(minutes), expires
	s.Sealed = []byte("sealed " + s.ID)
	return s
}

func secretFirst(w *world) {
	e := endpointOf(w.account)
	secret := firstSecret(e.ID)
	w.must("create endpoint", w.s.CreateEndpoint(w.ctx(), e, secret, many))
	w.equal("secrets", w.secrets(e.ID, at(0)), []store.Secret{secret})
	_, err := w.s.Secrets(w.ctx(), w.account, newID("ep_"), at(0))
	w.wantError("read the secrets of no endpoint", err, store.ErrNotFound)
}

func secretLive(w *world) {
	id := w.newEndpoint()
	ending := secretOf(id, store.Old, 1, at(time.Hour))
	current := secretOf(id, store.Current, 2, time.Time{})
	next := secretOf(id, store.Next, 3, time.Time{})
	w.setSecrets(id, at(0), next, current, ending)
	w.equal("secrets while the overlap runs", w.secrets(id, justBefore(at(time.Hour))), []store.Secret{ending, current, next})
	w.equal("secrets after the overlap", w.secrets(id, justAfter(at(time.Hour))), []store.Secret{current, next})
}

func secretUpdate(w *world) {
	id := w.newEndpoint()
	ended := secretOf(id, store.Old, 1, at(time.Hour))
	old := secretOf(id, store.Old, 2, at(3*time.Hour))
	current := secretOf(id, store.Current, 3, time.Time{})
	w.setSecrets(id, at(0), ended, old, current)
	next := secretOf(id, store.Next, 4, time.Time{})
	var got []store.Secret
	err := w.s.UpdateSecrets(w.ctx(), w.account, id, at(2*time.Hour), func(live []store.Secret) ([]store.Secret, error) {
		got = slices.Clone(live)
		live[1].Role, live[1].ExpiresAt = store.Old, at(4*time.Hour)
		return append(live[1:], next), nil
	})
	w.must("update secrets", err)
	w.equal("secrets that the change got", got, []store.Secret{old, current})
	current.Role, current.ExpiresAt = store.Old, at(4*time.Hour)
	w.equal("secrets", w.secrets(id, at(2*time.Hour)), []store.Secret{current, next})
}

func secretUpdateRefused(w *world) {
	id := w.newEndpoint()
	before := w.secrets(id, at(0))
	refused := errors.New("refused by the caller")
	err := w.s.UpdateSecrets(w.ctx(), w.account, id, at(0), func([]store.Secret) ([]store.Secret, error) {
		return nil, refused
	})
	w.wantError("update", err, refused)
	w.equal("secrets", w.secrets(id, at(0)), before)
	err = w.s.UpdateSecrets(w.ctx(), w.account, newID("ep_"), at(0), func(s []store.Secret) ([]store.Secret, error) { return s, nil })
	w.wantError("update the secrets of no endpoint", err, store.ErrNotFound)
}

func secretUpdateAtOnce(w *world) {
	id := w.newEndpoint()
	w.atOnce(10, func(i int) error {
		return w.s.UpdateSecrets(w.ctx(), w.account, id, at(0), func(live []store.Secret) ([]store.Secret, error) {
			return append(live, secretOf(id, store.Old, i+1, at(time.Hour))), nil
		})
	})
	if n := len(w.secrets(id, at(0))); n != 11 {
		w.t.Errorf("10 updates that each add one to one secret made %d", n)
	}
}

func secretLane(w *world) {
	id := w.newEndpoint()
	secret := func(role store.Role, age, lasts time.Duration) store.Secret {
		s := secretOf(id, role, 0, time.Time{})
		s.CreatedAt = at(-age)
		if lasts != 0 {
			s.ExpiresAt = at(lasts)
		}
		return s
	}
	ended := secret(store.Old, 5*time.Hour, -time.Hour)
	old := secret(store.Old, 4*time.Hour, time.Hour)
	current := secret(store.Current, 3*time.Hour, 0)
	next := secret(store.Next, 2*time.Hour, 0)
	w.setSecrets(id, at(-24*time.Hour), ended, next, old, current)
	for now, want := range map[time.Duration][]store.Secret{
		0:                            {current, next, old},
		time.Hour - time.Millisecond: {current, next, old},
		time.Hour:                    {current, next},
	} {
		lane, err := w.s.Lane(w.ctx(), id, at(now))
		w.must("read lane", err)
		w.equal("secrets of the lane", lane.Secrets, want)
		w.equal("endpoint of the lane", lane.Endpoint, w.endpoint(id).Endpoint)
	}
}

func laneMissing(w *world) {
	_, err := w.s.Lane(w.ctx(), newID("ep_"), at(0))
	w.wantError("read the lane of no endpoint", err, store.ErrNotFound)
}
