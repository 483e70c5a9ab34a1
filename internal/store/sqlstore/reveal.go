package sqlstore

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// KeepReveal adds one.
func (s *Store) KeepReveal(ctx context.Context, r store.Reveal) error {
	return s.write(ctx, "keep reveal", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `insert into reveals (id, account_id, session_id, sealed, expires_at) values ($1, $2, $3, $4, $5)`,
			r.ID, r.AccountID, r.SessionID, r.Sealed, ms(r.ExpiresAt))
		return err
	})
}

// TakeReveal gives one, and removes it.
func (s *Store) TakeReveal(ctx context.Context, accountID, sessionID, id string, now time.Time) (store.Reveal, error) {
	r := store.Reveal{ID: id, AccountID: accountID, SessionID: sessionID}
	err := s.write(ctx, "take reveal", func(ctx context.Context, c conn) error {
		var expires int64
		err := c.row(ctx, `delete from reveals where id = $1 and account_id = $2 and session_id = $3 and expires_at > $4 returning sealed, expires_at`,
			id, accountID, sessionID, ms(now)).Scan(&r.Sealed, &expires)
		r.ExpiresAt = at(expires)
		return err
	})
	return r, err
}

// DeleteReveals removes those that are over (index reveals_end).
func (s *Store) DeleteReveals(ctx context.Context, now time.Time, limit int) (int, error) {
	var n int64
	err := s.write(ctx, "delete reveals", func(ctx context.Context, c conn) (err error) {
		n, err = c.exec(ctx, `delete from reveals where id in (select id from reveals where expires_at <= $1 order by expires_at limit $2`+s.engine.lockAny()+`)`, ms(now), limit)
		return err
	})
	return int(n), err
}
