package notify_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/mail"
	"github.com/compliancelayer/compliancelayer/internal/mail/mailtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestAMailWaitsForAServerThatIsAway(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		w.endpoint(account, "ep_bad", "domain.added")
		w.endpoint(account, "ep_worse", "domain.added")
		s.Break(mailtest.Fault{At: "CONNECT", Reply: "421 later", Close: true})
		defer w.post(s)()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(2 * time.Hour)
		w.fail("ep_worse", "domain.added", 1)
		w.pass(2 * time.Hour)
		tries := s.Connections()
		if len(s.Mails()) != 0 || tries < 8 || tries > 12 {
			t.Fatalf("%d mails, %d connections in four hours, want none and about ten", len(s.Mails()), tries)
		}
		listed, _, err := w.db.ListMails(w.t.Context(), account, store.Page{Limit: 10})
		w.must(err)
		if len(listed) != 2 || listed[1].State != store.MailWaiting || !strings.Contains(listed[1].Problem, "cannot be reached") {
			t.Errorf("listed %+v", listed)
		}
		s.Break(mailtest.Fault{})
		w.pass(2 * time.Hour)
		if got := len(s.Mails()); got != 2 {
			t.Errorf("%d mails when it is back, want both things:\n%s", got, subjects(s))
		}
	})
}

func TestAMailThatNeverGetsThroughIsGivenUp(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		w.every = 10 * time.Minute // four days of looking every minute would take long
		w.endpoint(account, "ep_bad", "domain.added")
		s.Break(mailtest.Fault{At: "RCPT", Reply: "451 4.7.1 greylisted"})
		defer w.post(s)()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(71 * time.Hour)
		if !strings.Contains(w.outcomes(), "waiting") {
			t.Fatalf("after 71 hours it is %s", w.outcomes())
		}
		w.pass(20 * time.Hour) // each try waits for a look besides
		if got := w.outcomes(); got != "given_up: The mail server asks to try again later (451 4.7.1)." {
			t.Errorf("after 91 hours it is %s", got)
		}
	})
}

func TestAnAddressThatIsRefusedIsDroppedAndOthersAreTold(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		w.endpoint(account, "ep_bad", "domain.added")
		s.Break(mailtest.Fault{At: "RCPT", Reply: "550 5.1.1 no such user"})
		defer w.post(s)()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(time.Minute)
		if got := w.outcomes(); got != "refused: The mail server refused it for good (550 5.1.1). Check the address." {
			t.Errorf("it is %s", got)
		}
		rows, _, err := w.db.ListAudit(w.t.Context(), account, store.AuditFilter{Action: "mail.refused"}, store.Page{Limit: 10})
		w.must(err)
		if len(rows) != 1 || rows[0].Action != "mail.refused" || !strings.HasPrefix(rows[0].Detail, "zoe@example.com: ") {
			t.Errorf("audit: %+v", rows)
		}
		before := s.Connections()
		w.pass(24 * time.Hour)
		if s.Connections() != before {
			t.Error("it was tried again")
		}
	})
}

// tells adds addresses to an account.
func (w *world) tells(accountID string, emails ...string) {
	w.t.Helper()
	for _, email := range emails {
		w.must(w.db.AddRecipient(w.t.Context(), store.Recipient{AccountID: accountID, Email: email, By: "usr_1", CreatedAt: time.Now()}, 100, 100))
	}
}

// A stranger's account names the address of another's, and has a text in its mails that is refused for good.
func TestNoAccountSilencesAnother(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter, w.policy.Schedule = 1, delivery.Schedule{0}
		w.must(w.db.CreateAccount(w.t.Context(), store.Account{ID: "acc_2", Name: "Stranger", CreatedAt: time.Now()}))
		w.tells("acc_2", "zoe@example.com")
		w.endpoint(account, "ep_bad", "domain.added")
		w.endpoint("acc_2", "ep_theirs", "domain.added")
		s.Break(mailtest.Fault{At: "BODY", About: "Stranger", Reply: "550 5.1.1 not this"})
		defer w.post(s)()
		w.failIn("acc_2", "ep_theirs")
		w.fail("ep_bad", "domain.added", 1)
		w.pass(time.Minute)
		if got := w.outcomes(); got != "sent: " {
			t.Errorf("the account's mail is %q", got)
		}
		theirs, _, err := w.db.ListMails(w.t.Context(), "acc_2", store.Page{Limit: 10})
		w.must(err)
		if len(theirs) != 1 || theirs[0].State != store.MailRefused || len(s.Mails()) != 1 || strings.Contains(s.Mails()[0].Text, "ep_theirs") {
			t.Errorf("the stranger's are %+v; arrived:\n%s", theirs, subjects(s))
		}
	})
}

func TestAnAddressThatIsPutOffHoldsUpNoOther(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		w.tells(account, "a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com", "f@example.com")
		w.endpoint(account, "ep_bad", "domain.added")
		s.Break(mailtest.Fault{At: "RCPT", Reply: "451 4.7.1 greylisted", About: "a@example.com"})
		w.every = time.Hour // so that there is one round
		defer w.post(s)()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(time.Minute)
		if got := len(s.Mails()); got != 5 {
			t.Errorf("%d mails, want those to the other five:\n%s", got, subjects(s))
		}
	})
}

func TestAMailOfWhichNobodyKnowsIsHandedOverThreeTimes(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		w.endpoint(account, "ep_bad", "domain.added")
		s.Break(mailtest.Fault{At: "BODY", Taken: true, Close: true})
		defer w.post(s)()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(12 * time.Hour)
		if got := len(s.Mails()); got != 3 {
			t.Errorf("it arrived %d times, want 3", got)
		}
		if got := w.outcomes(); !strings.HasPrefix(got, "unknown: ") || !strings.Contains(got, "unknown whether it arrived") {
			t.Errorf("it is %s", got)
		}
		rows, _, err := w.db.ListAudit(w.t.Context(), account, store.AuditFilter{Action: "mail.unknown"}, store.Page{Limit: 10})
		w.must(err)
		if len(rows) != 1 || rows[0].Action != "mail.unknown" || !strings.Contains(w.log.String(), "nobody knows whether it arrived") {
			t.Errorf("audit: %+v", rows)
		}
	})
}

// A node dies each time before it has written down that the mail was taken.
func TestAMailOverWhichNodesDieIsHandedOverThreeTimes(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		w.endpoint(account, "ep_bad", "domain.added")
		c := w.courier(&halting{faulty: &faulty{Store: w.db}, endLetter: 3}, s)
		w.mailed = c.Wake
		defer w.runs(c)()
		w.start()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(time.Hour)
		if got := len(s.Mails()); got != 3 {
			t.Errorf("it arrived %d times, want 3", got)
		}
		if got := w.outcomes(); !strings.HasPrefix(got, "unknown: ") {
			t.Errorf("it is %s", got)
		}
	})
}

// A node slept over its lease: another has the letter.
func TestAMailThatAnotherNodeHasIsNotSent(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		w.endpoint(account, "ep_bad", "domain.added")
		c := w.courier(&halting{faulty: &faulty{Store: w.db}, lease: store.ErrLeaseLost}, s)
		w.mailed = c.Wake
		defer w.runs(c)()
		w.start()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(10 * time.Second)
		if s.Connections() == 0 || len(s.Mails()) != 0 || w.outcomes() != "waiting: " {
			t.Errorf("%d connections, %d mails, and it is %s", s.Connections(), len(s.Mails()), w.outcomes())
		}
	})
}

func TestARelayThatIsSetUpWronglyLosesNothing(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		w.endpoint(account, "ep_bad", "domain.added")
		s.Break(mailtest.Fault{At: "RCPT", Reply: "554 5.7.1 relay access denied"})
		defer w.post(s)()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(24 * time.Hour)
		if got := w.outcomes(); got != "waiting: The mail server refused it (554 5.7.1): the address, the text, or mail from this server." {
			t.Errorf("after a day it is %s", got)
		}
		s.Break(mailtest.Fault{})
		w.pass(2 * time.Hour)
		if got := w.outcomes(); got != "sent: " {
			t.Errorf("when it is set right it is %s", got)
		}
	})
}

// Whoever may describe an endpoint must not be able to silence what is told of it, by words that a filter refuses.
func TestWordsThatAFilterRefusesAreLeftOut(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		w.endpoint(account, "ep_bad", "domain.added")
		s.Break(mailtest.Fault{At: "BODY", Reply: "550 5.7.1 looks like spam", About: "Ticket system"})
		defer w.post(s)()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(5 * time.Minute)
		if got := w.outcomes(); got != "sent: " {
			t.Fatalf("after five minutes it is %s", got)
		}
		if mails := s.Mails(); len(mails) != 1 || !strings.Contains(mails[0].Raw, "ep_bad was disabled") || strings.Contains(mails[0].Raw, "receiver.example") {
			t.Errorf("what arrived is %+v", mails)
		}
	})
}

func TestWhoIsRemovedGetsNothingThatWaits(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		w.tells(account, "ops@example.com", "oncall@example.com")
		w.endpoint(account, "ep_bad", "domain.added")
		s.Break(mailtest.Fault{At: "CONNECT", Close: true})
		defer w.post(s)()
		w.fail("ep_bad", "domain.added", 1)
		w.pass(time.Minute)
		w.must(w.db.RemoveRecipient(w.t.Context(), account, "ops@example.com"))
		s.Break(mailtest.Fault{})
		w.pass(2 * time.Hour)
		if got := s.Mails(); len(got) != 1 || got[0].To != "oncall@example.com" {
			t.Errorf("told:\n%s", subjects(s))
		}
		if got := w.outcomes(); !strings.Contains(got, "dropped: This address is not told any more: those who are told now have it.") {
			t.Errorf("they are %s", got)
		}
	})
}

// flap has an alert open and close so often, in twelve minutes each time.
func (w *world) flap(times int) {
	w.t.Helper()
	for i := range times {
		a := store.Alert{
			ID: fmt.Sprintf("alt_%d", i), AccountID: account, EndpointID: "ep_bad", Kind: delivery.AlertFailing, Threshold: 10,
			Opened: delivery.Reading{Attempts: 40, Failed: 10, Bad: 10, Span: time.Hour}, OpenedAt: time.Now(),
		}
		_, err := w.db.OpenAlert(w.t.Context(), a)
		w.must(err)
		w.pass(6 * time.Minute)
		a.Closed, a.ClosedAt = delivery.Reading{Attempts: 50, Span: 15 * time.Minute}, time.Now()
		_, err = w.db.CloseAlert(w.t.Context(), a)
		w.must(err)
		w.pass(6 * time.Minute)
	}
}

// One endpoint's alerts have used up the mails of the day, or its disablings, as often as somebody enables it again:
// those of others are told all the same.
func TestADisablingIsToldWhateverFlaps(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		for _, id := range []string{"ep_bad", "ep_worse", "ep_other"} {
			w.endpoint(account, id, "domain.added")
		}
		disable := func(id string) {
			_, err := w.db.SetState(w.t.Context(), account, id, delivery.Enabled, delivery.ByHand, time.Now())
			w.must(err)
			w.fail(id, "domain.added", 1)
		}
		defer w.post(s)()
		begin := time.Now().Truncate(24 * time.Hour).Add(24 * time.Hour)
		time.Sleep(time.Until(begin))
		w.flap(30)
		before := len(s.Mails())
		disable("ep_other")
		w.pass(6 * time.Minute)
		if got := s.Mails(); len(got) != before+1 || !strings.Contains(got[before].Subject, "was disabled") {
			t.Fatalf("after %d mails it is not told within minutes:\n%s", before, subjects(s))
		}
		last := len(s.Mails())
		for time.Since(begin) < 23*time.Hour {
			for range 3 {
				disable("ep_worse")
				w.pass(10 * time.Minute)
			}
			if len(s.Mails()) == last {
				t.Fatalf("nothing was told in half an hour:\n%s", w.outcomes())
			}
			last = len(s.Mails())
		}
		if most := mail.DailyMails + 2*24; last > most {
			t.Errorf("%d mails in a day, want %d at most", last, most)
		}
	})
}

// An alert that flaps as fast as anything can is told in mails that a stranger can live with, and at last as it is.
func TestAnAddressGetsNoFloodInADay(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.endpoint(account, "ep_bad", "domain.added")
		defer w.post(s)()
		time.Sleep(time.Until(time.Now().Truncate(24 * time.Hour).Add(24 * time.Hour)))
		w.flap(60)
		if got := len(s.Mails()); got != mail.DailyMails {
			t.Errorf("%d mails in a day, want %d", got, mail.DailyMails)
		}
		if got := w.outcomes(); !strings.HasPrefix(got, "waiting: As many mails to this address were begun today as one gets in a day (UTC), ") {
			t.Errorf("the last are %s", got)
		}
		w.pass(13 * time.Hour)
		got := s.Mails()
		if len(got) != mail.DailyMails+1 || !strings.HasSuffix(got[len(got)-1].Subject, "is well again") {
			t.Errorf("%d mails on the day after; the last is %q", len(got), got[len(got)-1].Subject)
		}
	})
}

// looks counts how often a Courier looks for letters.
type looks struct {
	mail.Store
	n atomic.Int64
}

func (l *looks) ClaimLetter(ctx context.Context, c store.LetterClaim) (store.Letter, error) {
	l.n.Add(1)
	return l.Store.ClaimLetter(ctx, c)
}

// Four letters may be sent at once, and each of the four senders looked for one every time.
func TestWhereNothingWaitsOneSenderLooks(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.every = time.Minute
		db := &looks{Store: w.db}
		defer w.runs(w.courier(db, s))()
		time.Sleep(time.Hour - time.Second)
		if n := db.n.Load(); n != 60 {
			t.Errorf("in an hour of looking every minute it looked %d times", n)
		}
	})
}
