package store

import (
	"context"
	"time"
)

// People keeps who may use the dashboard: members of accounts, their identities, invitations and sessions.
type People interface {
	// SetUpOwner uses the set-up link up, as SetUp does, and adds an account's first member: both
	// or neither. *Conflict when the account has, or has had, a key or has a member; else
	// ErrNotFound when this is not the link.
	SetUpOwner(ctx context.Context, hash [32]byte, owner User, now time.Time) error

	// CheckSetup answers as SetUpOwner would of this link, and changes nothing: whoever has none is
	// not worth the cost of a password.
	CheckSetup(ctx context.Context, hash [32]byte, accountID string, now time.Time) error

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
	// AcceptInviteWith does the same for somebody who is known by an identity, which becomes the member's: all
	// or nothing. *Conflict also when the identity is a member's already.
	AcceptInviteWith(ctx context.Context, hash [32]byte, u User, i Identity, now time.Time) (User, error)
	DeleteInvite(ctx context.Context, accountID, id string) error

	// LinkIdentity makes an identity a way in for the member that it names, and answers whether it was none before:
	// linked again it is as it was. ErrNotFound without that member. *Conflict when it is another
	// member's, of whatever account, or when the member has another one of that issuer.
	LinkIdentity(ctx context.Context, i Identity) (bool, error)
	// UnlinkIdentity takes a member's identity of an issuer away; a missing one is ErrNotFound. *Conflict when the
	// member has no password: nothing would be left to sign in by.
	UnlinkIdentity(ctx context.Context, accountID, userID, issuer string) error
	// ListIdentities lists a member's, the oldest first; there are as many as issuers.
	ListIdentities(ctx context.Context, accountID, userID string) ([]Identity, error)
	// UserByIdentity finds the member, of any account, whose identity it is.
	UserByIdentity(ctx context.Context, issuer, subject string) (User, error)

	User(ctx context.Context, accountID, id string) (User, error)
	// UserByEmail finds a member of any account by the address, which is compared in lower case.
	UserByEmail(ctx context.Context, email string) (User, error)
	// ListUsers lists an account's members, newest first.
	ListUsers(ctx context.Context, accountID string, page Page) ([]User, string, error)
	// UpdateUser changes name, role, password and times. *Conflict when no owner would be left.
	UpdateUser(ctx context.Context, accountID, id string, change func(*User) error) (User, error)
	// DeleteUser removes a member, with their identities and sessions and the open invitations that they made.
	// *Conflict for the last owner.
	DeleteUser(ctx context.Context, accountID, id string) error
	// ChangePassword gives the member of a session another password, ends all their sessions, and adds this one:
	// all or nothing. *Conflict when their password is not the one that is named as the one before (both are hashes).
	ChangePassword(ctx context.Context, before, password string, s Session) error

	// SignIn adds a member's session and notes the time, unless still, which sees the member as they are
	// then, answers an error: what let somebody in may have changed meanwhile. ErrNotFound without that member.
	SignIn(ctx context.Context, s Session, still func(User) error) error
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
	Password   string // its argon2id hash, as a PHC string; "" = none, and they sign in by an identity
	CreatedAt  time.Time
	SignedInAt time.Time // last; zero = never
}

// Identity is somebody as an issuer of OpenID Connect knows them, and the member that they are here.
type Identity struct {
	Issuer    string // its URL, as the operator set it
	Subject   string // never given to anybody else by that issuer, unlike an e-mail address
	UserID    string
	AccountID string
	CreatedAt time.Time
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
	Account   string // the account's name; read, never written
	Role      string // of the member; of a portal link's what it was made with
	Agent     string // what the browser calls itself
	Address   string // where it signed in from
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
}
