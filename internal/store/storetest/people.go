package storetest

import (
	"crypto/sha256"
	"errors"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func peopleChecks() []check {
	return []check{
		{"open invitations end with who made them, and with their role", invitesOfWhoChanged},
		{"a member is found by id and by address and kept as it was made", userKept},
		{"an address is one member's, over all accounts", userTwice},
		{"the list has every member once", userList},
		{"an account keeps an owner", ownerStays},
		{"two owners who leave at once do not both", ownersLeaveAtOnce},
		{"a member who is removed has no session", userRemoved},
		{"the set-up link makes the first member or the first key, once", setUpOwnerOnce},
		{"a set-up link used by many at once makes one member or key", setUpOwnerAtOnce},
		{"an invitation is accepted once, with what it says", inviteOnce},
		{"an invitation accepted by many at once makes one member", inviteAtOnce},
		{"an invitation is not accepted after its end or when it is taken back", inviteRefused},
		{"a newer invitation to an address replaces the older one", inviteReplaced},
		{"a session is found by its hash with the role that its member has now", sessionKept},
		{"a session ends by itself, and moves on while it is used", sessionEnds},
		{"sessions are ended one by one, or all of a member but one", sessionsEnded},
		{"a deleted account leaves no member, invitation or session", peopleDeleted},
	}
}

func userOf(account, role string) store.User {
	id := newID("usr_")
	return store.User{ID: id, AccountID: account, Email: id + "@example.com", Name: "Zoë", Role: role, Password: "$argon2id$of a check", CreatedAt: at(0)}
}

func inviteTo(account string) store.Invite {
	id := newID("inv_")
	return store.Invite{
		ID: id, Hash: sha256.Sum256([]byte(id)), AccountID: account, Email: id + "@example.com", Role: "developer", By: "usr_check",
		CreatedAt: at(0), ExpiresAt: at(time.Hour),
	}
}

// newUser adds a member: an invitation is the way in when there is a member already.
func (w *world) newUser(role string) store.User {
	w.t.Helper()
	u, i := userOf(w.account, role), inviteTo(w.account)
	i.Email, i.Role = u.Email, role
	w.must("create invitation", w.s.CreateInvite(w.ctx(), i))
	got, err := w.s.AcceptInvite(w.ctx(), i.Hash, u, at(0))
	w.must("accept invitation", err)
	return got
}

// sessionOf describes a session of nobody in particular, as a link gives it.
func sessionOf(account string) store.Session {
	id := newID("ses_")
	return store.Session{
		ID: id, Hash: sha256.Sum256([]byte(id)), AccountID: account, Role: "admin", Agent: "Browser/1", Address: "192.0.2.1",
		CreatedAt: at(0), SeenAt: at(0), ExpiresAt: at(time.Hour),
	}
}

func (w *world) newSession(u store.User) store.Session {
	w.t.Helper()
	n := sessionOf(u.AccountID)
	n.UserID, n.Role = u.ID, u.Role
	link := linkOf(n.AccountID)
	w.must("create link", w.s.CreateLink(w.ctx(), link))
	got, err := w.s.UseLink(w.ctx(), link.Hash, link.Purpose, at(0), func(store.Link) store.Session { return n })
	w.must("begin a session", err)
	w.equal("session begun by a link", got, n)
	n.Email, n.Name, n.Account = u.Email, u.Name, accountName
	return n
}

func userKept(w *world) {
	want := w.newUser("admin")
	for name, read := range map[string]func() (store.User, error){
		"by id":      func() (store.User, error) { return w.s.User(w.ctx(), w.account, want.ID) },
		"by address": func() (store.User, error) { return w.s.UserByEmail(w.ctx(), want.Email) },
	} {
		got, err := read()
		w.must("read the member "+name, err)
		w.equal("member "+name, got, want)
	}
	_, err := w.s.UserByEmail(w.ctx(), "nobody@example.com")
	w.wantError("read nobody", err, store.ErrNotFound)
	changed, err := w.s.UpdateUser(w.ctx(), w.account, want.ID, func(u *store.User) error {
		u.Name, u.Role, u.Password, u.SignedInAt = "Other", "viewer", "$argon2id$new", at(time.Minute)
		return nil
	})
	w.must("update the member", err)
	got, err := w.s.User(w.ctx(), w.account, want.ID)
	w.must("read the member again", err)
	w.equal("changed member", got, changed)
	if got.Name != "Other" || got.Role != "viewer" || !got.SignedInAt.Equal(at(time.Minute)) {
		w.t.Errorf("got %+v after the change", got)
	}
	stop := errors.New("stop")
	_, err = w.s.UpdateUser(w.ctx(), w.account, want.ID, func(u *store.User) error { u.Name = "No"; return stop })
	w.wantError("a change that is refused", err, stop)
}

func userTwice(w *world) {
	u := w.newUser("admin")
	for name, account := range map[string]string{"the same account": w.account, "another account": newWorld(w.t, w.s).account} {
		i := inviteTo(account)
		i.Email = u.Email
		w.wantConflict("invite the address to "+name, w.s.CreateInvite(w.ctx(), i))
	}
	// Invited twice before the first was accepted.
	first, second := inviteTo(w.account), inviteTo(newWorld(w.t, w.s).account)
	second.Email = first.Email
	w.must("invite", w.s.CreateInvite(w.ctx(), first))
	w.must("invite elsewhere", w.s.CreateInvite(w.ctx(), second))
	_, err := w.s.AcceptInvite(w.ctx(), first.Hash, userOf("", ""), at(0))
	w.must("accept", err)
	_, err = w.s.AcceptInvite(w.ctx(), second.Hash, userOf("", ""), at(0))
	w.wantConflict("accept elsewhere", err)
	_, err = w.s.InviteByHash(w.ctx(), second.Hash, at(0))
	w.must("read the invitation that was not accepted", err)
}

func userList(w *world) {
	want := map[string]bool{}
	for range 7 {
		want[w.newUser("viewer").ID] = true
	}
	for _, u := range pages(w, 3, func(p store.Page) ([]store.User, string, error) { return w.s.ListUsers(w.ctx(), w.account, p) }, nil) {
		if !want[u.ID] {
			w.t.Errorf("member %s is not of this account, or comes twice", u.ID)
		}
		delete(want, u.ID)
	}
	if len(want) > 0 {
		w.t.Errorf("the list lacks %v", want)
	}
}

func ownerStays(w *world) {
	owner := w.newUser("owner")
	w.newUser("admin")
	demote := func(u *store.User) error { u.Role = "admin"; return nil }
	_, err := w.s.UpdateUser(w.ctx(), w.account, owner.ID, demote)
	w.wantConflict("make the only owner an admin", err)
	w.wantConflict("remove the only owner", w.s.DeleteUser(w.ctx(), w.account, owner.ID))
	other := w.newUser("owner")
	_, err = w.s.UpdateUser(w.ctx(), w.account, owner.ID, demote)
	w.must("make one of two owners an admin", err)
	w.wantConflict("remove the other", w.s.DeleteUser(w.ctx(), w.account, other.ID))
	w.must("remove who is no owner any more", w.s.DeleteUser(w.ctx(), w.account, owner.ID))
	w.wantError("remove them again", w.s.DeleteUser(w.ctx(), w.account, owner.ID), store.ErrNotFound)
}

func ownersLeaveAtOnce(w *world) {
	owners := []store.User{w.newUser("owner"), w.newUser("owner")}
	var left atomic.Int32
	w.atOnce(len(owners), func(i int) error {
		err := w.s.DeleteUser(w.ctx(), w.account, owners[i].ID)
		if errors.Is(err, store.ErrConflict) {
			return nil
		}
		left.Add(1)
		return err
	})
	if left.Load() != 1 {
		w.t.Errorf("%d of 2 owners left, want 1", left.Load())
	}
}

func userRemoved(w *world) {
	w.newUser("owner")
	u := w.newUser("viewer")
	n := w.newSession(u)
	w.must("remove the member", w.s.DeleteUser(w.ctx(), w.account, u.ID))
	_, err := w.s.SessionByHash(w.ctx(), n.Hash, at(0))
	w.wantError("read the session", err, store.ErrNotFound)
	_, err = w.s.UserByEmail(w.ctx(), u.Email)
	w.wantError("read the member", err, store.ErrNotFound)
}

func invitesOfWhoChanged(w *world) {
	w.newUser("owner")
	end := map[string]func(u store.User) error{
		"was removed": func(u store.User) error { return w.s.DeleteUser(w.ctx(), w.account, u.ID) },
		"has another role": func(u store.User) error {
			_, err := w.s.UpdateUser(w.ctx(), w.account, u.ID, func(u *store.User) error { u.Role = "viewer"; return nil })
			return err
		},
	}
	for name, ends := range end {
		u := w.newUser("admin")
		theirs, others := inviteTo(w.account), inviteTo(w.account)
		theirs.By = u.ID
		for _, i := range []store.Invite{theirs, others} {
			w.must("invite", w.s.CreateInvite(w.ctx(), i))
		}
		_, err := w.s.UpdateUser(w.ctx(), w.account, u.ID, func(u *store.User) error { u.Name = "Other"; return nil })
		w.must("rename", err)
		_, err = w.s.InviteByHash(w.ctx(), theirs.Hash, at(0))
		w.must("the invitation of one who was renamed", err)
		w.must("end", ends(u))
		_, err = w.s.AcceptInvite(w.ctx(), theirs.Hash, userOf(w.account, "owner"), at(0))
		w.wantError("the invitation by one who "+name, err, store.ErrNotFound)
		_, err = w.s.InviteByHash(w.ctx(), others.Hash, at(0))
		w.must("the invitation by somebody else", err)
	}
}

func setUpOwnerOnce(w *world) {
	link := setUpLink(w.account)
	w.must("offer", w.s.OfferSetup(w.ctx(), link))
	owner := userOf(w.account, "owner")
	w.must("check it", w.s.CheckSetup(w.ctx(), link.Hash, w.account, at(0)))
	w.wantError("check it after its end", w.s.CheckSetup(w.ctx(), link.Hash, w.account, link.ExpiresAt), store.ErrNotFound)
	w.wantError("check another", w.s.CheckSetup(w.ctx(), setUpLink(w.account).Hash, w.account, at(0)), store.ErrNotFound)
	w.wantError("use it after its end", w.s.SetUpOwner(w.ctx(), link.Hash, owner, link.ExpiresAt), store.ErrNotFound)
	w.must("use it", w.s.SetUpOwner(w.ctx(), link.Hash, owner, at(0)))
	got, err := w.s.User(w.ctx(), w.account, owner.ID)
	w.must("read the owner", err)
	w.equal("owner", got, owner)
	w.wantConflict("check it again", w.s.CheckSetup(w.ctx(), link.Hash, w.account, at(0)))
	w.wantConflict("use it again", w.s.SetUpOwner(w.ctx(), link.Hash, userOf(w.account, "owner"), at(0)))
	w.wantConflict("use it for a key", w.s.SetUp(w.ctx(), link.Hash, keyOf(w.account), at(0)))
	w.wantConflict("offer another", w.s.OfferSetup(w.ctx(), setUpLink(w.account)))

	v := newWorld(w.t, w.s)
	link = setUpLink(v.account)
	w.must("offer", w.s.OfferSetup(w.ctx(), link))
	w.must("use it for a key", w.s.SetUp(w.ctx(), link.Hash, keyOf(v.account), at(0)))
	w.wantConflict("use it for an owner", w.s.SetUpOwner(w.ctx(), link.Hash, userOf(v.account, "owner"), at(0)))
}

func setUpOwnerAtOnce(w *world) {
	link := setUpLink(w.account)
	w.must("offer", w.s.OfferSetup(w.ctx(), link))
	var made atomic.Int32
	w.atOnce(20, func(i int) error {
		var err error
		if i%2 == 0 {
			err = w.s.SetUpOwner(w.ctx(), link.Hash, userOf(w.account, "owner"), at(0))
		} else {
			err = w.s.SetUp(w.ctx(), link.Hash, keyOf(w.account), at(0))
		}
		if err == nil {
			made.Add(1)
		}
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
			return nil
		}
		return err
	})
	if made.Load() != 1 {
		w.t.Errorf("%d were made, want 1", made.Load())
	}
}

func inviteOnce(w *world) {
	i := inviteTo(w.account)
	w.must("invite", w.s.CreateInvite(w.ctx(), i))
	got, err := w.s.InviteByHash(w.ctx(), i.Hash, at(0))
	w.must("read the invitation", err)
	w.equal("invitation", got, i)
	u := userOf("acc_other", "owner")
	made, err := w.s.AcceptInvite(w.ctx(), i.Hash, u, at(0))
	w.must("accept", err)
	if made.AccountID != w.account || made.Email != i.Email || made.Role != i.Role || made.Name != u.Name {
		w.t.Errorf("the member is %+v, want account, address and role of the invitation %+v", made, i)
	}
	_, err = w.s.AcceptInvite(w.ctx(), i.Hash, userOf(w.account, "owner"), at(0))
	w.wantError("accept again", err, store.ErrNotFound)
	list, _, err := w.s.ListInvites(w.ctx(), w.account, at(0), store.Page{Limit: 10})
	w.must("list", err)
	if len(list) != 0 {
		w.t.Errorf("the list has an invitation that was accepted")
	}
}

func inviteAtOnce(w *world) {
	i := inviteTo(w.account)
	w.must("invite", w.s.CreateInvite(w.ctx(), i))
	var made atomic.Int32
	w.atOnce(10, func(int) error {
		_, err := w.s.AcceptInvite(w.ctx(), i.Hash, userOf("", ""), at(0))
		if err == nil {
			made.Add(1)
		}
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if made.Load() != 1 {
		w.t.Errorf("%d members were made, want 1", made.Load())
	}
}

func inviteRefused(w *world) {
	i := inviteTo(w.account)
	w.must("invite", w.s.CreateInvite(w.ctx(), i))
	_, err := w.s.AcceptInvite(w.ctx(), i.Hash, userOf("", ""), i.ExpiresAt)
	w.wantError("accept after its end", err, store.ErrNotFound)
	_, err = w.s.InviteByHash(w.ctx(), i.Hash, i.ExpiresAt)
	w.wantError("read after its end", err, store.ErrNotFound)
	list, _, err := w.s.ListInvites(w.ctx(), w.account, i.ExpiresAt, store.Page{Limit: 10})
	w.must("list after its end", err)
	if len(list) != 0 {
		w.t.Error("the list has an invitation that has ended")
	}
	w.must("take it back", w.s.DeleteInvite(w.ctx(), w.account, i.ID))
	w.wantError("take it back again", w.s.DeleteInvite(w.ctx(), w.account, i.ID), store.ErrNotFound)
	_, err = w.s.AcceptInvite(w.ctx(), i.Hash, userOf("", ""), at(0))
	w.wantError("accept what was taken back", err, store.ErrNotFound)
}

func inviteReplaced(w *world) {
	older, newer := inviteTo(w.account), inviteTo(w.account)
	newer.Email = older.Email
	w.must("invite", w.s.CreateInvite(w.ctx(), older))
	w.must("invite again", w.s.CreateInvite(w.ctx(), newer))
	_, err := w.s.InviteByHash(w.ctx(), older.Hash, at(0))
	w.wantError("read the older", err, store.ErrNotFound)
	list, _, err := w.s.ListInvites(w.ctx(), w.account, at(0), store.Page{Limit: 10})
	w.must("list", err)
	if len(list) != 1 || list[0].ID != newer.ID {
		w.t.Errorf("the list is %+v, want the newer one", list)
	}
}

func sessionKept(w *world) {
	u := w.newUser("admin")
	want := w.newSession(u)
	got, err := w.s.SessionByHash(w.ctx(), want.Hash, at(0))
	w.must("read the session", err)
	w.equal("session", got, want)
	_, err = w.s.UpdateUser(w.ctx(), w.account, u.ID, func(u *store.User) error { u.Role = "viewer"; return nil })
	w.must("change the role", err)
	if got, err = w.s.SessionByHash(w.ctx(), want.Hash, at(0)); err != nil || got.Role != "viewer" {
		w.t.Errorf("the session has the role %q, %v, want viewer", got.Role, err)
	}
	portal := w.newSession(store.User{AccountID: w.account, Role: "admin"})
	got, err = w.s.SessionByHash(w.ctx(), portal.Hash, at(0))
	w.must("read a portal link's session", err)
	w.equal("session of a portal link", got, portal)
	_, err = w.s.SessionByHash(w.ctx(), sha256.Sum256([]byte("no session")), at(0))
	w.wantError("read no session", err, store.ErrNotFound)
}

func sessionEnds(w *world) {
	n := w.newSession(w.newUser("admin"))
	_, err := w.s.SessionByHash(w.ctx(), n.Hash, n.ExpiresAt)
	w.wantError("read it at its end", err, store.ErrNotFound)
	w.must("use it", w.s.TouchSession(w.ctx(), n.ID, at(30*time.Minute), at(2*time.Hour)))
	got, err := w.s.SessionByHash(w.ctx(), n.Hash, n.ExpiresAt)
	w.must("read it at its first end", err)
	if !got.SeenAt.Equal(at(30*time.Minute)) || !got.ExpiresAt.Equal(at(2*time.Hour)) {
		w.t.Errorf("seen at %s, ends at %s", got.SeenAt, got.ExpiresAt)
	}
	w.must("use it when it has ended", w.s.TouchSession(w.ctx(), n.ID, at(3*time.Hour), at(4*time.Hour)))
	_, err = w.s.SessionByHash(w.ctx(), n.Hash, at(3*time.Hour))
	w.wantError("read it after its end", err, store.ErrNotFound)
}

func sessionsEnded(w *world) {
	u, other := w.newUser("admin"), w.newUser("viewer")
	a, b, c, d := w.newSession(u), w.newSession(u), w.newSession(u), w.newSession(other)
	live := func(user string) (n int) {
		w.t.Helper()
		list, _, err := w.s.ListSessions(w.ctx(), w.account, user, at(0), store.Page{Limit: 10})
		w.must("list sessions", err)
		return len(list)
	}
	if all, own := live(""), live(u.ID); all != 4 || own != 3 {
		w.t.Errorf("the lists have %d and %d, want 4 and 3", all, own)
	}
	w.must("end one", w.s.EndSession(w.ctx(), w.account, a.ID))
	w.wantError("end it again", w.s.EndSession(w.ctx(), w.account, a.ID), store.ErrNotFound)
	n, err := w.s.EndSessions(w.ctx(), w.account, u.ID, c.ID)
	w.must("end all but one", err)
	if n != 1 || live(u.ID) != 1 || live("") != 2 {
		w.t.Errorf("%d ended; %d of the member and %d in all are left, want 1, 1 and 2", n, live(u.ID), live(""))
	}
	for _, ended := range []store.Session{a, b} {
		_, err := w.s.SessionByHash(w.ctx(), ended.Hash, at(0))
		w.wantError("read an ended session", err, store.ErrNotFound)
	}
	for _, left := range []store.Session{c, d} {
		_, err := w.s.SessionByHash(w.ctx(), left.Hash, at(0))
		w.must("read a session that was left", err)
	}
}

func peopleDeleted(w *world) {
	u, i := w.newUser("owner"), inviteTo(w.account)
	n, portal := w.newSession(u), w.newSession(store.User{AccountID: w.account, Role: "admin"})
	w.must("invite", w.s.CreateInvite(w.ctx(), i))
	w.must("delete the account", w.s.DeleteAccount(w.ctx(), w.account, at(0)))
	for _, gone := range []store.Session{n, portal} {
		_, err := w.s.SessionByHash(w.ctx(), gone.Hash, at(0))
		w.wantError("read a session", err, store.ErrNotFound)
	}
	_, err := w.s.InviteByHash(w.ctx(), i.Hash, at(0))
	w.wantError("read the invitation", err, store.ErrNotFound)
	_, err = w.s.UserByEmail(w.ctx(), u.Email)
	w.wantError("read the member", err, store.ErrNotFound)
}

func trespassPeople() map[string]trespass {
	return map[string]trespass{
		"ListInvites": func(w *world, _ victim) error {
			list, _, err := w.s.ListInvites(w.ctx(), w.account, at(0), store.Page{Limit: 10})
			return nothing(len(list), err)
		},
		"TakeReveal": func(w *world, v victim) error {
			_, err := w.s.TakeReveal(w.ctx(), w.account, v.reveal.SessionID, v.reveal.ID, at(0))
			return notFound(err)
		},
		"DeleteInvite": func(w *world, v victim) error {
			return notFound(w.s.DeleteInvite(w.ctx(), w.account, v.invite.ID))
		},
		"User": func(w *world, v victim) error {
			_, err := w.s.User(w.ctx(), w.account, v.user.ID)
			return notFound(err)
		},
		"ListUsers": func(w *world, _ victim) error {
			list, _, err := w.s.ListUsers(w.ctx(), w.account, store.Page{Limit: 10})
			return nothing(len(list), err)
		},
		"UpdateUser": func(w *world, v victim) error {
			_, err := w.s.UpdateUser(w.ctx(), w.account, v.user.ID, func(u *store.User) error { u.Name = "taken"; return nil })
			return notFound(err)
		},
		"DeleteUser": func(w *world, v victim) error {
			return notFound(w.s.DeleteUser(w.ctx(), w.account, v.user.ID))
		},
		"ListSessions": func(w *world, v victim) error {
			list, _, err := w.s.ListSessions(w.ctx(), w.account, v.user.ID, at(0), store.Page{Limit: 10})
			return nothing(len(list), err)
		},
		"EndSession": func(w *world, v victim) error {
			return notFound(w.s.EndSession(w.ctx(), w.account, v.session.ID))
		},
		"EndSessions": func(w *world, v victim) error {
			n, err := w.s.EndSessions(w.ctx(), w.account, v.user.ID, "")
			return nothing(n, err)
		},
	}
}
