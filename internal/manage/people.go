package manage

import (
	"cmp"
	"context"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// inviteFor is how long an invitation can be accepted.
const inviteFor = 7 * 24 * time.Hour

// maxEmail is the longest address that mail can be sent to (RFC 5321 section 4.5.3.1.3).
const maxEmail = 254

// Invite is whom to invite, to the caller's account.
type Invite struct {
	Email string
	Role  auth.Role
}

// Invitation is a new one. Whoever has the token becomes the member that it names.
type Invitation struct {
	store.Invite
	Token string // shown here and never again
}

// NewMember is what somebody says of themselves who becomes a member.
type NewMember struct {
	Token    string // of the set-up link or the invitation
	Email    string // of an owner who is set up; an invitation has it
	Name     string // 1 to 100 characters
	Password string
}

// SetUpOwner makes the first owner of the default account for whoever has the set-up link. There is no caller yet: the
// link is the proof, here and in the two functions below. *Invalid; store.ErrNotFound when
// the link is none; *store.Conflict when there is a member or a key already.
func SetUpOwner(ctx context.Context, m *Manager, in NewMember) (store.User, error) {
	if err := CheckSetup(ctx, m, in.Token); err != nil {
		return store.User{}, err
	}
	u, err := m.newMember(ctx, in, true)
	if err != nil {
		return store.User{}, err
	}
	u.AccountID, u.Role = store.DefaultAccount, string(auth.Owner)
	if err := m.db.SetUpOwner(ctx, auth.Hash(in.Token), u, now()); err != nil {
		return store.User{}, err
	}
	m.writeDown(ctx, auth.Caller{AccountID: u.AccountID, Actor: "setup"}, "member.create", memberDeed(u, "first owner"))
	return u, nil
}

// CheckSetup answers as SetUpOwner would of a set-up link, and changes nothing.
func CheckSetup(ctx context.Context, m *Manager, token string) error {
	return m.db.CheckSetup(ctx, auth.Hash(token), store.DefaultAccount, now())
}

// AcceptInvite makes a member of whoever has the token. *Invalid; store.ErrNotFound when the invitation has ended,
// was accepted or taken back; *store.Conflict when the address is a member's by now.
func AcceptInvite(ctx context.Context, m *Manager, in NewMember) (store.User, error) {
	invite, err := ReadInvite(ctx, m, in.Token)
	if err != nil {
		return store.User{}, err
	}
	in.Email = invite.Email
	u, err := m.newMember(ctx, in, false)
	if err != nil {
		return store.User{}, err
	}
	if u, err = m.db.AcceptInvite(ctx, auth.Hash(in.Token), u, now()); err != nil {
		return store.User{}, err
	}
	m.writeDown(ctx, auth.Caller{AccountID: u.AccountID, Actor: u.ID}, "member.create", memberDeed(u, "invited by "+invite.By))
	return u, nil
}

// AcceptInviteWith makes a member of whoever has the token and came by single sign-on: they have no password. A
// name that cannot be kept is left out for their address. The errors are those of AcceptInvite, and *store.Conflict
// when the identity is another member's.
func AcceptInviteWith(ctx context.Context, m *Manager, in NewMember, i store.Identity) (store.User, error) {
	invite, err := ReadInvite(ctx, m, in.Token)
	if err != nil {
		return store.User{}, err
	}
	u := store.User{ID: newID("usr_"), Email: invite.Email, Name: strings.TrimSpace(in.Name), CreatedAt: now()}
	var wrong mistakes
	if wrong.text("name", u.Name, 1, maxName); wrong.err() != nil {
		u.Name = u.Email
	}
	i.CreatedAt = u.CreatedAt
	if u, err = m.db.AcceptInviteWith(ctx, auth.Hash(in.Token), u, i, now()); err != nil {
		return store.User{}, err
	}
	m.writeDown(ctx, auth.Caller{AccountID: u.AccountID, Actor: u.ID}, "member.create", memberDeed(u, "invited by "+invite.By+", by single sign-on of "+i.Issuer))
	return u, nil
}

// ReadInvite reads an open invitation by its token, or answers store.ErrNotFound.
func ReadInvite(ctx context.Context, m *Manager, token string) (store.Invite, error) {
	if err := known(token); err != nil {
		return store.Invite{}, err
	}
	return m.db.InviteByHash(ctx, auth.Hash(token), now())
}

// newMember checks what somebody says of themselves and hashes their password.
func (m *Manager) newMember(ctx context.Context, in NewMember, ownEmail bool) (store.User, error) {
	if err := known(in.Token); err != nil {
		return store.User{}, err
	}
	var wrong mistakes
	if ownEmail {
		in.Email = wrong.email(in.Email)
	}
	wrong.text("name", in.Name, 1, maxName)
	wrong.password(in.Password, in.Email)
	if err := wrong.err(); err != nil {
		return store.User{}, err
	}
	phc, err := m.phc.HashPassword(ctx, in.Password)
	if err != nil {
		return store.User{}, err
	}
	return store.User{ID: newID("usr_"), Email: in.Email, Name: strings.TrimSpace(in.Name), Password: phc, CreatedAt: now()}, nil
}

// email checks an address and gives it as it is kept.
func (m *mistakes) email(text string) string {
	email := auth.NormalEmail(text)
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > maxEmail || !strings.Contains(email, "@") || strings.ContainsFunc(email, unicode.IsControl) {
		m.add("email", "is not an e-mail address, such as name@example.com")
	}
	return email
}

func (m *mistakes) password(password, email string) {
	if err := auth.CheckPassword(password, email); err != nil {
		m.add("password", "%s", err)
	}
}

// InviteMember makes an invitation, for a week, in place of an older one to that address. Only an owner invites owners.
func (m *Manager) InviteMember(ctx context.Context, caller auth.Caller, in Invite) (Invitation, error) {
	return change(ctx, m, caller, auth.People, "member.invite", func(ctx context.Context) (Invitation, deed, error) {
		var wrong mistakes
		email := wrong.email(in.Email)
		wrong.role(caller, in.Role)
		if err := wrong.err(); err != nil {
			return Invitation{}, deed{}, err
		}
		token, link := auth.NewLink("", caller.AccountID, inviteFor, now())
		row := store.Invite{
			ID: newID("inv_"), Hash: link.Hash, AccountID: caller.AccountID, Email: email, Role: string(in.Role), By: caller.Actor,
			CreatedAt: now(), ExpiresAt: link.ExpiresAt,
		}
		if err := m.db.CreateInvite(ctx, row); err != nil {
			return Invitation{}, deed{}, err
		}
		return Invitation{Invite: row, Token: token}, deed{object: row.ID, detail: fmt.Sprintf("%s as %s", email, in.Role)}, nil
	})
}

// role checks a role that the caller wants to give.
func (m *mistakes) role(caller auth.Caller, role auth.Role) {
	switch {
	case !auth.IsRole(string(role)):
		m.add("role", "is not a role; use one of %v", auth.Roles())
	case role == auth.Owner && !caller.MakesOwners():
		m.add("role", "only an owner makes somebody an owner; use admin")
	}
}

// ListInvites pages through the open invitations to the caller's account.
func (m *Manager) ListInvites(ctx context.Context, caller auth.Caller, page Page) (List[store.Invite], error) {
	return look(ctx, caller, auth.People, func(ctx context.Context) (List[store.Invite], error) {
		return list(page, func(p store.Page) ([]store.Invite, string, error) {
			return m.db.ListInvites(ctx, caller.AccountID, now(), p)
		})
	})
}

// TakeBackInvite ends an invitation. The answer is empty.
func (m *Manager) TakeBackInvite(ctx context.Context, caller auth.Caller, id string) (struct{}, error) {
	return change(ctx, m, caller, auth.People, "member.uninvite", func(ctx context.Context) (struct{}, deed, error) {
		if err := known(id); err != nil {
			return struct{}{}, deed{}, err
		}
		return struct{}{}, deed{object: id}, m.db.DeleteInvite(ctx, caller.AccountID, id)
	})
}

// ListMembers pages through the members of the caller's account.
func (m *Manager) ListMembers(ctx context.Context, caller auth.Caller, page Page) (List[store.User], error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (List[store.User], error) {
		return list(page, func(p store.Page) ([]store.User, string, error) {
			return m.db.ListUsers(ctx, caller.AccountID, p)
		})
	})
}

// ChangeRole is a new role of a member.
type ChangeRole struct {
	ID   string
	Role auth.Role
}

// ChangeRole gives a member another role, from their next request on. *store.Conflict when no owner would be left.
func (m *Manager) ChangeRole(ctx context.Context, caller auth.Caller, in ChangeRole) (store.User, error) {
	return change(ctx, m, caller, auth.People, "member.role", func(ctx context.Context) (store.User, deed, error) {
		var wrong mistakes
		wrong.role(caller, in.Role)
		if err := wrong.err(); err != nil {
			return store.User{}, deed{}, err
		}
		if err := known(in.ID); err != nil {
			return store.User{}, deed{}, err
		}
		before := ""
		u, err := m.db.UpdateUser(ctx, caller.AccountID, in.ID, func(u *store.User) error {
			if err := mayChange(caller, *u); err != nil {
				return err
			}
			before, u.Role = u.Role, string(in.Role)
			return nil
		})
		if err != nil {
			return store.User{}, deed{}, err
		}
		return u, memberDeed(u, before+" → "+u.Role), nil
	})
}

// mayChange refuses what an admin would do to an owner.
func mayChange(caller auth.Caller, u store.User) error {
	if u.Role == string(auth.Owner) && !caller.MakesOwners() {
		return store.Conflictf("only an owner changes or removes an owner")
	}
	return nil
}

// RemoveMember removes a member and ends their sessions. *store.Conflict for the last owner. The answer is empty.
func (m *Manager) RemoveMember(ctx context.Context, caller auth.Caller, id string) (struct{}, error) {
	return change(ctx, m, caller, auth.People, "member.remove", func(ctx context.Context) (struct{}, deed, error) {
		if err := known(id); err != nil {
			return struct{}{}, deed{}, err
		}
		u, err := m.db.User(ctx, caller.AccountID, id)
		if err != nil {
			return struct{}{}, deed{}, err
		}
		if err := mayChange(caller, u); err != nil {
			return struct{}{}, deed{}, err
		}
		if err := m.db.DeleteUser(ctx, caller.AccountID, id); err != nil {
			return struct{}{}, deed{}, err
		}
		return struct{}{}, memberDeed(u, u.Email), nil
	})
}

// ListSessions pages through the live sessions of the caller's account: of whoever may invite members of
// everybody, of others their own.
func (m *Manager) ListSessions(ctx context.Context, caller auth.Caller, page Page) (List[store.Session], error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (List[store.Session], error) {
		return list(page, func(p store.Page) ([]store.Session, string, error) {
			return m.db.ListSessions(ctx, caller.AccountID, sessionsOf(caller), now(), p)
		})
	})
}

// EndSession ends a session of the caller's account: anybody's takes the right to invite members.
// The answer is empty.
func (m *Manager) EndSession(ctx context.Context, caller auth.Caller, id string) (struct{}, error) {
	return change(ctx, m, caller, auth.Read, "session.end", func(ctx context.Context) (struct{}, deed, error) {
		if err := known(id); err != nil {
			return struct{}{}, deed{}, err
		}
		n, err := m.session(ctx, caller, id)
		if err != nil {
			return struct{}{}, deed{}, err
		}
		did := deed{object: id, detail: "of " + cmp.Or(n.Email, "a visitor by link") + fromCaller(caller)}
		if err := m.db.EndSession(ctx, caller.AccountID, id); err != nil {
			return struct{}{}, deed{}, err
		}
		return struct{}{}, did, nil
	})
}

// fromCaller is how a deed's detail ends that says where its caller is.
func fromCaller(caller auth.Caller) string {
	if caller.From == "" {
		return ""
	}
	return ", from " + caller.From
}

// session finds a session that the caller may see.
func (m *Manager) session(ctx context.Context, caller auth.Caller, id string) (store.Session, error) {
	page := store.Page{Limit: MaxLimit}
	for {
		rows, next, err := m.db.ListSessions(ctx, caller.AccountID, sessionsOf(caller), now(), page)
		if err != nil {
			return store.Session{}, err
		}
		for _, row := range rows {
			if row.ID == id {
				return row, nil
			}
		}
		if next == "" {
			return store.Session{}, store.ErrNotFound
		}
		page.Cursor = next
	}
}

// sessionsOf says whose sessions the caller may see: "" = everybody's.
func sessionsOf(caller auth.Caller) string {
	if caller.Can(auth.People) {
		return ""
	}
	return caller.Actor
}

func memberDeed(u store.User, detail string) deed { return deed{object: u.ID, detail: detail} }
