package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// selectTroubled finds who is to be judged by indexes stats_trouble and alerts_open, which have no row of
// an endpoint that is well. The condition of stats_trouble stands here word for word, as SQLite needs it to use the index.
const selectTroubled = `select endpoint_id from stats where minute >= $1 and minute < $2 and (watched_failed > 0 or watched_retries > 0 or watched_slow > 0)
	union select endpoint_id from alerts where closed_at = 0 order by endpoint_id`

// Troubled gives the endpoints at which an alert may open or close.
func (s *Store) Troubled(ctx context.Context, since, until time.Time) ([]string, error) {
	rs, err := s.reads.query(ctx, selectTroubled, ms(since), ms(until))
	ids, err := collect(rs, err, func(r scanner) (id string, err error) { return id, r.Scan(&id) })
	return ids, reading("look for trouble", err)
}

// selectWatched reads endpoints with their minutes, both by primary key.
const selectWatched = `select e.id, e.account_id, e.enabled_at, coalesce(s.minute, 0), cast(coalesce(sum(s.watched), 0) as bigint), cast(coalesce(sum(s.watched_failed), 0) as bigint),
		cast(coalesce(sum(s.watched_retries), 0) as bigint), cast(coalesce(sum(s.watched_slow), 0) as bigint)
	from endpoints e left join stats s on s.endpoint_id = e.id and s.minute >= $1 and s.minute < $2`

// watchedQuery asks for the minutes of some endpoints, of an account or of any ("" = any).
func watchedQuery(accountID string, endpointIDs []string, from, until time.Time) (string, []any) {
	w := where{args: []any{ms(from), ms(until)}, text: `e.state <> 'deleted'`}
	if accountID != "" {
		w.add("e.account_id = ?", accountID)
	}
	w.in("e.id", endpointIDs)
	return selectWatched + w.sql() + ` group by e.id, e.account_id, e.enabled_at, s.minute order by e.id, s.minute`, w.args
}

// Watched gives what some endpoints are judged by: first their alerts, then their minutes.
func (s *Store) Watched(ctx context.Context, endpointIDs []string, from, until time.Time) ([]store.Watched, error) {
	return s.watched(ctx, "", endpointIDs, from, until)
}

// WatchedOf gives the same of an account's.
func (s *Store) WatchedOf(ctx context.Context, accountID string, endpointIDs []string, from, until time.Time) ([]store.Watched, error) {
	return s.watched(ctx, accountID, endpointIDs, from, until)
}

func (s *Store) watched(ctx context.Context, accountID string, endpointIDs []string, from, until time.Time) ([]store.Watched, error) {
	if len(endpointIDs) == 0 {
		return nil, nil
	}
	open, err := s.openAlerts(ctx, accountID, endpointIDs)
	if err != nil {
		return nil, err
	}
	of := map[string][]store.Alert{}
	for _, a := range open {
		of[a.EndpointID] = append(of[a.EndpointID], a)
	}
	query, args := watchedQuery(accountID, endpointIDs, from, until)
	rs, err := s.reads.query(ctx, query, args...)
	rows, err := collect(rs, err, scanWatched)
	if err != nil {
		return nil, reading("read what is watched", err)
	}
	var all []store.Watched
	for _, row := range rows {
		if len(all) == 0 || all[len(all)-1].EndpointID != row.EndpointID {
			all = append(all, store.Watched{AccountID: row.AccountID, EndpointID: row.EndpointID, EnabledAt: row.EnabledAt, Open: of[row.EndpointID]})
		}
		last := &all[len(all)-1]
		last.Minutes = append(last.Minutes, row.Minutes...)
	}
	return all, nil
}

// scanWatched reads an endpoint with one of its minutes.
func scanWatched(r scanner) (w store.Watched, err error) {
	var enabled, minute int64
	var m delivery.Minute
	err = r.Scan(&w.EndpointID, &w.AccountID, &enabled, &minute, &m.Attempts, &m.Failed, &m.Retries, &m.Slow)
	w.EnabledAt, m.At = at(enabled), at(minute)
	if minute != 0 {
		w.Minutes = []delivery.Minute{m}
	}
	return w, err
}

const insertAlert = `insert into alerts (id, account_id, endpoint_id, kind, threshold, attempts, failed, bad, span, opened_at)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing`

// OpenAlert adds an alert with its notice. The endpoint is locked, so that it is not deleted meanwhile.
func (s *Store) OpenAlert(ctx context.Context, a store.Alert) (bool, error) {
	return s.changeAlert(ctx, a, delivery.AlertOpened, a.OpenedAt, func(ctx context.Context, c conn) (int64, error) {
		_, err := s.lockEndpoint(ctx, c, a.AccountID, a.EndpointID)
		if errors.Is(err, errNoRow) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		o := a.Opened
		return c.exec(ctx, insertAlert, a.ID, a.AccountID, a.EndpointID, string(a.Kind), a.Threshold, o.Attempts, o.Failed, o.Bad, o.Span.Milliseconds(), ms(a.OpenedAt))
	})
}

// The clock may have been put back since an alert was opened: none ends before it began. Its notice is of now all the
// same, so that what happens after it is told after it.
const closeAlert = `update alerts set closed_attempts = $1, closed_failed = $2, closed_bad = $3, closed_span = $4, closed_reason = $5,
		closed_at = case when opened_at > $6 then opened_at else $6 end
	where id = $7 and account_id = $8 and closed_at = 0`

// closeAlertsOf closes those of an endpoint that is deleted (index alerts_open).
const closeAlertsOf = `update alerts set closed_reason = 'deleted', closed_at = case when opened_at > $1 then opened_at else $1 end where endpoint_id = $2 and closed_at = 0`

// CloseAlert ends an alert with its notice.
func (s *Store) CloseAlert(ctx context.Context, a store.Alert) (bool, error) {
	return s.changeAlert(ctx, a, delivery.AlertClosed, a.ClosedAt, func(ctx context.Context, c conn) (int64, error) {
		o := a.Closed
		return c.exec(ctx, closeAlert, o.Attempts, o.Failed, o.Bad, o.Span.Milliseconds(), string(a.Reason), ms(a.ClosedAt), a.ID, a.AccountID)
	})
}

// changeAlert makes a change of one alert and writes its notice, if the change was still to be made.
func (s *Store) changeAlert(ctx context.Context, a store.Alert, kind delivery.Notice, now time.Time, change func(context.Context, conn) (int64, error)) (changed bool, _ error) {
	err := s.write(ctx, "change alert", func(ctx context.Context, c conn) error {
		n, err := change(ctx, c)
		changed = n == 1
		if err != nil || !changed {
			return err
		}
		_, err = c.exec(ctx, `insert into notices (id, account_id, kind, endpoint_id, delivery_id, number, failures, reason, alert_id, quiet, created_at)
			values ($1, $2, $3, $4, 0, 0, 0, '', $5, 0, $6)`, uuid.Must(uuid.NewV7()).String(), a.AccountID, string(kind), a.EndpointID, a.ID, ms(now))
		return err
	})
	return changed && err == nil, err
}

const selectAlert = `select id, account_id, endpoint_id, kind, threshold, attempts, failed, bad, span, opened_at,
	closed_attempts, closed_failed, closed_bad, closed_span, closed_reason, closed_at from alerts`

func scanAlert(r scanner) (a store.Alert, err error) {
	var span, opened, closedSpan, closed int64
	o, c := &a.Opened, &a.Closed
	err = r.Scan(&a.ID, &a.AccountID, &a.EndpointID, &a.Kind, &a.Threshold, &o.Attempts, &o.Failed, &o.Bad, &span, &opened,
		&c.Attempts, &c.Failed, &c.Bad, &closedSpan, &a.Reason, &closed)
	o.Span, c.Span = time.Duration(span)*time.Millisecond, time.Duration(closedSpan)*time.Millisecond
	a.OpenedAt, a.ClosedAt = at(opened), at(closed)
	if closed != 0 && a.Reason == "" { // a release before this one closed it
		a.Reason = c.Why()
	}
	return a, err
}

// Alert reads one.
func (s *Store) Alert(ctx context.Context, accountID, id string) (store.Alert, error) {
	a, err := scanAlert(s.reads.row(ctx, selectAlert+` where id = $1 and account_id = $2`, id, accountID))
	return a, reading("read alert", err)
}

// ListAlerts pages through an account's (indexes alerts_endpoint, alerts_account_open, alerts_account).
func (s *Store) ListAlerts(ctx context.Context, accountID string, f store.AlertFilter, page store.Page) ([]store.Alert, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	w := where{}
	w.text = "account_id = " + w.arg(accountID)
	w.add("(opened_at, id) < (?, ?)", after.at, after.text)
	if f.Open {
		w.add("closed_at = 0")
	}
	if f.EndpointID != "" {
		w.add("endpoint_id = ?", f.EndpointID)
	}
	rs, err := s.reads.query(ctx, selectAlert+w.sql()+" order by opened_at desc, id desc limit "+w.arg(page.Limit+1), w.args...)
	found, err := collect(rs, err, scanAlert)
	if err != nil {
		return nil, "", reading("list alerts", err)
	}
	found, next := cut(found, page.Limit, func(a store.Alert) position { return position{at: ms(a.OpenedAt), text: a.ID} })
	return found, next, nil
}

// OpenAlerts gives those that are open at some endpoints.
func (s *Store) OpenAlerts(ctx context.Context, accountID string, endpointIDs []string) ([]store.Alert, error) {
	return s.openAlerts(ctx, accountID, endpointIDs)
}

// openAlerts gives those of an account, or of any ("" = any), by index alerts_open.
func (s *Store) openAlerts(ctx context.Context, accountID string, endpointIDs []string) ([]store.Alert, error) {
	if len(endpointIDs) == 0 {
		return nil, nil
	}
	w := where{text: "closed_at = 0"}
	if accountID != "" {
		w.add("account_id = ?", accountID)
	}
	w.in("endpoint_id", endpointIDs)
	rs, err := s.reads.query(ctx, selectAlert+w.sql()+" order by opened_at, id", w.args...)
	open, err := collect(rs, err, scanAlert)
	return open, reading("read open alerts", err)
}

// selectSinceEnabled reads minutes by the primary key of stats, and dead letters by index deliveries_endpoint_aside.
const selectSinceEnabled = `select e.id,
	coalesce((select cast(sum(s.delivered) as bigint) from stats s where s.endpoint_id = e.id and s.minute >= e.enabled_at - e.enabled_at % 60000 and s.minute < $2), 0),
	(select count(*) from (select updated_at from deliveries where endpoint_id = e.id and status = 'failed' order by created_at desc, id desc limit $3) f where f.updated_at >= e.enabled_at)
	from endpoints e`

// SinceEnabled gives what came of some endpoints since they were enabled.
func (s *Store) SinceEnabled(ctx context.Context, accountID string, endpointIDs []string, until time.Time, most int) (map[string]store.SinceEnabled, error) {
	of := map[string]store.SinceEnabled{}
	if len(endpointIDs) == 0 {
		return of, nil
	}
	w := where{args: []any{accountID, ms(until), most}, text: "e.account_id = $1"}
	w.in("e.id", endpointIDs)
	rs, err := s.reads.query(ctx, selectSinceEnabled+w.sql(), w.args...)
	_, err = collect(rs, err, func(r scanner) (id string, err error) {
		var one store.SinceEnabled
		err = r.Scan(&id, &one.Delivered, &one.Dead)
		of[id] = one
		return id, err
	})
	return of, reading("count what came since endpoints were enabled", err)
}
