package sqlstore

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// AcceptInviteWith uses an invitation up and adds its member with their identity.
func (s *Store) AcceptInviteWith(ctx context.Context, hash [32]byte, u store.User, i store.Identity, now time.Time) (store.User, error) {
	err := s.write(ctx, "accept invitation", func(ctx context.Context, c conn) error {
		if err := s.acceptInvite(ctx, c, hash, &u, now); err != nil {
			return err
		}
		i.UserID, i.AccountID = u.ID, u.AccountID
		_, err := insertIdentity(ctx, c, i)
		return err
	})
	return u, err
}

// LinkIdentity adds an identity of a member.
func (s *Store) LinkIdentity(ctx context.Context, i store.Identity) (added bool, err error) {
	err = s.write(ctx, "link identity", func(ctx context.Context, c conn) error {
		if _, err := s.lockUser(ctx, c, i.AccountID, i.UserID); err != nil {
			return err
		}
		added, err = insertIdentity(ctx, c, i)
		return err
	})
	return added, err
}

// deleteLeftIdentity removes an identity whose member was removed by a release that knew of no identities.
const deleteLeftIdentity = `delete from identities where issuer = $1 and subject = $2 and not exists (select 1 from users u where u.id = identities.user_id)`

// insertIdentity adds an identity (primary key, and index identities_user) and answers whether the member had it not.
func insertIdentity(ctx context.Context, c conn, i store.Identity) (bool, error) {
	if _, err := c.exec(ctx, deleteLeftIdentity, i.Issuer, i.Subject); err != nil {
		return false, err
	}
	n, err := c.exec(ctx, `insert into identities (issuer, subject, user_id, account_id, created_at) values ($1, $2, $3, $4, $5) on conflict do nothing`,
		i.Issuer, i.Subject, i.UserID, i.AccountID, ms(i.CreatedAt))
	if err != nil || n > 0 {
		return n > 0, err
	}
	var of string
	if err := c.row(ctx, `select coalesce((select user_id from identities where issuer = $1 and subject = $2), '')`, i.Issuer, i.Subject).Scan(&of); err != nil {
		return false, err
	}
	switch of {
	case i.UserID:
		return false, nil
	case "":
		return false, store.Conflictf("another sign-in of this kind is linked to you already: unlink that one first")
	}
	return false, store.Conflictf("this single sign-on belongs to another member already: sign in as that member, or unlink it there")
}

// UnlinkIdentity removes an identity of a member who has a password.
func (s *Store) UnlinkIdentity(ctx context.Context, accountID, userID, issuer string) error {
	return s.write(ctx, "unlink identity", func(ctx context.Context, c conn) error {
		u, err := s.lockUser(ctx, c, accountID, userID)
		if err != nil {
			return err
		}
		if u.Password == "" {
			return store.Conflictf("you have no password, so nothing would be left to sign in by: set one first")
		}
		return one(c.exec(ctx, `delete from identities where account_id = $1 and user_id = $2 and issuer = $3`, accountID, userID, issuer))
	})
}

// ListIdentities lists what a member has (index identities_user).
func (s *Store) ListIdentities(ctx context.Context, accountID, userID string) ([]store.Identity, error) {
	rs, err := s.reads.query(ctx, `select issuer, subject, user_id, account_id, created_at from identities where account_id = $1 and user_id = $2 order by created_at, issuer`, accountID, userID)
	found, err := collect(rs, err, scanIdentity)
	return found, reading("list identities", err)
}

func scanIdentity(r scanner) (i store.Identity, err error) {
	var created int64
	err = r.Scan(&i.Issuer, &i.Subject, &i.UserID, &i.AccountID, &created)
	i.CreatedAt = at(created)
	return i, err
}

// UserByIdentity finds a member by the primary key of their identity.
func (s *Store) UserByIdentity(ctx context.Context, issuer, subject string) (store.User, error) {
	u, err := scanUser(s.reads.row(ctx, selectUser+` where id = (select user_id from identities where issuer = $1 and subject = $2)`, issuer, subject))
	return u, reading("read member", err)
}
