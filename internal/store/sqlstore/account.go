package sqlstore

import (
	"context"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// CreateAccount adds a tenant.
func (s *Store) CreateAccount(ctx context.Context, a store.Account) error {
	err := s.write(ctx, "create account", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `insert into accounts (id, name, revision, created_at) values ($1, $2, 1, $3)`, a.ID, a.Name, ms(a.CreatedAt))
		return err
	})
	if isUnique(err) {
		return store.Conflictf("account %s exists already", a.ID)
	}
	return err
}

func scanAccount(r scanner) (a store.Account, err error) {
	var created int64
	err = r.Scan(&a.ID, &a.Name, &created)
	a.CreatedAt = at(created)
	return a, err
}

// Account reads one.
func (s *Store) Account(ctx context.Context, id string) (store.Account, error) {
	a, err := scanAccount(s.reads.row(ctx, `select id, name, created_at from accounts where id = $1 and deleted_at = 0`, id))
	return a, reading("read account", err)
}

// ListAccounts pages through the accounts; there are few, so it walks the table.
func (s *Store) ListAccounts(ctx context.Context, page store.Page) ([]store.Account, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	rs, err := s.reads.query(ctx, `select id, name, created_at from accounts where deleted_at = 0 and (created_at, id) < ($1, $2) order by created_at desc, id desc limit $3`,
		after.at, after.text, page.Limit+1)
	found, err := collect(rs, err, scanAccount)
	if err != nil {
		return nil, "", reading("list accounts", err)
	}
	found, next := cut(found, page.Limit, func(a store.Account) position { return position{at: ms(a.CreatedAt), text: a.ID} })
	return found, next, nil
}

// DeleteAccount revokes its keys, deletes its endpoints and hides it.
func (s *Store) DeleteAccount(ctx context.Context, id string, now time.Time) error {
	if id == store.DefaultAccount {
		return store.Conflictf("the default account cannot be deleted")
	}
	return s.write(ctx, "delete account", func(ctx context.Context, c conn) error {
		if err := lockAccount(ctx, c, id, s.engine.lockOwn()); err != nil {
			return err
		}
		rs, err := c.query(ctx, `select id from endpoints where account_id = $1 and state <> 'deleted'`, id)
		endpoints, err := collect(rs, err, func(r scanner) (id string, err error) { return id, r.Scan(&id) })
		if err != nil {
			return err
		}
		for _, e := range endpoints {
			if err := setState(ctx, c, id, e, delivery.Deleted, delivery.ByHand, ms(now)); err != nil {
				return err
			}
			if _, err := settle(ctx, c, e, delivery.Deleted, ms(now), settleBatch); err != nil {
				return err
			}
			if _, err := c.exec(ctx, `delete from secrets where endpoint_id = $1`, e); err != nil {
				return err
			}
		}
		if _, err := c.exec(ctx, `update keys set revoked_at = $1 where account_id = $2 and revoked_at = 0`, ms(now), id); err != nil {
			return err
		}
		for _, table := range []string{"sessions", "invites", "identities", "users", "recipients", "reveals"} {
			if _, err := c.exec(ctx, `delete from `+table+` where account_id = $1`, id); err != nil {
				return err
			}
		}
		_, err = c.exec(ctx, `update accounts set deleted_at = $1, revision = revision + 1 where id = $2`, ms(now), id)
		return err
	})
}

const selectKey = `select id, account_id, name, prefix, hash, scopes, created_at, expires_at, revoked_at, last_used_at from keys`

func scanKey(r scanner) (k store.Key, err error) {
	var hash []byte
	var scopes string
	var created, expires, revoked, used int64
	if err := r.Scan(&k.ID, &k.AccountID, &k.Name, &k.Prefix, &hash, &scopes, &created, &expires, &revoked, &used); err != nil {
		return k, err
	}
	copy(k.Hash[:], hash)
	k.Scopes = strings.Fields(scopes)
	k.CreatedAt, k.ExpiresAt, k.RevokedAt, k.LastUsedAt = at(created), at(expires), at(revoked), at(used)
	return k, nil
}

// CreateKey adds a key.
func (s *Store) CreateKey(ctx context.Context, k store.Key) error {
	return s.write(ctx, "create key", func(ctx context.Context, c conn) error {
		if err := lockAccount(ctx, c, k.AccountID, s.engine.lockOwn()); err != nil {
			return err
		}
		return insertKey(ctx, c, k)
	})
}

// insertKey does nothing rather than fail where there is such a key: a start looks for the one that it was
// given in this way, and a server that serves many would log an error each time.
func insertKey(ctx context.Context, c conn, k store.Key) error {
	n, err := c.exec(ctx, `insert into keys (id, account_id, name, prefix, hash, scopes, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
		k.ID, k.AccountID, k.Name, k.Prefix, k.Hash[:], strings.Join(k.Scopes, " "), ms(k.CreatedAt), ms(k.ExpiresAt))
	if err == nil && n == 0 {
		return store.Conflictf("this key exists already")
	}
	return err
}

// KeyByHash finds a key (index keys_hash). Keys of deleted accounts are revoked.
func (s *Store) KeyByHash(ctx context.Context, hash [32]byte) (store.Key, error) {
	k, err := scanKey(s.quick.row(ctx, selectKey+` where hash = $1`, hash[:]))
	return k, reading("read key", err)
}

// ListKeys pages through an account's keys (index keys_account).
func (s *Store) ListKeys(ctx context.Context, accountID string, page store.Page) ([]store.Key, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	rs, err := s.reads.query(ctx, selectKey+` where account_id = $1 and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4`,
		accountID, after.at, after.text, page.Limit+1)
	found, err := collect(rs, err, scanKey)
	if err != nil {
		return nil, "", reading("list keys", err)
	}
	found, next := cut(found, page.Limit, func(k store.Key) position { return position{at: ms(k.CreatedAt), text: k.ID} })
	return found, next, nil
}

// Key reads a key of an account.
func (s *Store) Key(ctx context.Context, accountID, id string) (store.Key, error) {
	k, err := scanKey(s.reads.row(ctx, selectKey+` where id = $1 and account_id = $2`, id, accountID))
	return k, reading("read key", err)
}

// RevokeKey ends a key; revoking it again changes nothing. The account's row is locked:
// whether the key that asks still lives must hold until the commit.
func (s *Store) RevokeKey(ctx context.Context, accountID, id, by string, now time.Time) error {
	return s.write(ctx, "revoke key", func(ctx context.Context, c conn) error {
		if err := lockAccount(ctx, c, accountID, s.engine.lockOwn()); err != nil {
			return err
		}
		var ended int
		if err := c.row(ctx, `select count(*) from keys where id = $1 and revoked_at <> 0`, by).Scan(&ended); err != nil {
			return err
		}
		if ended > 0 {
			return store.Conflictf("the key that you use was revoked meanwhile: nothing was changed")
		}
		n, err := c.exec(ctx, `update keys set revoked_at = case when revoked_at = 0 then $1 else revoked_at end where id = $2 and account_id = $3`, ms(now), id, accountID)
		if err == nil && n == 0 {
			return store.ErrNotFound
		}
		return err
	})
}

// TouchKey notes that a key was used.
func (s *Store) TouchKey(ctx context.Context, id string, now time.Time) error {
	return s.write(ctx, "touch key", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `update keys set last_used_at = $1 where id = $2 and last_used_at < $1`, ms(now), id)
		return err
	})
}

// OfferSetup keeps the one link that makes an account's first key.
func (s *Store) OfferSetup(ctx context.Context, l store.Link) error {
	return s.write(ctx, "offer set-up", func(ctx context.Context, c conn) error {
		if err := lockUnused(ctx, c, l.AccountID, s.engine.lockOwn()); err != nil {
			return err
		}
		if _, err := c.exec(ctx, `delete from links where account_id = $1 and purpose = $2`, l.AccountID, l.Purpose); err != nil {
			return err
		}
		return insertLink(ctx, c, l)
	})
}

// SetUp uses that link up and adds the first key.
func (s *Store) SetUp(ctx context.Context, hash [32]byte, first store.Key, now time.Time) error {
	return s.write(ctx, "set up", func(ctx context.Context, c conn) error {
		if err := useSetup(ctx, c, hash, first.AccountID, s.engine.lockOwn(), ms(now)); err != nil {
			return err
		}
		return insertKey(ctx, c, first)
	})
}

// useSetup uses the set-up link of an account up.
func useSetup(ctx context.Context, c conn, hash [32]byte, accountID, lock string, now int64) error {
	if err := lockUnused(ctx, c, accountID, lock); err != nil {
		return err
	}
	n, err := c.exec(ctx, `delete from links where hash = $1 and account_id = $2 and purpose = 'setup' and expires_at > $3`, hash[:], accountID, now)
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return err
}

var errUsed = store.Conflictf("the first key or member was made already")

// lockUnused locks an account that never had a key and has no member, so that it gets none
// meanwhile (indexes keys_account and users_account).
func lockUnused(ctx context.Context, c conn, accountID, lock string) error {
	if err := lockAccount(ctx, c, accountID, lock); err != nil {
		return err
	}
	var has bool
	err := c.row(ctx, `select exists (select 1 from keys where account_id = $1) or exists (select 1 from users where account_id = $2)`, accountID, accountID).Scan(&has)
	if err != nil {
		return err
	}
	if has {
		return errUsed
	}
	return nil
}

// CreateLink keeps a one-time link.
func (s *Store) CreateLink(ctx context.Context, l store.Link) error {
	return s.write(ctx, "create link", func(ctx context.Context, c conn) error { return insertLink(ctx, c, l) })
}

func insertLink(ctx context.Context, c conn, l store.Link) error {
	_, err := c.exec(ctx, `insert into links (hash, account_id, purpose, expires_at) values ($1, $2, $3, $4)`, l.Hash[:], l.AccountID, l.Purpose, ms(l.ExpiresAt))
	return err
}

// UseLink removes a link, and adds the session that it leads to.
func (s *Store) UseLink(ctx context.Context, hash [32]byte, purpose string, now time.Time, begin func(store.Link) store.Session) (n store.Session, err error) {
	err = s.write(ctx, "use link", func(ctx context.Context, c conn) error {
		l := store.Link{Hash: hash, Purpose: purpose}
		var expires int64
		err := c.row(ctx, `delete from links where hash = $1 and purpose = $2 and expires_at > $3 returning account_id, expires_at`, hash[:], purpose, ms(now)).Scan(&l.AccountID, &expires)
		if err != nil {
			return err
		}
		l.ExpiresAt = at(expires)
		n = begin(l)
		return insertSession(ctx, c, n)
	})
	if err != nil {
		return store.Session{}, err
	}
	return n, nil
}
