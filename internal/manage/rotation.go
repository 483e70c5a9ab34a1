package manage

import (
	"cmp"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// The rules of a rotation (contract section 1). They are functions of their
// arguments alone; the store applies them in a transaction.
const (
	DefaultOverlap = 24 * time.Hour
	MaxOverlap     = 7 * 24 * time.Hour

	// maxOld bounds how many replaced secrets go on signing: each makes every
	// request longer.
	maxOld = 5
)

// prepare adds the next secret; one that was prepared before is replaced.
func prepare(secrets []store.Secret, next store.Secret) []store.Secret {
	next.Role = store.Next
	return append(without(secrets, store.Next), next)
}

// promote makes the prepared secret the current one. The current one becomes old
// and signs until now+overlap; with overlap 0 it is gone at once, and so are the old
// ones of earlier overlaps: whoever says that now is the time wants one secret left.
func promote(secrets []store.Secret, now time.Time, overlap time.Duration) ([]store.Secret, error) {
	if !slices.ContainsFunc(secrets, hasRole(store.Next)) {
		return nil, store.Conflictf("no secret is prepared: prepare one first, or rotate in one step")
	}
	if overlap <= 0 {
		secrets = without(without(secrets, store.Current), store.Old)
	}
	after := slices.Clone(secrets)
	for i := range after {
		switch after[i].Role {
		case store.Current:
			after[i].Role, after[i].ExpiresAt = store.Old, now.Add(overlap)
		case store.Next:
			after[i].Role = store.Current
		}
	}
	return endOldest(after), nil
}

// endOldest ends the overlaps that would end first, until at most maxOld are left.
func endOldest(secrets []store.Secret) []store.Secret {
	var old []store.Secret
	for _, s := range secrets {
		if s.Role == store.Old {
			old = append(old, s)
		}
	}
	if len(old) <= maxOld {
		return secrets
	}
	slices.SortStableFunc(old, func(a, b store.Secret) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	ended := old[:len(old)-maxOld]
	return slices.DeleteFunc(secrets, func(s store.Secret) bool {
		return slices.ContainsFunc(ended, func(e store.Secret) bool { return e.ID == s.ID })
	})
}

// without gives the secrets of the other roles.
func without(secrets []store.Secret, role store.Role) []store.Secret {
	return slices.DeleteFunc(slices.Clone(secrets), hasRole(role))
}

func hasRole(role store.Role) func(store.Secret) bool {
	return func(s store.Secret) bool { return s.Role == role }
}

// withRole gives the secret of a role that only one has.
func withRole(secrets []store.Secret, role store.Role) (store.Secret, bool) {
	i := slices.IndexFunc(secrets, hasRole(role))
	if i < 0 {
		return store.Secret{}, false
	}
	return secrets[i], true
}

// byUse orders secrets: current, next, then old ones, the longest overlap first.
func byUse(a, b store.Secret) int {
	order := map[store.Role]int{store.Current: 0, store.Next: 1, store.Old: 2}
	return cmp.Or(order[a.Role]-order[b.Role], b.ExpiresAt.Compare(a.ExpiresAt))
}
