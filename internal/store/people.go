package store

import (
	"context"
	"time"
)

// People keeps who may use the dashboard: members of accounts, invitations and sessions.
type People interface {
	// SetUpOwner uses the set-up link up, as SetUp does, and adds an account's first member: both
	// or neither. *Conflict when the account has, or has had, a key or has a member; else
	// ErrNotFound when this is not the link.
	SetUpOwner(ctx context.Context, hash [32]byte, owner User, now time.Time) error

	// CreateInvite keeps an invitation, in place of any to the same address in that account. *Conflict when the
	// address is a member's already, of whatever account.
	CreateInvite(ctx context.Context, i Invite) error
	// ListInvites lists an account's open ones, newest first.
	ListInvites(ctx context.Context, accountID string, now time.Time, page Page) ([]Invite, string, error)
	// InviteByHash reads an open one, and ErrNotFound after its end.
	InviteByHash(ctx context.Context, hash [32]byte, now time.Time) (Invite, error)
	// AcceptInvite uses an open one up and adds the member that it was for: both or neither. The
	// account, address and role are those of the invitation. *Conflict as for CreateInvite.
	AcceptInvite(ctx context.Context, hash [32]byte, u User, now time.Time) (User, error)
	DeleteInvite(ctx context.Context, accountID, id string) error

	User(ctx context.Context, accountID, id string) (User, error)
	// UserByEmail finds a member of any account by the address, which is compared in lower case.
	UserByEmail(ctx context.Context, email string) (User, error)
	// ListUsers lists an account's members, newest first.
	ListUsers(ctx context.Context, accountID string, page Page) ([]User, string, error)
	// UpdateUser changes name, role, password and times. *Conflict when no owner would be left.
	UpdateUser(ctx context.Context, accountID, id string, change func(*User) error) (User, error)
	// DeleteUser removes a member and ends their sessions. *Conflict for the last owner.
	DeleteUser(ctx context.Context, accountID, id string) error

	CreateSession(ctx context.Context, s Session) error
	// SessionByHash finds a session before its end, with the role that its member has now.
	// ErrNotFound when it or its account has ended.
	SessionByHash(ctx context.Context, hash [32]byte, now time.Time) (Session, error)
	// ListSessions lists an account's live ones, newest first; userID "" = of everybody.
	ListSessions(ctx context.Context, accountID, userID string, now time.Time, page Page) ([]Session, string, error)
	// TouchSession notes that a session is in use and moves its end; callers do it about once a minute.
	TouchSession(ctx context.Context, id string, seen, expires time.Time) error
	// EndSession ends one; a missing one is ErrNotFound.
	EndSession(ctx context.Context, accountID, id string) error
	// EndSessions ends a member's, but for the one named, and answers how many.
	EndSessions(ctx context.Context, accountID, userID, except string) (int, error)
}

// User is a member of an account.
type User struct {
	ID         string // usr_...
	AccountID  string
	Email      string // in lower case; one member has it, over all accounts
	Name       string
	Role       string // an auth.Role
	Password   string // its argon2id hash, as a PHC string
	CreatedAt  time.Time
	SignedInAt time.Time // last; zero = never
}

// Invite is an invitation as it is kept: hashed.
type Invite struct {
	ID        string // inv_...
	Hash      [32]byte
	AccountID string
	Email     string // in lower case
	Role      string
	By        string // who made it, as in the audit
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Session is a sign-in as it is kept: hashed.
type Session struct {
	ID        string // ses_...
	Hash      [32]byte
	AccountID string
	UserID    string // "" = a portal link's
	Email     string // of the member; read, never written
	Name      string // of the member; read, never written
	Role      string // of the member; of a portal link's what it was made with
	Agent     string // what the browser calls itself
	Address   string // where it signed in from
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
}
