package storetest

import (
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// mailChecks are alone: letters are claimed over all accounts.
func mailChecks() []check {
	return []check{
		{"a mail is written with the end of its notice and kept as it was", mailKept},
		{"a notice that is missing writes no mail", mailOfNothing},
		{"a mail whose id is known is written once", mailTwice},
		{"a topic that was told lately is not told again, to that address in that account", mailTopic},
		{"a topic is told once by two notices that end at once", mailTopicAtOnce},
		{"all that waits for an address goes into one letter", letterGathers},
		{"a letter gives as many rows as asked for and counts them all", letterCut},
		{"nothing goes to an address before its rest is over", letterRests},
		{"a letter is leased to one of many who ask at once", letterAtOnce},
		{"a letter whose lease is over is the same when it is claimed again", letterAgain},
		{"what comes while a letter is open waits for the next", letterNext},
		{"a letter is ended or postponed by its lease only", letterFenced},
		{"a letter that is postponed waits, and tells why", letterPostponed},
		{"a letter that was not sent leaves an audit row in each account", letterRefused},
		{"what is due beyond belief is due now", letterBeyond},
		{"mails that ended are deleted, others not", mailsDeleted},
		{"an address has a turn for a test mail now and then", testTurns},
	}
}

func mailTo(account, email string) store.Mail {
	id := newID("mail_")
	return store.Mail{
		ID: id, AccountID: account, Email: email, Topic: "disabled:" + id, EndpointID: "ep_check", Kind: delivery.DisabledIt,
		Facts: json.RawMessage(`{"host":"receiver.example"}`), CreatedAt: at(0),
	}
}

// tell ends a notice with mails.
func (w *world) tell(mails ...store.Mail) {
	w.t.Helper()
	w.inStatus(w.newEndpoint(), delivery.Failed)
	rows := w.notices()
	w.must("delete notice", w.s.DeleteNotice(w.ctx(), rows[len(rows)-1].ID, mails...))
}

func (w *world) mails() []store.Mail {
	w.t.Helper()
	return pages(w, 3, func(p store.Page) ([]store.Mail, string, error) { return w.s.ListMails(w.ctx(), w.account, p) }, nil)
}

// letter claims what is due at a time; ok is false when nothing is.
func (w *world) letter(now time.Time) (store.Letter, bool) {
	w.t.Helper()
	l, err := w.s.ClaimLetter(w.ctx(), store.LetterClaim{Now: now, Until: now.Add(time.Minute), Beyond: at(1_000_000 * time.Hour), Most: 50})
	if errors.Is(err, store.ErrNotFound) {
		return store.Letter{}, false
	}
	w.must("claim letter", err)
	return l, true
}

// mustLetter ends the check when no letter to an address is due.
func (w *world) mustLetter(email string, now time.Time) store.Letter {
	w.t.Helper()
	l, ok := w.letter(now)
	if !ok || l.Email != email {
		w.t.Fatalf("claimed %+v at %s, want a letter to %s", l, now, email)
	}
	return l
}

func (w *world) endLetter(l store.Letter, state store.MailState, now time.Time) {
	w.t.Helper()
	w.must("end letter", w.s.EndLetter(w.ctx(), l, state, "", now, now.Add(5*time.Minute)))
}

// emptied ends what other checks have left.
func (w *world) emptied() *world {
	w.t.Helper()
	for {
		l, ok := w.letter(at(500_000 * time.Hour))
		if !ok {
			return w
		}
		w.must("end letter", w.s.EndLetter(w.ctx(), l, store.MailSent, "", at(0), at(0)))
	}
}

// state describes a mail that was written as it is read again.
func inState(m store.Mail, state store.MailState, ended time.Time, problem string) store.Mail {
	m.Again, m.State, m.EndedAt, m.Problem = 0, state, ended, problem
	return m
}

func mailKept(w *world) {
	w.emptied()
	m := mailTo(w.account, newEmail())
	w.tell(m)
	w.equal("mails", w.mails(), []store.Mail{inState(m, store.MailWaiting, time.Time{}, "")})
	w.equal("notices", w.notices(), []store.NoticeRow(nil))
	l := w.mustLetter(m.Email, at(0))
	w.equal("letter", l, store.Letter{ID: m.ID, Email: m.Email, Mails: []store.Mail{inState(m, store.MailWaiting, time.Time{}, "")}, Count: 1, Attempts: 1, Token: l.Token})
	w.endLetter(l, store.MailSent, at(time.Second))
	w.equal("mails after it was sent", w.mails(), []store.Mail{inState(m, store.MailSent, at(time.Second), "")})
	if l, ok := w.letter(at(time.Hour)); ok {
		w.t.Errorf("it was claimed again: %+v", l)
	}
	if len(w.audit(10)) != 0 {
		w.t.Error("a mail that was sent has left an audit row")
	}
}

func mailOfNothing(w *world) {
	w.must("delete a notice that is missing", w.s.DeleteNotice(w.ctx(), "missing", mailTo(w.account, newEmail())))
	w.equal("mails", w.mails(), []store.Mail(nil))
}

func mailTwice(w *world) {
	w.emptied()
	m := mailTo(w.account, newEmail())
	w.tell(m, m)
	w.endLetter(w.mustLetter(m.Email, at(0)), store.MailSent, at(0))
	w.tell(m)
	if got := w.mails(); len(got) != 1 || got[0].State != store.MailSent {
		w.t.Errorf("got %+v, want the one that was sent", got)
	}
	if l, ok := w.letter(at(time.Hour)); ok {
		w.t.Errorf("a letter is due: %+v", l)
	}
}

func mailTopic(w *world) {
	w.emptied()
	email, other := newEmail(), w.newAccount(at(0))
	mail := func(account, email, topic string, after time.Duration) store.Mail {
		m := mailTo(account, email)
		m.Topic, m.CreatedAt, m.Again = topic, at(after), 6*time.Hour
		return m
	}
	tests := []struct {
		name string
		mail store.Mail
		want int // of the account, after it
	}{
		{"the first", mail(w.account, email, "warning:ep_1:5", 0), 1},
		{"the same a little later", mail(w.account, email, "warning:ep_1:5", time.Minute), 1},
		{"the same just before the end", mail(w.account, email, "warning:ep_1:5", 6*time.Hour-time.Millisecond), 1},
		{"another topic", mail(w.account, email, "warning:ep_1:8", time.Minute), 2},
		{"another address", mail(w.account, newEmail(), "warning:ep_1:5", time.Minute), 3},
		{"another account", mail(other, email, "warning:ep_1:5", time.Minute), 3},
		{"the same after that time", mail(w.account, email, "warning:ep_1:5", 6*time.Hour), 4},
		{"the same after the clock was put back for long", mail(w.account, email, "warning:ep_1:5", -6*time.Hour), 5},
	}
	for _, tt := range tests {
		w.tell(tt.mail)
		if got := len(w.mails()); got != tt.want {
			w.t.Errorf("%s: %d mails, want %d", tt.name, got, tt.want)
		}
	}
}

func mailTopicAtOnce(w *world) {
	const n = 8
	email := newEmail()
	for range n {
		w.inStatus(w.newEndpoint(), delivery.Failed)
	}
	rows := w.notices()
	w.atOnce(n, func(i int) error {
		m := mailTo(w.account, email)
		m.Topic, m.Again = "warning:ep_1:5", time.Hour
		return w.s.DeleteNotice(w.ctx(), rows[i].ID, m)
	})
	if got := w.mails(); len(got) != 1 {
		w.t.Errorf("%d mails, want one", len(got))
	}
}

func letterGathers(w *world) {
	w.emptied()
	email, second := newEmail(), newWorld(w.t, w.s)
	var want []store.Mail
	for i := range 3 {
		m := mailTo([]string{w.account, second.account, w.account}[i], email)
		m.CreatedAt = at(time.Duration(i) * time.Second)
		w.tell(m)
		want = append(want, inState(m, store.MailWaiting, time.Time{}, ""))
	}
	other := mailTo(w.account, newEmail())
	other.CreatedAt = at(time.Minute)
	w.tell(other)
	l := w.mustLetter(email, at(time.Minute))
	w.equal("rows of the letter", l.Mails, want)
	w.endLetter(l, store.MailSent, at(time.Minute))
	for _, own := range []*world{w, second} {
		for _, m := range own.mails() {
			if m.Email == email && m.State != store.MailSent {
				w.t.Errorf("%s is %s after its letter was sent", m.ID, m.State)
			}
		}
	}
}

func letterCut(w *world) {
	w.emptied()
	email := newEmail()
	mails := make([]store.Mail, 7)
	for i := range mails {
		mails[i] = mailTo(w.account, email)
		mails[i].CreatedAt = at(time.Duration(i) * time.Second)
	}
	w.tell(mails...)
	l, err := w.s.ClaimLetter(w.ctx(), store.LetterClaim{Now: at(time.Minute), Until: at(time.Hour), Beyond: at(1000 * time.Hour), Most: 3})
	w.must("claim letter", err)
	if len(l.Mails) != 3 || l.Count != 7 || l.Mails[0].ID != mails[0].ID || l.ID != mails[0].ID {
		w.t.Errorf("got %d rows of %d, the first %s in letter %s; want 3 of 7, %s", len(l.Mails), l.Count, l.Mails[0].ID, l.ID, mails[0].ID)
	}
	w.endLetter(l, store.MailSent, at(time.Minute))
	for _, m := range w.mails() {
		if m.State != store.MailSent {
			w.t.Errorf("%s is %s: it was in the letter, too", m.ID, m.State)
		}
	}
}

func letterRests(w *world) {
	w.emptied()
	email := newEmail()
	w.tell(mailTo(w.account, email))
	w.endLetter(w.mustLetter(email, at(0)), store.MailSent, at(0))
	m := mailTo(w.account, email)
	m.CreatedAt = at(time.Second)
	w.tell(m)
	if l, ok := w.letter(at(5*time.Minute - time.Millisecond)); ok {
		w.t.Errorf("claimed while the address rests: %+v", l)
	}
	w.endLetter(w.mustLetter(email, at(5*time.Minute)), store.MailSent, at(5*time.Minute))
	// After a long rest the next goes at once.
	m = mailTo(w.account, email)
	m.CreatedAt = at(time.Hour)
	if l, ok := w.letter(at(time.Hour)); ok {
		w.t.Errorf("claimed although nothing waits: %+v", l)
	}
	w.tell(m)
	w.endLetter(w.mustLetter(email, at(time.Hour)), store.MailSent, at(time.Hour))
}

func letterAtOnce(w *world) {
	w.emptied()
	const addresses = 4
	for range addresses {
		w.tell(mailTo(w.account, newEmail()))
	}
	var claimed atomic.Int32
	w.atOnce(16, func(int) error {
		for {
			_, err := w.s.ClaimLetter(w.ctx(), store.LetterClaim{Now: at(0), Until: at(time.Minute), Beyond: at(1000 * time.Hour), Most: 50})
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			claimed.Add(1)
		}
	})
	if n := claimed.Load(); n != addresses {
		w.t.Errorf("%d letters were claimed, want %d", n, addresses)
	}
}

func letterAgain(w *world) {
	w.emptied()
	email := newEmail()
	w.tell(mailTo(w.account, email))
	first := w.mustLetter(email, at(0))
	m := mailTo(w.account, email)
	m.CreatedAt = at(time.Second)
	w.tell(m)
	if l, ok := w.letter(at(time.Minute - time.Millisecond)); ok {
		w.t.Errorf("claimed while it is leased: %+v", l)
	}
	again := w.mustLetter(email, at(time.Minute))
	if again.Token == first.Token {
		w.t.Error("the token is the same")
	}
	want := first
	want.Token, want.Attempts = again.Token, 2
	w.equal("letter", again, want)
	w.wantError("end it by the lease that is over", w.s.EndLetter(w.ctx(), first, store.MailSent, "", at(0), at(0)), store.ErrLeaseLost)
	w.endLetter(again, store.MailSent, at(time.Minute))
}

func letterNext(w *world) {
	w.emptied()
	email := newEmail()
	w.tell(mailTo(w.account, email))
	l := w.mustLetter(email, at(0))
	m := mailTo(w.account, email)
	m.CreatedAt = at(time.Second)
	w.tell(m)
	w.endLetter(l, store.MailSent, at(2*time.Second))
	next := w.mustLetter(email, at(5*time.Minute+2*time.Second))
	if next.ID != m.ID || next.Count != 1 || next.Attempts != 1 {
		w.t.Errorf("the next letter is %+v, want the first try of one with %s", next, m.ID)
	}
	w.endLetter(next, store.MailSent, at(time.Hour))
}

func letterFenced(w *world) {
	w.emptied()
	email := newEmail()
	w.tell(mailTo(w.account, email))
	l := w.mustLetter(email, at(0))
	other := l
	other.Token++
	before := w.mails()
	w.wantError("end", w.s.EndLetter(w.ctx(), other, store.MailRefused, "no", at(0), at(0)), store.ErrLeaseLost)
	w.wantError("postpone", w.s.PostponeLetter(w.ctx(), other, "no", at(0)), store.ErrLeaseLost)
	w.equal("mails", w.mails(), before)
	w.endLetter(l, store.MailSent, at(0))
	w.wantError("end twice", w.s.EndLetter(w.ctx(), l, store.MailRefused, "no", at(0), at(0)), store.ErrLeaseLost)
	w.wantError("postpone what has ended", w.s.PostponeLetter(w.ctx(), l, "no", at(0)), store.ErrLeaseLost)
	if len(w.audit(10)) != 0 {
		w.t.Error("a lease that was lost has left an audit row")
	}
}

func letterPostponed(w *world) {
	w.emptied()
	m := mailTo(w.account, newEmail())
	w.tell(m)
	l := w.mustLetter(m.Email, at(0))
	w.must("postpone", w.s.PostponeLetter(w.ctx(), l, "the mail server is away", at(2*time.Minute)))
	w.equal("mails", w.mails(), []store.Mail{inState(m, store.MailWaiting, time.Time{}, "the mail server is away")})
	if l, ok := w.letter(at(2*time.Minute - time.Millisecond)); ok {
		w.t.Errorf("claimed too early: %+v", l)
	}
	again := w.mustLetter(m.Email, at(2*time.Minute))
	if again.ID != l.ID || again.Attempts != 2 {
		w.t.Errorf("got %+v, want the second try of %s", again, l.ID)
	}
	w.endLetter(again, store.MailSent, at(3*time.Minute))
	w.equal("mails after it was sent", w.mails(), []store.Mail{inState(m, store.MailSent, at(3*time.Minute), "")})
}

func letterRefused(w *world) {
	w.emptied()
	email, second := newEmail(), newWorld(w.t, w.s)
	w.tell(mailTo(w.account, email), mailTo(w.account, email), mailTo(second.account, email))
	l := w.mustLetter(email, at(0))
	w.must("end letter", w.s.EndLetter(w.ctx(), l, store.MailRefused, "550 no such user", at(time.Second), at(time.Minute)))
	for _, own := range []*world{w, second} {
		w.equal("audit", own.audit(10), []store.AuditEntry{{
			AccountID: own.account, Actor: "system", Action: "mail.refused", Object: l.ID, Detail: email + ": 550 no such user", At: at(time.Second),
		}})
		for _, m := range own.mails() {
			w.equal("mail", m, inState(m, store.MailRefused, at(time.Second), "550 no such user"))
		}
	}
	if l, ok := w.letter(at(time.Hour)); ok {
		w.t.Errorf("it was claimed again: %+v", l)
	}
}

func letterBeyond(w *world) {
	w.emptied()
	m := mailTo(w.account, newEmail())
	m.CreatedAt = at(48 * time.Hour) // by a clock that is put back now
	w.tell(m)
	claim := store.LetterClaim{Now: at(0), Until: at(time.Minute), Beyond: at(49 * time.Hour), Most: 50}
	_, err := w.s.ClaimLetter(w.ctx(), claim)
	w.wantError("claim within belief", err, store.ErrNotFound)
	claim.Beyond = at(2 * time.Hour)
	l, err := w.s.ClaimLetter(w.ctx(), claim)
	w.must("claim beyond belief", err)
	w.endLetter(l, store.MailSent, at(0))
}

func mailsDeleted(w *world) {
	w.emptied()
	old, young, waiting := mailTo(w.account, newEmail()), mailTo(w.account, newEmail()), mailTo(w.account, newEmail())
	for i, m := range []store.Mail{old, young} {
		w.tell(m)
		w.endLetter(w.mustLetter(m.Email, at(0)), store.MailSent, at(time.Duration(i)*time.Hour))
	}
	w.tell(waiting)
	total := 0
	for range 1000 {
		n, err := w.s.DeleteMails(w.ctx(), at(time.Minute), 2)
		w.must("delete mails", err)
		if n > 2 {
			w.t.Fatalf("%d rows went, at most 2 were asked for", n)
		}
		if total += n; n == 0 {
			break
		}
	}
	var left []string
	for _, m := range w.mails() {
		left = append(left, m.ID)
	}
	slices.Sort(left)
	want := []string{young.ID, waiting.ID}
	slices.Sort(want)
	w.equal("mails left", left, want)
	if total == 0 {
		w.t.Error("nothing was deleted")
	}
	w.endLetter(w.mustLetter(waiting.Email, at(time.Hour)), store.MailSent, at(time.Hour))
}

func testTurns(w *world) {
	email := newEmail()
	turn := func(now time.Duration) error {
		return w.s.TestTurn(w.ctx(), email, at(now), at(now-time.Minute))
	}
	w.must("the first", turn(0))
	w.wantConflict("the second at once", turn(time.Second))
	w.must("after a minute", turn(time.Minute))
	w.must("after the clock was put back", turn(-time.Hour))
	w.must("of another address", w.s.TestTurn(w.ctx(), newEmail(), at(0), at(-time.Minute)))
	if l, ok := w.emptied().letter(at(time.Hour)); ok {
		w.t.Errorf("a test mail is a letter: %+v", l)
	}
}
