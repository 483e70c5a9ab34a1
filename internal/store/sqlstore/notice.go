package sqlstore

import (
	"context"
	"math"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// ListNotices reads the oldest notices (index notices_oldest).
func (s *Store) ListNotices(ctx context.Context, limit int) ([]store.NoticeRow, error) {
	rs, err := s.reads.query(ctx, `select id, account_id, kind, endpoint_id, delivery_id, number, failures, reason, alert_id, quiet, created_at from notices order by created_at, id limit $1`, limit)
	all, err := collect(rs, err, func(r scanner) (n store.NoticeRow, err error) {
		var quiet, created int64
		err = r.Scan(&n.ID, &n.AccountID, &n.Kind, &n.EndpointID, &n.DeliveryID, &n.Number, &n.Failures, &n.Reason, &n.AlertID, &quiet, &created)
		n.Quiet, n.CreatedAt = quiet != 0, at(created)
		return n, err
	})
	return all, reading("list notices", err)
}

// DeleteNotice removes a notice that has been told and writes its mails.
func (s *Store) DeleteNotice(ctx context.Context, id string, mails ...store.Mail) error {
	return s.write(ctx, "delete notice", func(ctx context.Context, c conn) error {
		n, err := c.exec(ctx, `delete from notices where id = $1`, id)
		if err != nil || n == 0 {
			return err
		}
		return queueMails(ctx, c, mails)
	})
}

// AddAudit notes who did what.
func (s *Store) AddAudit(ctx context.Context, e store.AuditEntry) error {
	return s.write(ctx, "add audit entry", func(ctx context.Context, c conn) error { return insertAudit(ctx, c, e) })
}

func insertAudit(ctx context.Context, c conn, e store.AuditEntry) error {
	_, err := c.exec(ctx, `insert into audit (account_id, actor, action, object, detail, at) values ($1, $2, $3, $4, $5, $6)`,
		e.AccountID, e.Actor, e.Action, e.Object, e.Detail, ms(e.At))
	return err
}

// ListAudit pages through an account's audit, newest first (index audit_account). What the filter compares is read of
// every row: one is there for what a person did, not for what is delivered.
func (s *Store) ListAudit(ctx context.Context, accountID string, f store.AuditFilter, page store.Page) ([]store.AuditEntry, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	until := ms(f.To)
	if f.To.IsZero() {
		until = math.MaxInt64
	}
	type row struct {
		store.AuditEntry
		seq int64
	}
	rs, err := s.reads.query(ctx, `select seq, account_id, actor, action, object, detail, at from audit where account_id = $1 and seq < $2
		and ($3 = '' or actor = $4) and ($5 = '' or action = $6) and at >= $7 and at < $8 order by seq desc limit $9`,
		accountID, after.id, f.Actor, f.Actor, f.Action, f.Action, ms(f.From), until, page.Limit+1)
	found, err := collect(rs, err, func(r scanner) (e row, err error) {
		var when int64
		err = r.Scan(&e.seq, &e.AccountID, &e.Actor, &e.Action, &e.Object, &e.Detail, &when)
		e.At = at(when)
		return e, err
	})
	if err != nil {
		return nil, "", reading("list audit", err)
	}
	found, next := cut(found, page.Limit, func(e row) position { return position{id: e.seq} })
	entries := make([]store.AuditEntry, len(found))
	for i, e := range found {
		entries[i] = e.AuditEntry
	}
	return entries, next, nil
}
