package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const selectEndpoint = `select id, account_id, url, description, events, headers, rate_limit, concurrency, state, disabled_reason, disabled_at, enabled_at,
	failures, streak, counted_until, next_at, last_success_at, created_at, updated_at from endpoints`

func scanEndpoint(r scanner) (delivery.Endpoint, error) {
	var e delivery.Endpoint
	var events, headers string
	var disabled, enabled, until, next, success, created, updated int64
	err := r.Scan(&e.ID, &e.AccountID, &e.URL, &e.Description, &events, &headers, &e.RateLimit, &e.Concurrency, &e.State, &e.DisabledReason, &disabled, &enabled,
		&e.Health.Failures, &e.Health.Streak, &until, &next, &success, &created, &updated)
	if err != nil {
		return e, err
	}
	e.DisabledAt, e.EnabledAt, e.Health.CountedUntil, e.Health.NextAt, e.LastSuccessAt = at(disabled), at(enabled), at(until), at(next), at(success)
	e.CreatedAt, e.UpdatedAt = at(created), at(updated)
	return e, errors.Join(json.Unmarshal([]byte(events), &e.Events), json.Unmarshal([]byte(headers), &e.Headers))
}

// CreateEndpoint adds an endpoint with its first secret.
func (s *Store) CreateEndpoint(ctx context.Context, e delivery.Endpoint, secret store.Secret, most int) error {
	events, headers, err := endpointLists(e)
	if err != nil {
		return err
	}
	return s.write(ctx, "create endpoint", func(ctx context.Context, c conn) error {
		if err := lockAccount(ctx, c, e.AccountID, s.engine.lockOwn()); err != nil {
			return err
		}
		var n int
		if err := c.row(ctx, `select count(*) from endpoints where account_id = $1 and state <> 'deleted'`, e.AccountID).Scan(&n); err != nil {
			return err
		}
		if n >= most {
			return fmt.Errorf("%w: the account has %d endpoints, which is the most it may have; delete one first", store.ErrLimit, n)
		}
		_, err := c.exec(ctx, `insert into endpoints (id, account_id, url, description, events, headers, rate_limit, concurrency, state, disabled_reason, disabled_at, created_at, updated_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			e.ID, e.AccountID, e.URL, e.Description, events, headers, e.RateLimit, e.Concurrency, string(e.State), string(e.DisabledReason), ms(e.DisabledAt), ms(e.CreatedAt), ms(e.UpdatedAt))
		if err != nil {
			return err
		}
		if err := addSecret(ctx, c, e.ID, secret); err != nil {
			return err
		}
		return bump(ctx, c, e.AccountID)
	})
}

// lockAccount makes changes that count an account's rows happen one after another.
func lockAccount(ctx context.Context, c conn, accountID, lock string) error {
	var id string
	return c.row(ctx, `select id from accounts where id = $1 and deleted_at = 0`+lock, accountID).Scan(&id)
}

func endpointLists(e delivery.Endpoint) (events, headers string, err error) {
	ev, err := json.Marshal(orEmpty(e.Events))
	if err != nil {
		return "", "", err
	}
	hd, err := json.Marshal(orEmpty(e.Headers))
	return string(ev), string(hd), err
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Endpoint reads one with its counts.
func (s *Store) Endpoint(ctx context.Context, accountID, id string) (store.EndpointView, error) {
	e, err := scanEndpoint(s.reads.row(ctx, selectEndpoint+` where id = $1 and account_id = $2 and state <> 'deleted'`, id, accountID))
	if err != nil {
		return store.EndpointView{}, reading("read endpoint", err)
	}
	views, err := s.views(ctx, accountID, []delivery.Endpoint{e}, store.CountLimit)
	if err != nil {
		return store.EndpointView{}, err
	}
	return views[0], nil
}

// views adds what is counted about endpoints, in one query; index deliveries_endpoint_aside
// bounds each count. The next due time is the first of index deliveries_due but for what is being sent, whose due time is the
// end of its lease; there is never much of it.
func (s *Store) views(ctx context.Context, accountID string, endpoints []delivery.Endpoint, most int) ([]store.EndpointView, error) {
	if len(endpoints) == 0 {
		return nil, nil
	}
	views, place := make([]store.EndpointView, len(endpoints)), map[string]int{}
	ids := make([]string, len(endpoints))
	for i, e := range endpoints {
		views[i].Endpoint, ids[i], place[e.ID] = e, e.ID, i
	}
	w := where{args: []any{accountID, most}, text: `o.account_id = $1`}
	w.in("o.id", ids)
	rs, err := s.reads.query(ctx, `select o.id,
		(select count(*) from (select 1 from deliveries where endpoint_id = o.id and due_at is not null limit $2) w),
		(select count(*) from (select 1 from deliveries where endpoint_id = o.id and status = 'held' limit $2) h),
		(select count(*) from (select 1 from deliveries where endpoint_id = o.id and status = 'failed' limit $2) f),
		coalesce((select due_at from deliveries where endpoint_id = o.id and due_at is not null and status <> 'sending' order by due_at limit 1), 0)
		from endpoints o`+w.sql(), w.args...)
	_, err = collect(rs, err, func(r scanner) (id string, err error) {
		var v store.EndpointView
		var next int64
		if err = r.Scan(&id, &v.Waiting, &v.Held, &v.Failed, &next); err != nil {
			return id, err
		}
		to := &views[place[id]]
		to.Waiting, to.Held, to.Failed, to.NextDue = v.Waiting, v.Held, v.Failed, at(next)
		return id, nil
	})
	return views, reading("count deliveries", err)
}

// ListEndpoints pages through an account's endpoints (index endpoints_account).
func (s *Store) ListEndpoints(ctx context.Context, accountID string, page store.Page) ([]store.EndpointView, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	rs, err := s.reads.query(ctx, selectEndpoint+` where account_id = $1 and state <> 'deleted' and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4`,
		accountID, after.at, after.text, page.Limit+1)
	found, err := collect(rs, err, scanEndpoint)
	if err != nil {
		return nil, "", reading("list endpoints", err)
	}
	found, next := cut(found, page.Limit, func(e delivery.Endpoint) position { return position{at: ms(e.CreatedAt), text: e.ID} })
	views, err := s.views(ctx, accountID, found, store.ListCountLimit)
	return views, next, err
}

// EndpointNames walks the index endpoints_account.
func (s *Store) EndpointNames(ctx context.Context, accountID string, limit int) ([]store.EndpointName, error) {
	rs, err := s.reads.query(ctx, `select id, url, description from endpoints where account_id = $1 and state <> 'deleted' order by created_at desc, id desc limit $2`, accountID, limit)
	found, err := collect(rs, err, func(r scanner) (e store.EndpointName, err error) { return e, r.Scan(&e.ID, &e.URL, &e.Description) })
	return found, reading("list endpoint names", err)
}

// ListStopped looks through an account's endpoints (index endpoints_account), of which there are a bounded number.
func (s *Store) ListStopped(ctx context.Context, accountID string, limit int) ([]delivery.Endpoint, error) {
	rs, err := s.reads.query(ctx, selectEndpoint+` where account_id = $1 and state = 'disabled' and disabled_reason <> $2 order by disabled_at desc, id limit $3`,
		accountID, delivery.ByHand, limit)
	found, err := collect(rs, err, scanEndpoint)
	return found, reading("list stopped endpoints", err)
}

// lockEndpoint reads an endpoint that is about to be changed.
func (s *Store) lockEndpoint(ctx context.Context, c conn, accountID, id string) (delivery.Endpoint, error) {
	return scanEndpoint(c.row(ctx, selectEndpoint+` where id = $1 and account_id = $2 and state <> 'deleted'`+s.engine.lockOwn(), id, accountID))
}

// UpdateEndpoint changes the settings of one.
func (s *Store) UpdateEndpoint(ctx context.Context, accountID, id string, change func(*delivery.Endpoint) error) (delivery.Endpoint, error) {
	var changed delivery.Endpoint
	err := s.write(ctx, "update endpoint", func(ctx context.Context, c conn) error {
		e, err := s.lockEndpoint(ctx, c, accountID, id)
		if err != nil {
			return err
		}
		changed = e
		if err := change(&changed); err != nil {
			return err
		}
		changed.ID, changed.AccountID, changed.CreatedAt = e.ID, e.AccountID, e.CreatedAt
		changed.State, changed.DisabledReason, changed.DisabledAt, changed.EnabledAt, changed.Health = e.State, e.DisabledReason, e.DisabledAt, e.EnabledAt, e.Health
		events, headers, err := endpointLists(changed)
		if err != nil {
			return err
		}
		_, err = c.exec(ctx, `update endpoints set url = $1, description = $2, events = $3, headers = $4, rate_limit = $5, concurrency = $6, updated_at = $7 where id = $8`,
			changed.URL, changed.Description, events, headers, changed.RateLimit, changed.Concurrency, ms(changed.UpdatedAt), id)
		if err != nil {
			return err
		}
		return bump(ctx, c, accountID)
	})
	return changed, err
}

// SetState disables or enables an endpoint.
func (s *Store) SetState(ctx context.Context, accountID, id string, state delivery.State, reason delivery.Reason, now time.Time) (bool, error) {
	changed := false
	err := s.write(ctx, "set state", func(ctx context.Context, c conn) error {
		e, err := s.lockEndpoint(ctx, c, accountID, id)
		if err != nil {
			return err
		}
		changed = e.State != state
		if !changed {
			return nil
		}
		if err := setState(ctx, c, accountID, id, state, reason, ms(now)); err != nil {
			return err
		}
		_, err = settle(ctx, c, id, state, ms(now), settleBatch)
		return err
	})
	return changed, err
}

// setState writes a state; enabling clears the health, so that old failures do
// not disable it again, and deleting closes the alerts, of which nobody needs to hear any more.
func setState(ctx context.Context, c conn, accountID, id string, state delivery.State, reason delivery.Reason, now int64) error {
	query, disabledAt := `update endpoints set state = $1, disabled_reason = $2, disabled_at = $3, updated_at = $4 where id = $5`, now
	if state == delivery.Enabled {
		reason, disabledAt = delivery.NotDisabled, 0
		query = `update endpoints set state = $1, disabled_reason = $2, disabled_at = $3, enabled_at = $4, updated_at = $4,
			failures = 0, streak = 0, counted_until = 0, next_at = 0, probe_token = 0, probe_until = 0 where id = $5`
	}
	if _, err := c.exec(ctx, query, string(state), string(reason), disabledAt, now, id); err != nil {
		return err
	}
	if state == delivery.Deleted {
		if _, err := c.exec(ctx, closeAlertsOf, now, id); err != nil {
			return err
		}
	}
	return bump(ctx, c, accountID)
}

// countGivenUp counts by index deliveries_endpoint_aside, which a list of
// statuses would not use.
const countGivenUp = `select (select count(*) from deliveries where endpoint_id = $1 and status = 'pending') +
	(select count(*) from deliveries where endpoint_id = $1 and status = 'retrying') + (select count(*) from deliveries where endpoint_id = $1 and status = 'held')`

// DeleteEndpoint marks an endpoint deleted and discards what waits for it.
func (s *Store) DeleteEndpoint(ctx context.Context, accountID, id string, now time.Time) (int, error) {
	var waiting int
	err := s.write(ctx, "delete endpoint", func(ctx context.Context, c conn) error {
		if _, err := s.lockEndpoint(ctx, c, accountID, id); err != nil {
			return err
		}
		if err := setState(ctx, c, accountID, id, delivery.Deleted, delivery.ByHand, ms(now)); err != nil {
			return err
		}
		if _, err := c.exec(ctx, `delete from secrets where endpoint_id = $1`, id); err != nil {
			return err
		}
		err := c.row(ctx, countGivenUp, id).Scan(&waiting)
		if err != nil {
			return err
		}
		_, err = settle(ctx, c, id, delivery.Deleted, ms(now), settleBatch)
		return err
	})
	return waiting, err
}

const selectSecret = `select id, endpoint_id, role, sealed, fingerprint, created_at, expires_at from secrets`

func liveSecrets(ctx context.Context, c conn, endpointID string, now int64) ([]store.Secret, error) {
	// Index secrets_endpoint.
	rs, err := c.query(ctx, selectSecret+` where endpoint_id = $1 and (expires_at = 0 or expires_at > $2) order by created_at, id`, endpointID, now)
	return collect(rs, err, func(r scanner) (sec store.Secret, err error) {
		var created, expires int64
		err = r.Scan(&sec.ID, &sec.EndpointID, &sec.Role, &sec.Sealed, &sec.Fingerprint, &created, &expires)
		sec.CreatedAt, sec.ExpiresAt = at(created), at(expires)
		return sec, err
	})
}

// byUse orders secrets as a request uses them: current, next, old.
func byUse(secrets []store.Secret) []store.Secret {
	rank := map[store.Role]int{store.Current: 0, store.Next: 1, store.Old: 2}
	slices.SortStableFunc(secrets, func(a, b store.Secret) int { return cmp.Compare(rank[a.Role], rank[b.Role]) })
	return secrets
}

func addSecret(ctx context.Context, c conn, endpointID string, sec store.Secret) error {
	_, err := c.exec(ctx, `insert into secrets (id, endpoint_id, role, sealed, fingerprint, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7)`,
		sec.ID, endpointID, string(sec.Role), sec.Sealed, sec.Fingerprint, ms(sec.CreatedAt), ms(sec.ExpiresAt))
	return err
}

// Secrets reads an endpoint's live secrets, oldest first.
func (s *Store) Secrets(ctx context.Context, accountID, endpointID string, now time.Time) ([]store.Secret, error) {
	if _, err := s.Endpoint(ctx, accountID, endpointID); err != nil {
		return nil, err
	}
	secrets, err := liveSecrets(ctx, s.reads, endpointID, ms(now))
	return secrets, reading("read secrets", err)
}

// UpdateSecrets replaces an endpoint's secrets; those whose overlap is over go.
func (s *Store) UpdateSecrets(ctx context.Context, accountID, endpointID string, now time.Time, change func([]store.Secret) ([]store.Secret, error)) error {
	return s.write(ctx, "update secrets", func(ctx context.Context, c conn) error {
		if _, err := s.lockEndpoint(ctx, c, accountID, endpointID); err != nil {
			return err
		}
		secrets, err := liveSecrets(ctx, c, endpointID, ms(now))
		if err != nil {
			return err
		}
		if secrets, err = change(secrets); err != nil {
			return err
		}
		if _, err := c.exec(ctx, `delete from secrets where endpoint_id = $1`, endpointID); err != nil {
			return err
		}
		for _, sec := range secrets {
			if err := addSecret(ctx, c, endpointID, sec); err != nil {
				return err
			}
		}
		return nil
	})
}
