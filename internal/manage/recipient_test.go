package manage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/mail"
	"github.com/compliancelayer/compliancelayer/internal/mail/mailtest"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// senderTo makes the way to a mail server of a test.
func senderTo(t *testing.T, s *mailtest.Server) *mail.Sender {
	t.Helper()
	policy, err := egress.NewPolicy(egress.Config{})
	check(t, err)
	sender, err := mail.NewSender(mail.Config{
		Policy: policy, Server: s.Address(), TLS: mail.NoTLS, From: "webhooks@example.com", PublicURL: func() string { return "https://hooks.example.com" },
	})
	check(t, err)
	return sender
}

func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, admin := w.member(w.admin, auth.Owner), w.member(w.admin, auth.Administrator)
	w.member(w.admin, auth.Viewer)
	told := func(caller auth.Caller, want ...string) {
		t.Helper()
		got := must(w.ListRecipients(t.Context(), caller, struct{}{}))(t)
		if strings.Join(got.Told, " ") != strings.Join(want, " ") || got.SendsMail {
			t.Errorf("told %v, want %v", got.Told, want)
		}
	}
	told(w.admin, owner.Email, admin.Email)
	told(w.user)
	added := must(w.AddRecipient(t.Context(), w.admin, " OnCall@Example.com "))(t)
	if added.Email != "oncall@example.com" || added.By != w.admin.Actor {
		t.Errorf("added %+v", added)
	}
	told(w.admin, "oncall@example.com")
	if _, err := w.RemoveRecipient(t.Context(), w.user, "oncall@example.com"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed by another account: %v", err)
	}
	must(w.RemoveRecipient(t.Context(), w.admin, "oncall@example.com"))(t)
	told(w.admin, owner.Email, admin.Email)
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, email := range []string{
		"", "nobody", "@example.com", "a@b@c", "zoe@example.com, eve@example.com", "Zoë <zoe@example.com>", "zoe@example.com\r\nBcc: eve@example.com",
		"zoe@exam\x00ple.com", "zo\u0085e@example.com", strings.Repeat("a", 250) + "@example.com",
	} {
		_, err := w.AddRecipient(t.Context(), w.admin, email)
		var invalid *manage.Invalid
		if !errors.As(err, &invalid) || invalid.Fields[0].Name != "email" {
			t.Errorf("%q: got %v, want what is wrong with the field email", email, err)
		}
		if _, err := w.RemoveRecipient(t.Context(), w.admin, email); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("removing %q: got %v, want ErrNotFound", email, err)
		}
	}
	for i := range 20 {
		must(w.AddRecipient(t.Context(), w.admin, fmt.Sprintf("a%d@example.com", i)))(t)
	}
	if _, err := w.AddRecipient(t.Context(), w.admin, "one.more@example.com"); !errors.Is(err, store.ErrLimit) {
		t.Errorf("the 21st: %v, want ErrLimit", err)
	}
}

func lately(email string) string {
	return "Not now: a test mail went to " + email + " a moment ago; wait a little."
}

func TestATestMailSaysWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	s := mailtest.New(t, mailtest.Config{NoTLS: true})
	w := newWorld(t, func(c *manage.Config) { c.Mail = senderTo(t, s) })
	tested := func(want ...manage.TestedMail) {
		t.Helper()
		if diff := cmp.Diff(want, must(w.TestMail(t.Context(), w.user, struct{}{}))(t)); diff != "" {
			t.Errorf("tested (-want +got):\n%s", diff)
		}
	}
	if _, err := w.TestMail(t.Context(), w.user, struct{}{}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("with nobody to send to: %v, want a conflict", err)
	}
	add := func(email string) { must(w.AddRecipient(t.Context(), w.user, email))(t) }
	add("a@example.com")
	tested(manage.TestedMail{Email: "a@example.com"})
	got := s.Mails()
	if len(got) != 1 || got[0].To != "a@example.com" || !strings.Contains(got[0].Text, `account "Other"`) || !strings.Contains(got[0].Text, "https://hooks.example.com/settings/notifications") {
		t.Errorf("arrived: %+v", got)
	}
	tested(manage.TestedMail{Email: "a@example.com", Problem: lately("a@example.com")})

	s.Break(mailtest.Fault{At: "RCPT", Reply: "550 5.1.1 no such user"})
	add("b@example.com")
	add("c@example.com")
	refused := "The mail server refused it for good (550 5.1.1). Check the address."
	tested(manage.TestedMail{Email: "a@example.com", Problem: lately("a@example.com")},
		manage.TestedMail{Email: "b@example.com", Problem: refused}, manage.TestedMail{Email: "c@example.com", Problem: refused})

	s.Break(mailtest.Fault{At: "CONNECT", Close: true})
	must(w.RemoveRecipient(t.Context(), w.user, "a@example.com"))(t)
	add("d@example.com")
	add("e@example.com")
	tested(manage.TestedMail{Email: "b@example.com", Problem: lately("b@example.com")}, manage.TestedMail{Email: "c@example.com", Problem: lately("c@example.com")},
		manage.TestedMail{Email: "d@example.com", Problem: "The mail server cannot be reached, or does not answer as it should."},
		manage.TestedMail{Email: "e@example.com", Problem: "It was not tried: the mail server did not take the one before, or took too long."})
}

// Whoever is named may be a stranger: changing addresses does not make room for more of them.
func TestAnAccountNamesNoMoreThanTwentyAddressesADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var err error
	added := 0
	for ; err == nil && added < 100; added++ {
		email := fmt.Sprintf("a%d@example.com", added)
		if _, err = w.AddRecipient(t.Context(), w.admin, email); err == nil {
			must(w.RemoveRecipient(t.Context(), w.admin, email))(t)
		}
	}
	var conflict *store.Conflict
	// At midnight the count begins anew.
	if !errors.As(err, &conflict) || added != 21 && added != 41 || !strings.Contains(conflict.Message, "today") {
		t.Errorf("%d were added, then %v", added-1, err)
	}
	must(w.AddRecipient(t.Context(), w.user, "a@example.com"))(t)
}

func TestATestMailThatFailsIsInTheAudit(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]mailtest.Fault{
		"refused": {At: "RCPT", Reply: "550 5.1.1 no such user"}, "put off": {At: "RCPT", Reply: "451 later"}, "away": {At: "CONNECT", Close: true},
		"nobody knows": {At: "BODY", Close: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mailtest.New(t, mailtest.Config{NoTLS: true})
			s.Break(fault)
			w := newWorld(t, func(c *manage.Config) { c.Mail = senderTo(t, s) })
			must(w.AddRecipient(t.Context(), w.user, "a@example.com"))(t)
			must(w.TestMail(t.Context(), w.user, struct{}{}))(t)
			got := must(w.ListAudit(t.Context(), w.user, manage.ListAudit{}))(t).Rows[0]
			if got.Action != "mail.test" || got.Detail != "taken for 0 of 1 address" {
				t.Errorf("audit: %+v", got)
			}
		})
	}
}

// broken is a mail server of which not even a problem can be said.
type broken struct{}

func (broken) SendTest(context.Context, string, string) error { return errors.New("broken") }

func TestATestMailThatBreaksOffIsInTheAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *manage.Config) { c.Mail = broken{} })
	must(w.AddRecipient(t.Context(), w.user, "a@example.com"))(t)
	if _, err := w.TestMail(t.Context(), w.user, struct{}{}); err == nil {
		t.Error("no error")
	}
	if got := must(w.ListAudit(t.Context(), w.user, manage.ListAudit{}))(t).Rows[0]; got.Action != "mail.test" {
		t.Errorf("audit: %+v", got)
	}
}

func TestAServerWithoutMailSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	must(w.AddRecipient(t.Context(), w.admin, "a@example.com"))(t)
	_, err := w.TestMail(t.Context(), w.admin, struct{}{})
	var conflict *store.Conflict
	if !errors.As(err, &conflict) || !strings.Contains(conflict.Message, "sends no mail") {
		t.Errorf("got %v, want that this server sends no mail", err)
	}
}
