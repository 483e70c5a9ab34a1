package manage_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const goodPassword = "correct horse battery staple"

// member invites somebody to the caller's account, who accepts.
func (w *world) member(caller auth.Caller, role auth.Role) store.User {
	w.t.Helper()
	made := must(w.InviteMember(w.t.Context(), caller, manage.Invite{Email: string(role) + "@example.com", Role: role}))(w.t)
	return must(manage.AcceptInvite(w.t.Context(), w.Manager, manage.NewMember{Token: made.Token, Name: "Zoë", Password: goodPassword}))(w.t)
}

func asCaller(u store.User) auth.Caller {
	role := auth.Role(u.Role)
	return auth.Caller{AccountID: u.AccountID, Actor: u.ID, Role: role, Scopes: role.Scopes(u.AccountID)}
}

func TestTheFirstOwnerComesByTheSetUpLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token, link := auth.NewLink(auth.Setup, store.DefaultAccount, time.Hour, time.Now())
	check(t, w.db.OfferSetup(t.Context(), link))
	in := manage.NewMember{Token: token, Email: " Zoe@Example.com", Name: " Zoë ", Password: goodPassword}
	wrong := in
	wrong.Token = "another"
	if _, err := manage.SetUpOwner(t.Context(), w.Manager, wrong); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("with another link: %v, want ErrNotFound", err)
	}
	u := must(manage.SetUpOwner(t.Context(), w.Manager, in))(t)
	if u.Email != "zoe@example.com" || u.Name != "Zoë" || u.Role != string(auth.Owner) || u.AccountID != store.DefaultAccount {
		t.Errorf("the owner is %+v", u)
	}
	if _, err := manage.SetUpOwner(t.Context(), w.Manager, in); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the second time: %v, want ErrConflict", err)
	}
	rows := must(w.ListAudit(t.Context(), w.admin, manage.ListAudit{Page: manage.Page{Limit: 1}}))(t).Rows
	if rows[0].Actor != "setup" || rows[0].Action != "member.create" || rows[0].Object != u.ID {
		t.Errorf("the audit has %+v", rows[0])
	}
}

func TestWhatIsWrongWithANewMemberIsSaidFieldByField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token, link := auth.NewLink(auth.Setup, store.DefaultAccount, time.Hour, time.Now())
	check(t, w.db.OfferSetup(t.Context(), link))
	for _, in := range []manage.NewMember{
		{Email: "", Name: "", Password: ""}, {Email: "Zoë <zoe@example.com>", Name: "\x00", Password: "password1234"},
		{Email: strings.Repeat("a", 300) + "@example.com", Name: strings.Repeat("a", 101), Password: strings.Repeat("a", 1000)},
	} {
		in.Token = token
		_, err := manage.SetUpOwner(t.Context(), w.Manager, in)
		var invalid *manage.Invalid
		if !errors.As(err, &invalid) || len(invalid.Fields) != 3 {
			t.Errorf("%+v: %v, want three fields", in, err)
		}
	}
}

func TestAnInvitationMakesAMemberOfItsAccountOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner := asCaller(w.member(w.admin, auth.Owner))
	made := must(w.InviteMember(t.Context(), owner, manage.Invite{Email: "New@example.com", Role: auth.Viewer}))(t)
	open := must(manage.ReadInvite(t.Context(), w.Manager, made.Token))(t)
	if open.Email != "new@example.com" || open.By != owner.Actor {
		t.Errorf("the invitation is %+v", open)
	}
	if n := len(must(w.ListInvites(t.Context(), owner, manage.Page{}))(t).Rows); n != 1 {
		t.Errorf("%d open invitations, want 1", n)
	}
	u := must(manage.AcceptInvite(t.Context(), w.Manager, manage.NewMember{Token: made.Token, Email: "other@example.com", Name: "New", Password: goodPassword}))(t)
	if u.Email != "new@example.com" || u.Role != string(auth.Viewer) || u.AccountID != owner.AccountID {
		t.Errorf("the member is %+v", u)
	}
	if _, err := manage.AcceptInvite(t.Context(), w.Manager, manage.NewMember{Token: made.Token, Name: "New", Password: goodPassword}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the second time: %v, want ErrNotFound", err)
	}
	if _, err := w.InviteMember(t.Context(), owner, manage.Invite{Email: "new@example.com", Role: auth.Viewer}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("who is a member already: %v, want ErrConflict", err)
	}
}

func TestOnlyOwnersMakeAndRemoveOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner := w.member(w.admin, auth.Owner)
	admin := asCaller(w.member(w.admin, auth.Administrator))
	viewer := w.member(w.admin, auth.Viewer)
	var invalid *manage.Invalid
	if _, err := w.InviteMember(t.Context(), admin, manage.Invite{Email: "more@example.com", Role: auth.Owner}); !errors.As(err, &invalid) {
		t.Errorf("an admin invites an owner: %v", err)
	}
	if _, err := w.ChangeRole(t.Context(), admin, manage.ChangeRole{ID: viewer.ID, Role: auth.Owner}); !errors.As(err, &invalid) {
		t.Errorf("an admin makes an owner: %v", err)
	}
	if _, err := w.ChangeRole(t.Context(), admin, manage.ChangeRole{ID: owner.ID, Role: auth.Viewer}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an admin changes an owner: %v", err)
	}
	if _, err := w.RemoveMember(t.Context(), admin, owner.ID); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an admin removes an owner: %v", err)
	}
	if _, err := w.RemoveMember(t.Context(), asCaller(owner), owner.ID); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the only owner leaves: %v", err)
	}
	must(w.ChangeRole(t.Context(), asCaller(owner), manage.ChangeRole{ID: viewer.ID, Role: auth.Owner}))(t)
	must(w.RemoveMember(t.Context(), asCaller(owner), owner.ID))(t)
}

func TestAMemberSeesAndEndsTheirOwnSessionsAndAnAdminEverybodys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	signIns := auth.NewSignIns(w.db, nil)
	viewer, admin := w.member(w.admin, auth.Viewer), w.member(w.admin, auth.Administrator)
	for _, u := range []store.User{viewer, admin} {
		must(signIns.Begin(t.Context(), u, "by test", auth.Visitor{}))(t)
	}
	own := must(w.ListSessions(t.Context(), asCaller(viewer), manage.Page{}))(t).Rows
	all := must(w.ListSessions(t.Context(), asCaller(admin), manage.Page{}))(t).Rows
	if len(own) != 1 || own[0].UserID != viewer.ID || len(all) != 2 {
		t.Fatalf("the viewer sees %+v, the admin %d", own, len(all))
	}
	for _, s := range all {
		_, err := w.EndSession(t.Context(), asCaller(viewer), s.ID)
		if mine := s.UserID == viewer.ID; mine != (err == nil) || !mine && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the viewer ends a session of %s: %v", s.Email, err)
		}
	}
	if n := len(must(w.ListSessions(t.Context(), asCaller(admin), manage.Page{}))(t).Rows); n != 1 {
		t.Errorf("%d sessions are left, want the admin's", n)
	}
}
