package notify_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/mail"
	"github.com/compliancelayer/compliancelayer/internal/mail/mailtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

const smtpPassword = "canary-smtp-password"

// mailed runs a story in a bubble, beside a mail server outside of it. The people of the account are
// zoe@example.com, its owner, and whom the story adds.
func mailed(t *testing.T, story func(w *world, s *mailtest.Server)) {
	t.Helper()
	s := mailtest.New(t, mailtest.Config{User: "hooks", Password: smtpPassword})
	within(t, func(w *world) {
		w.member("zoe@example.com", "owner")
		w.member("max@example.com", "viewer")
		story(w, s)
	})
}

// member adds one.
func (w *world) member(email, role string) {
	w.t.Helper()
	i := store.Invite{ID: "inv_" + email, AccountID: account, Email: email, Role: role, By: "usr_1", CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	copy(i.Hash[:], email)
	w.must(w.db.CreateInvite(w.t.Context(), i))
	_, err := w.db.AcceptInvite(w.t.Context(), i.Hash, store.User{ID: "usr_" + email, Name: "Somebody", CreatedAt: time.Now()}, time.Now())
	w.must(err)
}

// courier makes a Courier of a node that sends by the mail server.
func (w *world) courier(db mail.Store, s *mailtest.Server) *mail.Courier {
	w.t.Helper()
	policy, err := egress.NewPolicy(egress.Config{})
	w.must(err)
	sender, err := mail.NewSender(mail.Config{
		Policy: policy, Server: s.Address(), TLS: mail.StartTLS, User: "hooks", Password: smtpPassword, From: "webhooks@example.com", Roots: s.Roots(),
		PublicURL: func() string { return "https://hooks.example.com" },
	})
	w.must(err)
	return mail.NewCourier(mail.CourierConfig{Store: db, Sender: sender, Every: cmp.Or(w.every, every), Log: w.logger()})
}

// runs starts a Courier and gives what stops it.
func (w *world) runs(c *mail.Courier) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("courier: %v", err)
		}
	})
}

func (w *world) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// post runs a Notifier and a Courier as a node does.
func (w *world) post(s *mailtest.Server) (stop func()) {
	w.t.Helper()
	c := w.courier(w.db, s)
	w.mailed = c.Wake
	stop = w.runs(c)
	w.start()
	return stop
}

// pass lets a time pass, in steps that a bubble with connections to outside gets through.
func (w *world) pass(d time.Duration) {
	w.notifier.Wake()
	time.Sleep(d)
	synctest.Wait()
}

// subjects lists to whom what was sent, in order.
func subjects(s *mailtest.Server) string {
	var all []string
	for _, m := range s.Mails() {
		all = append(all, m.To+": "+m.Subject)
	}
	return strings.Join(all, "\n")
}

func TestTheOwnerIsToldOnceAtEachStep(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.endpoint(account, "ep_bad", "domain.added")
		defer w.post(s)()
		want := ""
		for i, step := range []struct {
			failures int
			told     string
		}{{4, ""}, {1, "is failing"}, {2, ""}, {1, "is failing"}, {1, ""}, {1, "was disabled"}} {
			w.fail("ep_bad", "domain.added", step.failures)
			w.pass(10 * time.Minute)
			if step.told != "" {
				want += `zoe@example.com: Your webhook endpoint "Ticket system" (receiver.example) ` + step.told + "\n"
			}
			if got := subjects(s); got != strings.TrimSpace(want) {
				t.Fatalf("after step %d:\n%s\nwant:\n%s", i, got, want)
			}
		}
		last := s.Mails()[2]
		for _, text := range []string{"after 10 failed attempts in a row", "(server_error): receiver.example answered 503.", "Deliveries that are held: 10", "https://hooks.example.com/endpoints/ep_bad/recover\n", "/settings/notifications"} {
			if !strings.Contains(last.Text, text) {
				t.Errorf("the last mail lacks %q:\n%s", text, last.Text)
			}
		}
		if !last.Secure || last.User != "hooks" {
			t.Errorf("it came with TLS %t by %q", last.Secure, last.User)
		}
		if len(w.notices()) != 0 {
			t.Error("notices are left")
		}
	})
}

// An alert opens and closes, and does so again within the hour: each is told, so that the last that is told is true.
func TestPeopleAreToldOfAnAlertAndOfItsEnd(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.endpoint(account, "ep_bad", "domain.added")
		defer w.post(s)()
		want := ""
		for i := range 2 {
			a := store.Alert{
				ID: fmt.Sprintf("alt_%d", i), AccountID: account, EndpointID: "ep_bad", Kind: delivery.AlertFailing, Threshold: 10,
				Opened: delivery.Reading{Attempts: 40, Failed: 10, Bad: 10, Span: time.Hour}, OpenedAt: time.Now(),
			}
			_, err := w.db.OpenAlert(w.t.Context(), a)
			w.must(err)
			w.pass(10 * time.Minute)
			a.Closed, a.ClosedAt = delivery.Reading{Attempts: 50, Failed: 2, Bad: 2, Span: 15 * time.Minute}, time.Now()
			_, err = w.db.CloseAlert(w.t.Context(), a)
			w.must(err)
			w.pass(10 * time.Minute)
			want += `zoe@example.com: Your webhook endpoint "Ticket system" (receiver.example) fails often
zoe@example.com: Your webhook endpoint "Ticket system" (receiver.example) is well again
`
			if got := subjects(s); got != strings.TrimSpace(want) {
				t.Fatalf("told after round %d:\n%s\nwant:\n%s", i, got, want)
			}
		}
		if text := s.Mails()[0].Text; !strings.Contains(text, "25 % of its last 40 attempts failed") {
			t.Errorf("the first mail lacks what it was judged by:\n%s", text)
		}
		if len(w.notices()) != 0 {
			t.Error("notices are left")
		}
	})
}

// The clock was a year ahead when an alert opened, and is put back: what comes then is told, and at last what is true.
func TestAnAlertOfAClockThatWasAheadSilencesNoOther(t *testing.T) {
	for name, away := range map[string]bool{"each in a mail of its own": false, "all in one": true} {
		t.Run(name, func(t *testing.T) {
			mailed(t, func(w *world, s *mailtest.Server) {
				w.endpoint(account, "ep_bad", "domain.added")
				alert := func(id string, at time.Time) store.Alert {
					return store.Alert{
						ID: id, AccountID: account, EndpointID: "ep_bad", Kind: delivery.AlertFailing, Threshold: 10,
						Opened: delivery.Reading{Attempts: 40, Failed: 10, Bad: 10, Span: time.Hour}, OpenedAt: at,
					}
				}
				first := alert("alt_1", time.Now().Add(365*24*time.Hour))
				_, err := w.db.OpenAlert(w.t.Context(), first)
				w.must(err)
				if away {
					s.Break(mailtest.Fault{At: "CONNECT", Close: true})
				}
				defer w.post(s)()
				w.pass(10 * time.Minute)
				first.Closed, first.ClosedAt = delivery.Reading{Attempts: 50, Failed: 2, Bad: 2, Span: 15 * time.Minute}, time.Now()
				_, err = w.db.CloseAlert(w.t.Context(), first)
				w.must(err)
				w.pass(10 * time.Minute)
				_, err = w.db.OpenAlert(w.t.Context(), alert("alt_2", time.Now()))
				w.must(err)
				s.Break(mailtest.Fault{})
				w.pass(3 * time.Hour)
				got := s.Mails()
				if len(got) == 0 || !strings.HasSuffix(got[len(got)-1].Subject, "fails often") || !away && len(got) != 3 {
					t.Errorf("told:\n%s", subjects(s))
				}
			})
		})
	}
}

func TestNothingSecretIsMailedOrLogged(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.endpoint(account, "ep_bad", "domain.added")
		s.Break(mailtest.Fault{At: "AUTH", Reply: "535 5.7.8 not " + smtpPassword})
		defer w.post(s)()
		w.fail("ep_bad", "domain.added", 10)
		w.pass(time.Second)
		s.Break(mailtest.Fault{})
		w.pass(time.Hour)
		if len(s.Mails()) == 0 {
			t.Error("nothing was mailed")
		}
		raw := ""
		for _, m := range s.Mails() {
			raw += m.Raw + m.Text
		}
		for _, canary := range append([]string{smtpPassword, "canary", "token="}, canaries...) {
			if strings.Contains(raw, canary) {
				t.Errorf("a mail tells %s:\n%s", canary, raw)
			}
			if strings.Contains(w.log.String(), canary) {
				t.Errorf("the log tells %s:\n%s", canary, w.log.String())
			}
		}
	})
}

func TestRecipientsAreToldInPlaceOfTheOwners(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.endpoint(account, "ep_bad", "domain.added")
		for _, email := range []string{"ops@example.com", "oncall@example.com"} {
			w.must(w.db.AddRecipient(w.t.Context(), store.Recipient{AccountID: account, Email: email, By: "usr_1", CreatedAt: time.Now()}, 20, 20))
		}
		w.policy.DisableAfter = 1
		defer w.post(s)()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(time.Minute)
		const name = `Your webhook endpoint "Ticket system" (receiver.example) was disabled`
		told := strings.Split(subjects(s), "\n")
		slices.Sort(told) // letters to two addresses go at the same time
		if got, want := strings.Join(told, "\n"), "oncall@example.com: "+name+"\nops@example.com: "+name; got != want {
			t.Errorf("told:\n%s\nwant:\n%s", got, want)
		}
	})
}

// toldBy says how many things a mail tells, by its subject.
func toldBy(m mailtest.Mail) int {
	more := 0
	if _, tail, cut := strings.Cut(m.Subject, ", and "); cut {
		_, _ = fmt.Sscanf(tail, "%d more", &more)
	}
	return 1 + more
}

func TestFiveHundredEndpointsDisabledAtOnceMakeTwoMails(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		const n = 500
		w.policy.DisableAfter = 1
		for i := range n {
			w.endpoint(account, fmt.Sprintf("ep_%d", i), "domain.added")
			w.fail(fmt.Sprintf("ep_%d", i), "domain.added", 1)
		}
		defer w.post(s)()
		w.pass(time.Hour)
		got := s.Mails()
		told := 0
		for _, m := range got {
			told += toldBy(m)
			if len(m.Text) > 20<<10 {
				t.Errorf("%q has %d bytes", m.Subject, len(m.Text))
			}
		}
		if len(got) == 0 || len(got) > 2 || told != n || !strings.Contains(got[len(got)-1].Text, " more. All endpoints: ") {
			t.Errorf("%d mails tell of %d endpoints, want one at once and one after five minutes, that tell of %d:\n%s", len(got), told, n, subjects(s))
		}
	})
}

func TestAnEndpointThatFlapsMakesNoFlood(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.endpoint(account, "ep_bad", "domain.added")
		defer w.post(s)()
		for range 20 { // two hours and more of it
			w.fail("ep_bad", "domain.added", 6)
			l := w.lease("ep_bad", "domain.added")
			a := failed(l)
			a.Class, a.StatusCode = delivery.OK, 200
			_, err := w.db.Record(w.t.Context(), w.policy, []store.Result{{Lease: l, Attempt: a, Change: delivery.Decide(w.policy, l, a.Outcome, 0)}})
			w.must(err)
			w.pass(7 * time.Minute)
		}
		if got := len(s.Mails()); got != 1 {
			t.Errorf("%d mails, want one in six hours:\n%s", got, subjects(s))
		}
		time.Sleep(4 * time.Hour)
		w.fail("ep_bad", "domain.added", 6)
		w.pass(time.Minute)
		if got := len(s.Mails()); got != 2 {
			t.Errorf("%d mails after six hours, want another one", got)
		}
	})
}

// outcomes says what became of the account's mails, newest first.
func (w *world) outcomes() string {
	w.t.Helper()
	listed, _, err := w.db.ListMails(w.t.Context(), account, store.Page{Limit: 10})
	w.must(err)
	var all []string
	for _, m := range listed {
		all = append(all, string(m.State)+": "+m.Problem)
	}
	return strings.Join(all, ", ")
}

// TestTwoNodesSendEachMailOnce: both tell, and both send.
func TestTwoNodesSendEachMailOnce(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		const n = 30
		for i := range n {
			id := fmt.Sprintf("ep_%d", i)
			w.endpoint(account, id, "domain.added")
			w.fail(id, "domain.added", 1)
			w.must(w.db.AddRecipient(w.t.Context(), store.Recipient{AccountID: account, Email: id + "@example.com", By: "usr_1", CreatedAt: time.Now()}, n, n))
		}
		defer w.post(s)()
		second := &world{t: w.t, db: w.db, policy: w.policy}
		defer second.post(s)()
		w.pass(time.Hour)
		second.cancel()
		w.must(<-second.ended)
		got := map[string]int{}
		for _, m := range s.Mails() {
			got[m.To] += toldBy(m)
		}
		for email, count := range got {
			if count != n {
				t.Errorf("%s was told %d things, want %d", email, count, n)
			}
		}
		if len(got) != n {
			t.Errorf("%d addresses were told, want %d", len(got), n)
		}
	})
}

// halting is a store that stops answering at a step, as it looks to a process that is killed there.
type halting struct {
	*faulty
	endLetter int   // failures of EndLetter left
	lease     error // what HandLetter answers, unless it is nil
}

func (h *halting) HandLetter(ctx context.Context, l store.Letter, until time.Time) error {
	return cmp.Or(h.lease, h.Store.HandLetter(ctx, l, until))
}

func (h *halting) EndLetter(ctx context.Context, l store.Letter, state store.MailState, problem string, now, rest time.Time) error {
	if h.endLetter > 0 {
		h.endLetter--
		return store.ErrUnavailable
	}
	return h.Store.EndLetter(ctx, l, state, problem, now, rest)
}

// TestWhatIsKilledBetweenTwoStepsIsToldStill goes through the steps from a notice to the end of its letter.
func TestWhatIsKilledBetweenTwoStepsIsToldStill(t *testing.T) {
	tests := []struct {
		name   string
		halts  func(db store.Store) *halting
		breaks mailtest.Fault // during the first round
		mails  int            // that arrive, all the same
	}{
		{"before the facts are read", func(db store.Store) *halting { return &halting{faulty: &faulty{Store: db, endpoints: 1}} }, mailtest.Fault{}, 1},
		{"published, not removed", func(db store.Store) *halting { return &halting{faulty: &faulty{Store: db, deletes: 1}} }, mailtest.Fault{}, 1},
		{"claimed, not sent", func(db store.Store) *halting { return &halting{faulty: &faulty{Store: db}} }, mailtest.Fault{At: "MAIL", Close: true}, 1},
		{"taken, and nobody heard", func(db store.Store) *halting { return &halting{faulty: &faulty{Store: db}} }, mailtest.Fault{At: "BODY", Taken: true, Close: true}, 2},
		{"sent, not recorded", func(db store.Store) *halting { return &halting{faulty: &faulty{Store: db}, endLetter: 1} }, mailtest.Fault{}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mailed(t, func(w *world, s *mailtest.Server) {
				w.policy.DisableAfter = 1
				w.endpoint(account, "ep_bad", "domain.added")
				h := tt.halts(w.db)
				w.store = h
				s.Break(tt.breaks)
				c := w.courier(h, s)
				w.mailed = c.Wake
				defer w.runs(c)()
				w.start()
				w.fail("ep_bad", "domain.added", 1)
				w.pass(time.Second)
				s.Break(mailtest.Fault{})
				w.endpoint(account, "ep_worse", "domain.added") // what comes meanwhile gets into no letter that was on its way
				w.fail("ep_worse", "domain.added", 1)
				w.pass(time.Hour)
				var first []mailtest.Mail
				other := 0
				for _, m := range s.Mails() {
					if strings.Contains(m.Text, "ep_bad") && !strings.Contains(m.Text, "ep_worse") {
						first = append(first, m)
					} else {
						other++
					}
				}
				if len(first) == 0 && other == 1 && tt.mails == 1 {
					return // nothing had left when the second came: both are in one
				}
				if len(first) != tt.mails || other != 1 {
					t.Fatalf("%d mails of the first and %d of the second, want %d and 1:\n%s", len(first), other, tt.mails, subjects(s))
				}
				for _, m := range first {
					if m.MessageID != first[0].MessageID || m.Text != first[0].Text {
						t.Errorf("the one that was repeated is another: %+v and %+v", first[0], m)
					}
				}
				if got := w.outcomes(); got != "sent: , sent: " {
					t.Errorf("the mails are %q", got)
				}
			})
		})
	}
}

func TestWithoutAMailServerNothingIsWritten(t *testing.T) {
	within(t, func(w *world) {
		w.member("zoe@example.com", "owner")
		w.policy.DisableAfter = 1
		w.endpoint(account, "ep_bad", "domain.added")
		w.start()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(time.Minute)
		if got := w.outcomes(); got != "" || len(w.notices()) != 0 {
			t.Errorf("mails: %q, %d notices", got, len(w.notices()))
		}
	})
}

// TestAServerThatStopsCutsAMailThatHangs runs by the real clock, as nothing moves the other one while
// a connection is waited for.
func TestAServerThatStopsCutsAMailThatHangs(t *testing.T) {
	t.Parallel()
	s := mailtest.New(t, mailtest.Config{User: "hooks", Password: smtpPassword})
	s.Break(mailtest.Fault{At: "BODY", Hang: true})
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, policy: delivery.DefaultPolicy()}
	w.member("zoe@example.com", "owner")
	w.policy.DisableAfter = 1
	w.endpoint(account, "ep_bad", "domain.added")
	w.fail("ep_bad", "domain.added", 1)
	n := w.notices()[0]
	rows, err := mail.Rows(n, mail.Facts{}, []string{"zoe@example.com"}, time.Now())
	w.must(err)
	w.must(db.DeleteNotice(t.Context(), n.ID, rows...))
	stop := w.runs(w.courier(db, s))
	for s.Connections() == 0 {
		time.Sleep(time.Millisecond)
	}
	stop()
	if got := w.outcomes(); !strings.HasPrefix(got, "waiting: ") {
		t.Errorf("it is %s, want that it waits", got)
	}
	w.must(db.Close())
}
