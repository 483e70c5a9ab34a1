package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// What can be wrong when somebody signs in.
var (
	// ErrWrongPassword: also when there is no such member, so that nobody learns who is one.
	ErrWrongPassword = errors.New("this e-mail address and password do not belong together")
	// ErrNoSession: nobody is signed in with this token, or not any more.
	ErrNoSession = errors.New("you are not signed in, or not any more")
)

// LockedError says that too many wrong passwords came, for an address or from a network.
type LockedError struct{ For time.Duration }

// Error says for how long.
func (e *LockedError) Error() string {
	return fmt.Sprintf("too many wrong passwords: try again in %s", max(e.For, time.Second).Round(time.Second))
}

const (
	// sessionFor is how long a session lasts without being used.
	sessionFor = 14 * 24 * time.Hour
	// portalFor is how long a portal link's session lasts: no password stands behind it.
	portalFor = 12 * time.Hour
	maxAgent  = 200 // bytes that are kept of what a browser calls itself
)

// Members is what signing in needs of the store.
type Members interface {
	UserByEmail(ctx context.Context, email string) (store.User, error)
	UpdateUser(ctx context.Context, accountID, id string, change func(*store.User) error) (store.User, error)
	UseLink(ctx context.Context, hash [32]byte, purpose string, now time.Time) (store.Link, error)
	CreateSession(ctx context.Context, s store.Session) error
	SessionByHash(ctx context.Context, hash [32]byte, now time.Time) (store.Session, error)
	TouchSession(ctx context.Context, id string, seen, expires time.Time) error
}

// SignIns lets people in: by password, by portal link, and by the session that came of it. It may be used by many goroutines.
type SignIns struct {
	members  Members
	hasher   *hasher
	names    *brake
	networks *brake
}

// NewSignIns makes the way in for the members of a store.
func NewSignIns(members Members) *SignIns {
	return &SignIns{members: members, hasher: newHasher(), names: newBrake(wrongPerName), networks: newBrake(wrongPerNetwork)}
}

// Visitor is where a request comes from.
type Visitor struct {
	From  string // address and port
	Agent string // what the browser calls itself
}

// NormalEmail is how addresses are kept and compared.
func NormalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// HashPassword gives what is kept of a password, or ErrBusy.
func (s *SignIns) HashPassword(ctx context.Context, password string) (phc string, err error) {
	err = s.hasher.do(ctx, func() { phc = hashPassword(password) })
	return phc, err
}

// ByPassword lets a member in and gives the token of their new session. The errors are ErrWrongPassword,
// [*LockedError], ErrBusy, and those of the store.
func (s *SignIns) ByPassword(ctx context.Context, email, password string, v Visitor) (token string, err error) {
	email = NormalEmail(email)
	now, from := time.Now(), network(v.From)
	if wait := max(s.names.locked(email, now), s.networks.locked(from, now)); wait > 0 {
		return "", &LockedError{For: wait}
	}
	u, err := s.members.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("sign in: %w", err)
	}
	right := false
	if err := s.hasher.do(ctx, func() { right = len(password) <= 4*MaxPassword && matches(u.Password, password) }); err != nil {
		return "", err
	}
	if !right {
		s.names.failed(email, now)
		if !inside(v.From) {
			s.networks.failed(from, now)
		}
		return "", ErrWrongPassword
	}
	s.names.succeeded(email)
	if _, err := s.members.UpdateUser(ctx, u.AccountID, u.ID, func(u *store.User) error { u.SignedInAt = now; return nil }); err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	return s.Begin(ctx, u.AccountID, u.ID, "", v)
}

// inside reports an address of this machine or a private network: a proxy's, behind which everybody comes from one. Whoever
// tries wrong passwords must not lock all of them out.
func inside(from string) bool {
	addr, err := netip.ParseAddrPort(from)
	if err != nil {
		return false
	}
	ip := addr.Addr().Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}

// ByPortalLink uses a one-time link up and lets its holder into its account: as an owner of the default account,
// whose keys may everything, as an admin of any other. store.ErrNotFound when it was used, or has ended.
func (s *SignIns) ByPortalLink(ctx context.Context, link string, v Visitor) (token, accountID string, err error) {
	row, err := s.members.UseLink(ctx, Hash(link), string(Portal), time.Now())
	if err != nil {
		return "", "", err
	}
	role := Administrator
	if row.AccountID == store.DefaultAccount {
		role = Owner
	}
	token, err = s.Begin(ctx, row.AccountID, "", role, v)
	return token, row.AccountID, err
}

// Begin begins a session of a member, or of nobody in particular with a role.
func (s *SignIns) Begin(ctx context.Context, accountID, userID string, role Role, v Visitor) (token string, err error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	life := sessionFor
	if userID == "" {
		life = portalFor
	}
	token = random(secretBytes)
	err = s.members.CreateSession(ctx, store.Session{
		ID: "ses_" + random(10), Hash: Hash(token), AccountID: accountID, UserID: userID, Role: string(role),
		Agent: v.Agent[:min(len(v.Agent), maxAgent)], Address: network(v.From), CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(life),
	})
	return token, err
}

// BySession finds who a token belongs to. ErrNoSession when to nobody.
func (s *SignIns) BySession(ctx context.Context, token string) (Caller, store.Session, error) {
	if token == "" || len(token) > maxHeader {
		return Caller{}, store.Session{}, ErrNoSession
	}
	now, hash := time.Now(), Hash(token)
	row, err := s.members.SessionByHash(ctx, hash, now)
	if errors.Is(err, store.ErrNotFound) || err == nil && subtle.ConstantTimeCompare(row.Hash[:], hash[:]) != 1 {
		return Caller{}, store.Session{}, ErrNoSession
	}
	if err != nil {
		return Caller{}, store.Session{}, fmt.Errorf("read session: %w", err)
	}
	if now.Sub(row.SeenAt) >= touchEvery {
		expires := row.ExpiresAt
		if row.UserID != "" {
			expires = now.Add(sessionFor)
		}
		_ = s.members.TouchSession(ctx, row.ID, now, expires) // people may look around while the disk is full
	}
	return callerOf(row), row, nil
}

func callerOf(row store.Session) Caller {
	role, actor := Role(row.Role), row.UserID
	if actor == "" {
		actor = "portal:" + row.ID
	}
	return Caller{AccountID: row.AccountID, Actor: actor, Role: role, Scopes: role.Scopes(row.AccountID)}
}
