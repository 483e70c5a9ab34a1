package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
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

// LockedError says that too many sign-ins failed, for an address or from a network.
type LockedError struct{ For time.Duration }

// Error says for how long.
func (e *LockedError) Error() string {
	return fmt.Sprintf("too many sign-ins failed: try again in %s", max(e.For, time.Second).Round(time.Second))
}

const (
	// sessionFor is how long a session lasts without being used.
	sessionFor = 14 * 24 * time.Hour
	// SessionLongest is how long a session lasts however much it is used: as long as the browser is told to keep its token.
	SessionLongest = 30 * 24 * time.Hour
	// portalFor is how long a portal link's session lasts: no password stands behind it.
	portalFor = 12 * time.Hour
	maxAgent  = 200 // bytes that are kept of what a browser calls itself
	maxName   = 320 // bytes that are looked at of an address: longer than any, and the brake remembers them
)

// Members is what signing in needs of the store.
type Members interface {
	UserByEmail(ctx context.Context, email string) (store.User, error)
	UserByIdentity(ctx context.Context, issuer, subject string) (store.User, error)
	User(ctx context.Context, accountID, id string) (store.User, error)
	SignIn(ctx context.Context, s store.Session, still func(store.User) error) error
	ChangePassword(ctx context.Context, before, password string, s store.Session) error
	UseLink(ctx context.Context, hash [32]byte, purpose string, now time.Time, begin func(store.Link) store.Session) (store.Session, error)
	SessionByHash(ctx context.Context, hash [32]byte, now time.Time) (store.Session, error)
	TouchSession(ctx context.Context, id string, seen, expires time.Time) error
	EndSession(ctx context.Context, accountID, id string) error
	AddAudit(ctx context.Context, e store.AuditEntry) error
}

// SignIns lets people in: by password, by portal link, by single sign-on, and by the session that came of it. It
// writes down in the audit who came and went. It may be used by many goroutines.
type SignIns struct {
	members  Members
	log      *slog.Logger
	hasher   *hasher
	pairs    *brake
	names    *brake
	networks *brake
	refused  *refusals
}

// NewSignIns makes the way in for the members of a store; a nil logger is slog.Default().
func NewSignIns(members Members, log *slog.Logger) *SignIns {
	if log == nil {
		log = slog.Default()
	}
	return &SignIns{members: members, log: log, hasher: newHasher(), pairs: newBrake(wrongPerPair), names: newBrake(wrongPerName), networks: newBrake(wrongPerNetwork), refused: newRefusals()}
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
	email = plain(email, maxName)
	if err := s.lockedOut(email, v); err != nil {
		return "", err
	}
	u, err := s.members.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("sign in: %w", err)
	}
	u.Email = email // of nobody, too
	if err := s.prove(ctx, u, password, v); err != nil {
		return "", err
	}
	return s.begin(ctx, u, "by password", v, func(now store.User) error {
		if now.Password != u.Password {
			return ErrWrongPassword // it was changed after it was compared
		}
		return nil
	})
}

// prove compares a password with a member's. It counts wrong ones, and takes as long when there is no member, or
// they have no password.
func (s *SignIns) prove(ctx context.Context, u store.User, password string, v Visitor) error {
	right := false
	if err := s.hasher.do(ctx, func() { right = len(password) <= 4*MaxPassword && matches(u.Password, password) }); err != nil {
		return err
	}
	if !right {
		now := time.Now()
		s.pairs.failed(pair(u.Email, v), now)
		s.names.failed(u.Email, now)
		s.Failed(v)
		s.refused.add(u, v, now)
		return ErrWrongPassword
	}
	s.pairs.succeeded(pair(u.Email, v))
	return nil
}

// Failed counts a sign-in that failed against the network that it came from.
func (s *SignIns) Failed(v Visitor) {
	if !inside(v.From) {
		s.networks.failed(network(v.From), time.Now())
	}
}

// Locked answers a [*LockedError] while too many have failed from a visitor's network.
func (s *SignIns) Locked(v Visitor) error {
	return lockedFor(s.networks.locked(network(v.From), time.Now()))
}

// lockedOut answers a [*LockedError] while too many have failed for a name, or from a visitor's network.
func (s *SignIns) lockedOut(name string, v Visitor) error {
	now := time.Now()
	if err := lockedFor(max(s.pairs.locked(pair(name, v), now), s.names.locked(name, now))); err != nil {
		return err
	}
	return s.Locked(v)
}

// pair is a name as it is tried from one network: whoever tries wrong passwords there must not lock out the member, who is
// elsewhere.
func pair(name string, v Visitor) string { return name + "\x00" + network(v.From) }

func lockedFor(d time.Duration) error {
	if d > 0 {
		return &LockedError{For: d}
	}
	return nil
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
	session, err := s.members.UseLink(ctx, Hash(link), string(Portal), time.Now(), func(l store.Link) (n store.Session) {
		role := Administrator
		if l.AccountID == store.DefaultAccount {
			role = Owner
		}
		token, n = newSession(l.AccountID, "", role, v)
		return n
	})
	if err != nil {
		return "", "", err
	}
	s.note(ctx, session, "session.sign_in", "by link", v)
	return token, session.AccountID, nil
}

// Begin begins the session of a member who has just become one; by says how.
func (s *SignIns) Begin(ctx context.Context, u store.User, by string, v Visitor) (token string, err error) {
	return s.begin(ctx, u, by, v, func(store.User) error { return nil })
}

// begin begins a session of a member, unless what let them in holds no more.
func (s *SignIns) begin(ctx context.Context, u store.User, by string, v Visitor, still func(store.User) error) (token string, err error) {
	token, session := newSession(u.AccountID, u.ID, "", v)
	if err := s.members.SignIn(ctx, session, still); err != nil {
		return "", err
	}
	s.note(ctx, session, "session.sign_in", by, v)
	return token, nil
}

// newSession makes a session of a member, or of nobody in particular with a role.
func newSession(accountID, userID string, role Role, v Visitor) (token string, n store.Session) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	life := sessionFor
	if userID == "" {
		life = portalFor
	}
	token = random(secretBytes)
	return token, store.Session{
		ID: "ses_" + random(10), Hash: Hash(token), AccountID: accountID, UserID: userID, Role: string(role),
		Agent: plain(v.Agent, maxAgent), Address: network(v.From), CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(life),
	}
}

// plain cuts a text that anybody may have sent to something that every database keeps.
func plain(text string, most int) string {
	text = strings.ReplaceAll(text, "\x00", "")
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// SignOut ends the session of who signs out. store.ErrNotFound when it has ended already.
func (s *SignIns) SignOut(ctx context.Context, session store.Session, v Visitor) error {
	if err := s.members.EndSession(ctx, session.AccountID, session.ID); err != nil {
		return err
	}
	s.note(ctx, session, "session.sign_out", "", v)
	return nil
}

// BySession finds who a token belongs to, and writes down that the session is in use. ErrNoSession when to nobody.
func (s *SignIns) BySession(ctx context.Context, token string) (Caller, store.Session, error) {
	caller, row, err := s.Watching(ctx, token)
	if now := time.Now(); err == nil && now.Sub(row.SeenAt) >= touchEvery {
		expires := row.ExpiresAt
		if row.UserID != "" {
			expires = earlier(now.Add(sessionFor), row.CreatedAt.Add(SessionLongest))
		}
		_ = s.members.TouchSession(ctx, row.ID, now, expires) // people may look around while the disk is full
	}
	return caller, row, err
}

// Watching is BySession for what an open page asks for by itself, which is no use of its session: a page that is
// left open must not keep it from ending.
func (s *SignIns) Watching(ctx context.Context, token string) (Caller, store.Session, error) {
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
	return callerOf(row), row, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func callerOf(row store.Session) Caller {
	role := Role(row.Role)
	return Caller{AccountID: row.AccountID, Actor: actorOf(row), Role: role, Scopes: role.Scopes(row.AccountID)}
}

// actorOf says whose session it is, for the audit.
func actorOf(row store.Session) string {
	if row.UserID == "" {
		return "portal:" + row.ID
	}
	return row.UserID
}
