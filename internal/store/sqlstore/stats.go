package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

const writeStat = `insert into stats (endpoint_id, minute, writer, account_id, succeeded, failed, retries, delivered, dead,
		watched, watched_failed, watched_retries, watched_slow, l0, l1, l2, l3, l4, l5, l6, l7, l8, l9, l10, l11, l12, l13, l14)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)
	on conflict (endpoint_id, minute, writer) do update set
		succeeded = excluded.succeeded, failed = excluded.failed, retries = excluded.retries, delivered = excluded.delivered, dead = excluded.dead,
		watched = excluded.watched, watched_failed = excluded.watched_failed, watched_retries = excluded.watched_retries, watched_slow = excluded.watched_slow,
		l0 = excluded.l0, l1 = excluded.l1, l2 = excluded.l2, l3 = excluded.l3, l4 = excluded.l4, l5 = excluded.l5, l6 = excluded.l6, l7 = excluded.l7,
		l8 = excluded.l8, l9 = excluded.l9, l10 = excluded.l10, l11 = excluded.l11, l12 = excluded.l12, l13 = excluded.l13, l14 = excluded.l14`

// WriteStats keeps the per-minute counts, in one order, as all who write to
// endpoints do, so that nobody locks in a circle.
func (s *Store) WriteStats(ctx context.Context, stats []store.Stat) error {
	if len(stats) == 0 {
		return nil
	}
	var counts, successes [][]any
	for _, st := range slices.SortedFunc(slices.Values(stats), func(a, b store.Stat) int {
		return cmp.Or(cmp.Compare(a.EndpointID, b.EndpointID), a.Minute.Compare(b.Minute))
	}) {
		row := []any{st.EndpointID, ms(st.Minute), st.Writer, st.AccountID, st.Succeeded, st.Failed, st.Retries, st.Delivered, st.Dead,
			st.Watched.Attempts, st.Watched.Failed, st.Watched.Retries, st.Watched.Slow}
		for _, n := range st.Latency {
			row = append(row, n)
		}
		counts = append(counts, row)
		if !st.LastSuccessAt.IsZero() {
			successes = append(successes, []any{ms(st.LastSuccessAt), st.EndpointID})
		}
	}
	return s.write(ctx, "write stats", func(ctx context.Context, c conn) error {
		if _, err := c.many(ctx, writeStat, counts); err != nil {
			return err
		}
		_, err := c.many(ctx, `update endpoints set last_success_at = $1 where id = $2 and last_success_at < $1`, successes)
		return err
	})
}

const sumStats = `$2 + (minute - $2) / $4 * $4,
		cast(sum(succeeded) as bigint), cast(sum(failed) as bigint), cast(sum(retries) as bigint), cast(sum(delivered) as bigint), cast(sum(dead) as bigint),
		cast(sum(l0) as bigint), cast(sum(l1) as bigint), cast(sum(l2) as bigint), cast(sum(l3) as bigint), cast(sum(l4) as bigint),
		cast(sum(l5) as bigint), cast(sum(l6) as bigint), cast(sum(l7) as bigint), cast(sum(l8) as bigint), cast(sum(l9) as bigint),
		cast(sum(l10) as bigint), cast(sum(l11) as bigint), cast(sum(l12) as bigint), cast(sum(l13) as bigint), cast(sum(l14) as bigint)
	from stats where minute >= $2 and minute < $3`

// ofAccount keeps a query of some endpoints to the account whose they are. SQLite would take the
// index stats_account for the better one, and read the minutes of all of its endpoints.
func (s *Store) ofAccount() string { return ` and ` + s.engine.unindexed("account_id") + ` = $1` }

// Stats sums the per-minute counts (primary key, or index stats_account).
func (s *Store) Stats(ctx context.Context, accountID, endpointID string, from, to time.Time, step time.Duration) ([]store.Stat, error) {
	query, args := `select cast($5 as text), `+sumStats, []any{accountID, ms(from), ms(to), step.Milliseconds(), endpointID}
	if endpointID != "" {
		query += s.ofAccount() + ` and endpoint_id = $5`
	} else {
		query += ` and account_id = $1`
	}
	return s.sums(ctx, accountID, query+` group by 2 order by 2`, args)
}

// StatsOf sums those of several endpoints (primary key).
func (s *Store) StatsOf(ctx context.Context, accountID string, endpointIDs []string, from, to time.Time, step time.Duration) ([]store.Stat, error) {
	if len(endpointIDs) == 0 {
		return nil, nil
	}
	w := where{args: []any{accountID, ms(from), ms(to), step.Milliseconds()}}
	w.in("endpoint_id", endpointIDs)
	return s.sums(ctx, accountID, `select endpoint_id, `+sumStats+w.text+s.ofAccount()+` group by 1, 2 order by 1, 2`, w.args)
}

func (s *Store) sums(ctx context.Context, accountID, query string, args []any) ([]store.Stat, error) {
	rs, err := s.reads.query(ctx, query, args...)
	sums, err := collect(rs, err, func(r scanner) (store.Stat, error) {
		st := store.Stat{AccountID: accountID}
		var minute int64
		dest := []any{&st.EndpointID, &minute, &st.Succeeded, &st.Failed, &st.Retries, &st.Delivered, &st.Dead}
		for i := range st.Latency {
			dest = append(dest, &st.Latency[i])
		}
		err := r.Scan(dest...)
		st.Minute = at(minute)
		return st, err
	})
	return sums, reading("read stats", err)
}
