package storetest

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func identityChecks() []check {
	return []check{
		{"an identity is one member's, and finds them", identityKept},
		{"an identity that many link at once is one member's", identityAtOnce},
		{"a member without a password keeps their identity", identityStays},
		{"an invitation is accepted with an identity, both or neither", inviteWithIdentity},
		{"who is removed leaves no identity", identityRemoved},
		{"a password is changed once, and leaves the session that changed it", passwordChanged},
		{"a member signs in while what let them in holds", signedIn},
	}
}

const checkIssuer = "https://issuer.example.com"

func identityOf(u store.User) store.Identity {
	return store.Identity{Issuer: checkIssuer, Subject: "sub of " + u.ID, UserID: u.ID, AccountID: u.AccountID, CreatedAt: at(0)}
}

// link links an identity to a member.
func (w *world) link(i store.Identity) {
	w.t.Helper()
	added, err := w.s.LinkIdentity(w.ctx(), i)
	w.must("link", err)
	if !added {
		w.t.Error("the identity was linked before")
	}
}

func identityKept(w *world) {
	u, other := w.newUser("admin"), newWorld(w.t, w.s).newUser("owner")
	want := identityOf(u)
	_, err := w.s.UserByIdentity(w.ctx(), want.Issuer, want.Subject)
	w.wantError("find a member before it is linked", err, store.ErrNotFound)
	w.link(want)
	got, err := w.s.UserByIdentity(w.ctx(), want.Issuer, want.Subject)
	w.must("find the member", err)
	w.equal("member", got, u)
	for name, i := range map[string]store.Identity{
		"another issuer": {Issuer: "https://other.example.com", Subject: want.Subject}, "another subject": {Issuer: want.Issuer, Subject: "Sub of " + u.ID},
	} {
		_, err := w.s.UserByIdentity(w.ctx(), i.Issuer, i.Subject)
		w.wantError("find a member by "+name, err, store.ErrNotFound)
	}
	added, err := w.s.LinkIdentity(w.ctx(), want)
	w.must("link it again", err)
	if added {
		w.t.Error("linked again it is new")
	}
	taken, second := identityOf(other), identityOf(u)
	taken.Subject, second.Subject = want.Subject, "another"
	_, err = w.s.LinkIdentity(w.ctx(), taken)
	w.wantConflict("link it to a member of another account", err)
	_, err = w.s.LinkIdentity(w.ctx(), second)
	w.wantConflict("link a second one of that issuer", err)
	second.Issuer, second.CreatedAt = "https://other.example.com", at(time.Minute)
	w.link(second)
	list, err := w.s.ListIdentities(w.ctx(), w.account, u.ID)
	w.must("list", err)
	w.equal("list", list, []store.Identity{want, second})
	w.must("unlink", w.s.UnlinkIdentity(w.ctx(), w.account, u.ID, want.Issuer))
	w.wantError("unlink again", w.s.UnlinkIdentity(w.ctx(), w.account, u.ID, want.Issuer), store.ErrNotFound)
	_, err = w.s.UserByIdentity(w.ctx(), want.Issuer, want.Subject)
	w.wantError("find the member after it was unlinked", err, store.ErrNotFound)
	w.link(taken)
}

func identityAtOnce(w *world) {
	var linked atomic.Int32
	users := []store.User{w.newUser("admin"), w.newUser("admin"), newWorld(w.t, w.s).newUser("owner"), newWorld(w.t, w.s).newUser("owner")}
	w.atOnce(len(users), func(n int) error {
		i := identityOf(users[n])
		i.Subject = "of all " + users[0].ID
		_, err := w.s.LinkIdentity(w.ctx(), i)
		if err == nil {
			linked.Add(1)
		}
		if errors.Is(err, store.ErrConflict) {
			return nil
		}
		return err
	})
	if linked.Load() != 1 {
		w.t.Errorf("%d members have it, want 1", linked.Load())
	}
}

func identityStays(w *world) {
	u := w.newUser("viewer")
	w.link(identityOf(u))
	_, err := w.s.UpdateUser(w.ctx(), w.account, u.ID, func(u *store.User) error { u.Role, u.Password = "owner", ""; return nil })
	w.must("take the password away", err)
	w.wantConflict("unlink what is left", w.s.UnlinkIdentity(w.ctx(), w.account, u.ID, checkIssuer))
	_, err = w.s.UserByIdentity(w.ctx(), checkIssuer, identityOf(u).Subject)
	w.must("find the member", err)
}

func inviteWithIdentity(w *world) {
	member := w.newUser("admin")
	w.link(identityOf(member))
	i := inviteTo(w.account)
	w.must("invite", w.s.CreateInvite(w.ctx(), i))
	u := userOf("", "")
	u.Password = ""
	_, err := w.s.AcceptInviteWith(w.ctx(), i.Hash, u, identityOf(member), at(0))
	w.wantConflict("accept with another member's identity", err)
	_, err = w.s.InviteByHash(w.ctx(), i.Hash, at(0))
	w.must("read the invitation that was not accepted", err)
	_, err = w.s.User(w.ctx(), w.account, u.ID)
	w.wantError("read the member that was not made", err, store.ErrNotFound)
	identity := store.Identity{Issuer: checkIssuer, Subject: "new " + u.ID, CreatedAt: at(0)}
	made, err := w.s.AcceptInviteWith(w.ctx(), i.Hash, u, identity, at(0))
	w.must("accept", err)
	if made.AccountID != w.account || made.Email != i.Email || made.Role != i.Role {
		w.t.Errorf("the member is %+v, want account, address and role of the invitation %+v", made, i)
	}
	got, err := w.s.UserByIdentity(w.ctx(), identity.Issuer, identity.Subject)
	w.must("find the member", err)
	w.equal("member", got, made)
	_, err = w.s.AcceptInviteWith(w.ctx(), i.Hash, userOf("", ""), store.Identity{Issuer: checkIssuer, Subject: "third " + u.ID, CreatedAt: at(0)}, at(0))
	w.wantError("accept again", err, store.ErrNotFound)
}

func identityRemoved(w *world) {
	w.newUser("owner")
	u := w.newUser("viewer")
	i := identityOf(u)
	w.link(i)
	w.must("remove the member", w.s.DeleteUser(w.ctx(), w.account, u.ID))
	list, err := w.s.ListIdentities(w.ctx(), w.account, u.ID)
	w.must("list", err)
	if len(list) > 0 {
		w.t.Errorf("left are %+v", list)
	}
	_, err = w.s.LinkIdentity(w.ctx(), i)
	w.wantError("link it to who was removed", err, store.ErrNotFound)
	other := w.newUser("viewer")
	i.UserID = other.ID
	w.link(i)
	w.must("delete the account", w.s.DeleteAccount(w.ctx(), w.account, at(0)))
	_, err = w.s.UserByIdentity(w.ctx(), i.Issuer, i.Subject)
	w.wantError("find a member of a deleted account", err, store.ErrNotFound)
}

// sessionOf makes a session that is not stored yet.
func (w *world) sessionOf(u store.User) store.Session {
	n := w.newSession(u)
	w.must("end session", w.s.EndSession(w.ctx(), u.AccountID, n.ID))
	return n
}

func passwordChanged(w *world) {
	u, other := w.newUser("admin"), w.newUser("viewer")
	next, late := w.sessionOf(u), w.sessionOf(u)
	old, others := w.newSession(u), w.newSession(other)
	w.must("change the password", w.s.ChangePassword(w.ctx(), u.Password, "$argon2id$next", next))
	w.wantConflict("change the one before", w.s.ChangePassword(w.ctx(), u.Password, "$argon2id$late", late))
	got, err := w.s.User(w.ctx(), w.account, u.ID)
	w.must("read the member", err)
	if got.Password != "$argon2id$next" {
		w.t.Errorf("the password is %q", got.Password)
	}
	for name, n := range map[string]store.Session{"from before": old, "that came too late": late} {
		_, err := w.s.SessionByHash(w.ctx(), n.Hash, at(0))
		w.wantError("read a session "+name, err, store.ErrNotFound)
	}
	for name, n := range map[string]store.Session{"that changed it": next, "of another member": others} {
		_, err := w.s.SessionByHash(w.ctx(), n.Hash, at(0))
		w.must("read the session "+name, err)
	}
	gone := next
	gone.UserID = "usr_nobody"
	w.wantError("change nobody's", w.s.ChangePassword(w.ctx(), "", "$argon2id$x", gone), store.ErrNotFound)
}

func signedIn(w *world) {
	u := w.newUser("viewer")
	n := w.sessionOf(u)
	n.CreatedAt = at(time.Minute)
	stop := errors.New("stop")
	w.wantError("sign in when it holds no more", w.s.SignIn(w.ctx(), n, func(store.User) error { return stop }), stop)
	_, err := w.s.SessionByHash(w.ctx(), n.Hash, at(0))
	w.wantError("read the session that was refused", err, store.ErrNotFound)
	w.must("sign in", w.s.SignIn(w.ctx(), n, func(seen store.User) error {
		w.equal("member", seen, u)
		return nil
	}))
	got, err := w.s.SessionByHash(w.ctx(), n.Hash, at(0))
	w.must("read the session", err)
	w.equal("session", got, n)
	if u, err = w.s.User(w.ctx(), w.account, u.ID); err != nil || !u.SignedInAt.Equal(n.CreatedAt) {
		w.t.Errorf("signed in at %s, %v, want %s", u.SignedInAt, err, n.CreatedAt)
	}
	n.UserID = "usr_nobody"
	w.wantError("sign nobody in", w.s.SignIn(w.ctx(), n, func(store.User) error { return nil }), store.ErrNotFound)
}

func trespassIdentities() map[string]trespass {
	return map[string]trespass{
		"LinkIdentity": func(w *world, v victim) error {
			i := identityOf(v.user)
			i.AccountID, i.Issuer = w.account, "https://other.example.com"
			_, err := w.s.LinkIdentity(w.ctx(), i)
			return notFound(err)
		},
		"UnlinkIdentity": func(w *world, v victim) error {
			return notFound(w.s.UnlinkIdentity(w.ctx(), w.account, v.user.ID, checkIssuer))
		},
		"ListIdentities": func(w *world, v victim) error {
			list, err := w.s.ListIdentities(w.ctx(), w.account, v.user.ID)
			return nothing(len(list), err)
		},
		"ChangePassword": func(w *world, v victim) error {
			n := v.session
			n.ID, n.AccountID = newID("ses_"), w.account
			return notFound(w.s.ChangePassword(w.ctx(), v.user.Password, "$argon2id$taken", n))
		},
		"SignIn": func(w *world, v victim) error {
			n := v.session
			n.ID, n.AccountID = newID("ses_"), w.account
			return notFound(w.s.SignIn(w.ctx(), n, func(store.User) error { return nil }))
		},
	}
}
