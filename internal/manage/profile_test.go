package manage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const issuerURL = "https://issuer.example.com"

func TestAMemberReadsAndChangesTheirOwnProfileOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	u := w.member(w.admin, auth.Viewer)
	caller := asCaller(u)
	caller.From = "192.0.2.1"
	must(w.LinkIdentity(t.Context(), caller, store.Identity{Issuer: issuerURL, Subject: "sub-zoe", UserID: "usr_other", AccountID: "acc_other"}))(t)
	must(w.LinkIdentity(t.Context(), caller, store.Identity{Issuer: issuerURL, Subject: "sub-zoe"}))(t) // as it was
	must(w.Rename(t.Context(), caller, " Zoë Second "))(t)
	must(w.Rename(t.Context(), caller, "Zoë Second"))(t) // as it was
	got := must(w.Profile(t.Context(), caller, struct{}{}))(t)
	if got.ID != u.ID || got.Name != "Zoë Second" || len(got.Identities) != 1 || got.Identities[0].Subject != "sub-zoe" || got.Identities[0].UserID != u.ID {
		t.Errorf("the profile is %+v", got)
	}
	must(w.UnlinkIdentity(t.Context(), caller, issuerURL))(t)
	want := []string{
		"member.unlink single sign-on of " + issuerURL + ", from 192.0.2.1", "member.rename Zoë → Zoë Second", "member.link single sign-on of " + issuerURL + ", from 192.0.2.1", "member.create ",
	}
	for i, row := range must(w.ListAudit(t.Context(), w.admin, manage.ListAudit{Page: manage.Page{Limit: len(want)}}))(t).Rows {
		if row.Actor != u.ID || row.Object != u.ID || !strings.HasPrefix(row.Action+" "+row.Detail, want[i]) {
			t.Errorf("row %d is %+v, want %q", i, row, want[i])
		}
	}
}

func TestAKeyHasNoProfile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, profile := w.Profile(t.Context(), w.admin, struct{}{})
	_, rename := w.Rename(t.Context(), w.admin, "Key")
	_, link := w.LinkIdentity(t.Context(), w.admin, store.Identity{Issuer: issuerURL, Subject: "sub"})
	_, unlink := w.UnlinkIdentity(t.Context(), w.admin, issuerURL)
	for name, err := range map[string]error{"profile": profile, "rename": rename, "link": link, "unlink": unlink} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
}

func TestWhoComesBySingleSignOnHasANameThatCanBeKept(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{" Zoë ": "Zoë", "": "new@example.com", "a\x00b": "new@example.com", "\xff": "new@example.com", strings.Repeat("n", 101): "new@example.com"} {
		w := newWorld(t, nil)
		made := must(w.InviteMember(t.Context(), w.admin, manage.Invite{Email: "new@example.com", Role: auth.Viewer}))(t)
		u := must(manage.AcceptInviteWith(t.Context(), w.Manager, manage.NewMember{Token: made.Token, Name: name}, store.Identity{Issuer: issuerURL, Subject: "sub-new"}))(t)
		if u.Name != want || u.Password != "" || u.Role != string(auth.Viewer) {
			t.Errorf("%q: the member is %+v, want the name %q", name, u, want)
		}
		_, err := manage.AcceptInviteWith(t.Context(), w.Manager, manage.NewMember{Token: made.Token, Name: name}, store.Identity{Issuer: issuerURL, Subject: "sub-other"})
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the second time: %v", err)
		}
		if row := must(w.ListAudit(t.Context(), w.admin, manage.ListAudit{Page: manage.Page{Limit: 1}}))(t).Rows[0]; row.Actor != u.ID || !strings.HasSuffix(row.Detail, "by single sign-on of "+issuerURL) {
			t.Errorf("the audit has %+v", row)
		}
	}
}
