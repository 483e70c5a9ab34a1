package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// ownerRole is auth.Owner: an account that has members keeps one of these.
const ownerRole = "owner"

// adminRole is auth.Administrator.
const adminRole = "admin"

// SetUpOwner uses the set-up link up and adds the first member.
func (s *Store) SetUpOwner(ctx context.Context, hash [32]byte, owner store.User, now time.Time) error {
	return s.write(ctx, "set up owner", func(ctx context.Context, c conn) error {
		if err := useSetup(ctx, c, hash, owner.AccountID, s.engine.lockOwn(), ms(now)); err != nil {
			return err
		}
		return insertUser(ctx, c, owner)
	})
}

// CheckSetup looks whether a set-up link can be used.
func (s *Store) CheckSetup(ctx context.Context, hash [32]byte, accountID string, now time.Time) error {
	var used, known bool
	err := s.reads.row(ctx, `select exists (select 1 from keys where account_id = $1) or exists (select 1 from users where account_id = $1),
		exists (select 1 from links where hash = $2 and account_id = $1 and purpose = 'setup' and expires_at > $3)`, accountID, hash[:], ms(now)).Scan(&used, &known)
	switch {
	case err != nil:
		return reading("check set-up link", err)
	case used:
		return errUsed
	case !known:
		return store.ErrNotFound
	}
	return nil
}

// insertUser adds a member unless the address is taken.
func insertUser(ctx context.Context, c conn, u store.User) error {
	n, err := c.exec(ctx, `insert into users (id, account_id, email, name, role, password, created_at, signed_in_at) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
		u.ID, u.AccountID, u.Email, u.Name, u.Role, u.Password, ms(u.CreatedAt), ms(u.SignedInAt))
	if err == nil && n == 0 {
		return errEmailTaken
	}
	return err
}

var errEmailTaken = store.Conflictf("this e-mail address belongs to somebody who can sign in already")

const selectUser = `select id, account_id, email, name, role, password, created_at, signed_in_at from users`

func scanUser(r scanner) (u store.User, err error) {
	var created, signedIn int64
	err = r.Scan(&u.ID, &u.AccountID, &u.Email, &u.Name, &u.Role, &u.Password, &created, &signedIn)
	u.CreatedAt, u.SignedInAt = at(created), at(signedIn)
	return u, err
}

// CreateInvite keeps an invitation in place of the one before it (index invites_email).
func (s *Store) CreateInvite(ctx context.Context, i store.Invite) error {
	return s.write(ctx, "create invitation", func(ctx context.Context, c conn) error {
		if err := lockAccount(ctx, c, i.AccountID, s.engine.lockOwn()); err != nil {
			return err
		}
		var taken bool
		if err := c.row(ctx, `select exists (select 1 from users where email = $1)`, i.Email).Scan(&taken); err != nil {
			return err
		}
		if taken {
			return errEmailTaken
		}
		if _, err := c.exec(ctx, `delete from invites where account_id = $1 and email = $2`, i.AccountID, i.Email); err != nil {
			return err
		}
		_, err := c.exec(ctx, `insert into invites (id, hash, account_id, email, role, made_by, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
			i.ID, i.Hash[:], i.AccountID, i.Email, i.Role, i.By, ms(i.CreatedAt), ms(i.ExpiresAt))
		return err
	})
}

const selectInvite = `select id, hash, account_id, email, role, made_by, created_at, expires_at from invites`

func scanInvite(r scanner) (i store.Invite, err error) {
	var hash []byte
	var created, expires int64
	err = r.Scan(&i.ID, &hash, &i.AccountID, &i.Email, &i.Role, &i.By, &created, &expires)
	copy(i.Hash[:], hash)
	i.CreatedAt, i.ExpiresAt = at(created), at(expires)
	return i, err
}

// ListInvites pages through an account's open invitations; there are few of an account (index invites_email).
func (s *Store) ListInvites(ctx context.Context, accountID string, now time.Time, page store.Page) ([]store.Invite, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	rs, err := s.reads.query(ctx, selectInvite+` where account_id = $1 and expires_at > $2 and (created_at, id) < ($3, $4) order by created_at desc, id desc limit $5`,
		accountID, ms(now), after.at, after.text, page.Limit+1)
	found, err := collect(rs, err, scanInvite)
	if err != nil {
		return nil, "", reading("list invitations", err)
	}
	found, next := cut(found, page.Limit, func(i store.Invite) position { return position{at: ms(i.CreatedAt), text: i.ID} })
	return found, next, nil
}

// InviteByHash reads an open invitation (index invites_hash).
func (s *Store) InviteByHash(ctx context.Context, hash [32]byte, now time.Time) (store.Invite, error) {
	i, err := scanInvite(s.reads.row(ctx, selectInvite+` where hash = $1 and expires_at > $2`, hash[:], ms(now)))
	return i, reading("read invitation", err)
}

// AcceptInvite uses an invitation up and adds its member.
func (s *Store) AcceptInvite(ctx context.Context, hash [32]byte, u store.User, now time.Time) (store.User, error) {
	err := s.write(ctx, "accept invitation", func(ctx context.Context, c conn) error {
		return s.acceptInvite(ctx, c, hash, &u, now)
	})
	return u, err
}

// acceptInvite fills in what the invitation says of its member, and holds the lock of the account.
func (s *Store) acceptInvite(ctx context.Context, c conn, hash [32]byte, u *store.User, now time.Time) error {
	err := c.row(ctx, `delete from invites where hash = $1 and expires_at > $2 returning account_id, email, role`, hash[:], ms(now)).Scan(&u.AccountID, &u.Email, &u.Role)
	if err != nil {
		return err
	}
	if err := lockAccount(ctx, c, u.AccountID, s.engine.lockOwn()); err != nil {
		return err
	}
	return insertUser(ctx, c, *u)
}

// DeleteInvite takes an invitation back.
func (s *Store) DeleteInvite(ctx context.Context, accountID, id string) error {
	return s.write(ctx, "delete invitation", func(ctx context.Context, c conn) error {
		return one(c.exec(ctx, `delete from invites where id = $1 and account_id = $2`, id, accountID))
	})
}

// one makes an error of a change that met no row.
func one(n int64, err error) error {
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return err
}

// User reads a member of an account.
func (s *Store) User(ctx context.Context, accountID, id string) (store.User, error) {
	u, err := scanUser(s.reads.row(ctx, selectUser+` where id = $1 and account_id = $2`, id, accountID))
	return u, reading("read member", err)
}

// UserByEmail finds a member of any account (index users_email).
func (s *Store) UserByEmail(ctx context.Context, email string) (store.User, error) {
	u, err := scanUser(s.reads.row(ctx, selectUser+` where email = $1`, email))
	return u, reading("read member", err)
}

// ListUsers pages through an account's members (index users_account).
func (s *Store) ListUsers(ctx context.Context, accountID string, page store.Page) ([]store.User, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	rs, err := s.reads.query(ctx, selectUser+` where account_id = $1 and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4`,
		accountID, after.at, after.text, page.Limit+1)
	found, err := collect(rs, err, scanUser)
	if err != nil {
		return nil, "", reading("list members", err)
	}
	found, next := cut(found, page.Limit, func(u store.User) position { return position{at: ms(u.CreatedAt), text: u.ID} })
	return found, next, nil
}

// UpdateUser changes a member. The account's row is locked: that an owner is left must hold until
// the commit.
func (s *Store) UpdateUser(ctx context.Context, accountID, id string, change func(*store.User) error) (u store.User, err error) {
	err = s.write(ctx, "update member", func(ctx context.Context, c conn) error {
		var err error
		if u, err = s.lockUser(ctx, c, accountID, id); err != nil {
			return err
		}
		before := u.Role
		if err := change(&u); err != nil {
			return err
		}
		if u.Role != ownerRole {
			if err := ownerBeside(ctx, c, accountID, id); err != nil {
				return err
			}
		}
		if u.Role != before {
			if err := dropInvites(ctx, c, accountID, id); err != nil {
				return err
			}
		}
		_, err = c.exec(ctx, `update users set name = $1, role = $2, password = $3, signed_in_at = $4 where id = $5`, u.Name, u.Role, u.Password, ms(u.SignedInAt), id)
		return err
	})
	return u, err
}

// dropInvites takes back what a member invited others to: what they may no longer give.
func dropInvites(ctx context.Context, c conn, accountID, userID string) error {
	_, err := c.exec(ctx, `delete from invites where account_id = $1 and made_by = $2`, accountID, userID)
	return err
}

// ownerBeside refuses what would leave an account without an owner, if this member is its only one.
func ownerBeside(ctx context.Context, c conn, accountID, id string) error {
	var is, others bool
	err := c.row(ctx, `select exists (select 1 from users where id = $1 and account_id = $2 and role = '`+ownerRole+`'),
		exists (select 1 from users where account_id = $2 and id <> $1 and role = '`+ownerRole+`')`, id, accountID).Scan(&is, &others)
	if err == nil && is && !others {
		return store.Conflictf("this is the account's only owner: make somebody else an owner first")
	}
	return err
}

// DeleteUser removes a member with their identities and sessions.
func (s *Store) DeleteUser(ctx context.Context, accountID, id string) error {
	return s.write(ctx, "delete member", func(ctx context.Context, c conn) error {
		if err := lockAccount(ctx, c, accountID, s.engine.lockOwn()); err != nil {
			return err
		}
		if err := ownerBeside(ctx, c, accountID, id); err != nil {
			return err
		}
		if err := one(c.exec(ctx, `delete from users where id = $1 and account_id = $2`, id, accountID)); err != nil {
			return err
		}
		if _, err := c.exec(ctx, `delete from identities where account_id = $1 and user_id = $2`, accountID, id); err != nil {
			return err
		}
		if err := dropInvites(ctx, c, accountID, id); err != nil {
			return err
		}
		_, err := c.exec(ctx, `delete from sessions where account_id = $1 and user_id = $2`, accountID, id)
		return err
	})
}

// ChangePassword sets a password and leaves the member one session.
func (s *Store) ChangePassword(ctx context.Context, before, password string, n store.Session) error {
	return s.write(ctx, "change password", func(ctx context.Context, c conn) error {
		u, err := s.lockUser(ctx, c, n.AccountID, n.UserID)
		if err != nil {
			return err
		}
		if u.Password != before {
			return store.Conflictf("the password was changed by somebody else just now: if that was not you, ask an owner or an admin of the account")
		}
		if _, err := c.exec(ctx, `update users set password = $1 where id = $2`, password, u.ID); err != nil {
			return err
		}
		if _, err := c.exec(ctx, `delete from sessions where account_id = $1 and user_id = $2`, u.AccountID, u.ID); err != nil {
			return err
		}
		return insertSession(ctx, c, n)
	})
}

// lockUser reads a member under the lock of their account, which everything that changes one takes.
func (s *Store) lockUser(ctx context.Context, c conn, accountID, id string) (store.User, error) {
	if err := lockAccount(ctx, c, accountID, s.engine.lockOwn()); err != nil {
		return store.User{}, err
	}
	return scanUser(c.row(ctx, selectUser+` where id = $1 and account_id = $2`, id, accountID))
}

// SignIn adds a member's session.
func (s *Store) SignIn(ctx context.Context, n store.Session, still func(store.User) error) error {
	return s.write(ctx, "sign in", func(ctx context.Context, c conn) error {
		u, err := s.lockUser(ctx, c, n.AccountID, n.UserID)
		if err != nil {
			return err
		}
		if err := still(u); err != nil {
			return err
		}
		if _, err := c.exec(ctx, `update users set signed_in_at = $1 where id = $2`, ms(n.CreatedAt), u.ID); err != nil {
			return err
		}
		return insertSession(ctx, c, n)
	})
}

func insertSession(ctx context.Context, c conn, n store.Session) error {
	_, err := c.exec(ctx, `insert into sessions (id, hash, account_id, user_id, role, agent, address, created_at, seen_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		n.ID, n.Hash[:], n.AccountID, n.UserID, n.Role, n.Agent, n.Address, ms(n.CreatedAt), ms(n.SeenAt), ms(n.ExpiresAt))
	return err
}

// selectSession reads the role of a member's session from the member: a session whose member is
// gone has none, and is none.
const selectSession = `select s.id, s.hash, s.account_id, s.user_id, coalesce(u.email, ''), coalesce(u.name, ''), a.name, coalesce(u.role, s.role), s.agent, s.address, s.created_at, s.seen_at, s.expires_at
	from sessions s join accounts a on a.id = s.account_id and a.deleted_at = 0 left join users u on u.id = s.user_id and u.account_id = s.account_id
	where (s.user_id = '' or u.id is not null)`

func scanSession(r scanner) (n store.Session, err error) {
	var hash []byte
	var created, seen, expires int64
	err = r.Scan(&n.ID, &hash, &n.AccountID, &n.UserID, &n.Email, &n.Name, &n.Account, &n.Role, &n.Agent, &n.Address, &created, &seen, &expires)
	copy(n.Hash[:], hash)
	n.CreatedAt, n.SeenAt, n.ExpiresAt = at(created), at(seen), at(expires)
	return n, err
}

// SessionByHash finds a session (index sessions_hash).
func (s *Store) SessionByHash(ctx context.Context, hash [32]byte, now time.Time) (store.Session, error) {
	n, err := scanSession(s.reads.row(ctx, selectSession+` and s.hash = $1 and s.expires_at > $2`, hash[:], ms(now)))
	return n, reading("read session", err)
}

// ListSessions pages through the live sessions of an account (index sessions_account), or of one
// member, who has few.
func (s *Store) ListSessions(ctx context.Context, accountID, userID string, now time.Time, page store.Page) ([]store.Session, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	rs, err := s.reads.query(ctx, selectSession+` and s.account_id = $1 and ($2 = '' or s.user_id = $3) and s.expires_at > $4 and (s.created_at, s.id) < ($5, $6)
		order by s.created_at desc, s.id desc limit $7`, accountID, userID, userID, ms(now), after.at, after.text, page.Limit+1)
	found, err := collect(rs, err, scanSession)
	if err != nil {
		return nil, "", reading("list sessions", err)
	}
	found, next := cut(found, page.Limit, func(n store.Session) position { return position{at: ms(n.CreatedAt), text: n.ID} })
	return found, next, nil
}

// TouchSession notes that a session is in use. One that has ended stays so.
func (s *Store) TouchSession(ctx context.Context, id string, seen, expires time.Time) error {
	return s.write(ctx, "touch session", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `update sessions set seen_at = $1, expires_at = $2 where id = $3 and seen_at < $1 and expires_at > $1`, ms(seen), ms(expires), id)
		return err
	})
}

// EndSession ends a session.
func (s *Store) EndSession(ctx context.Context, accountID, id string) error {
	return s.write(ctx, "end session", func(ctx context.Context, c conn) error {
		return one(c.exec(ctx, `delete from sessions where id = $1 and account_id = $2`, id, accountID))
	})
}

// EndSessions ends a member's sessions but for one.
func (s *Store) EndSessions(ctx context.Context, accountID, userID, except string) (int, error) {
	if userID == "" {
		return 0, errors.New("end sessions: of nobody")
	}
	var n int64
	err := s.write(ctx, "end sessions", func(ctx context.Context, c conn) (err error) {
		n, err = c.exec(ctx, `delete from sessions where account_id = $1 and user_id = $2 and id <> $3`, accountID, userID, except)
		return err
	})
	return int(n), err
}
