package storetest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// mailChecks are alone: letters are claimed over all accounts.
func mailChecks() []check {
	return []check{
		{"a letter tells which of its endpoints are enabled", letterEnabled},
		{"a mail that waits tells when it goes at the earliest", mailDue},
		{"a mail is written with the end of its notice and kept as it was", mailKept},
		{"a notice that is missing writes no mail", mailOfNothing},
		{"a mail whose id is known is written once", mailTwice},
		{"a topic that was told lately is not told again, to that address in that account", mailTopic},
		{"a topic is told once by two notices that end at once", mailTopicAtOnce},
		{"what happened earlier on a topic is not told after what happened later", mailLater},
		{"what was written before the clock was put back stands before what is written after", mailAhead},
		{"all that waits in a mailbox goes into one letter", letterGathers},
		{"accounts that tell the same address have a mailbox each", letterOfEach},
		{"a letter gives its last rows, as many as asked for, and counts them all", letterCut},
		{"nothing goes to a mailbox before its rest is over", letterRests},
		{"a mailbox that has had its letters of the day waits, and tells why", letterDaily},
		{"a mailbox that has had its letters of the day gets one all the same when what always goes waits", letterAlways},
		{"a letter is leased to one of many who ask at once", letterAtOnce},
		{"a letter whose lease is over is the same when it is claimed again", letterAgain},
		{"what comes while a letter is open waits for the next", letterNext},
		{"a letter is ended or postponed by its lease only", letterFenced},
		{"a letter that is postponed waits, and tells why", letterPostponed},
		{"a letter that is handed over is leased for longer, and remembers it until its end", letterHanded},
		{"a letter that was not sent leaves an audit row in its account alone", letterRefused},
		{"a letter to who is told no more is handed on to those who do not know it", letterPassed},
		{"a letter is handed on in parts, and ends with the last", letterPassedInParts},
		{"two mailboxes hand on to each other at once", letterPassedAtOnce},
		{"what is due beyond belief is due now", letterBeyond},
		{"mails of before are deleted, whatever became of them", mailsDeleted},
		{"what is in a mailbox that is looked at is adopted by nobody", mailsNotAdopted},
		{"a mailbox has a turn for a test mail now and then", testTurns},
	}
}

func mailTo(account, email string) store.Mail {
	id := newID("mail_")
	return store.Mail{
		ID: id, AccountID: account, Email: email, Topic: "disabled:" + id, EndpointID: "ep_check", Kind: delivery.DisabledIt,
		Facts: json.RawMessage(`{"host":"receiver.example"}`), CreatedAt: at(0), HappenedAt: at(-time.Minute),
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

// inState describes a mail that was written as it is read again.
func inState(m store.Mail, state store.MailState, ended time.Time, problem string) store.Mail {
	m.Again, m.State, m.EndedAt, m.Problem = 0, state, ended, problem
	return m
}

func mailKept(w *world) {
	w.emptied()
	m := mailTo(w.account, newEmail())
	w.tell(m)
	waiting := inState(m, store.MailWaiting, time.Time{}, "")
	waiting.DueAt = at(0)
	w.equal("mails", w.mails(), []store.Mail{waiting})
	w.equal("notices", w.notices(), []store.NoticeRow(nil))
	l := w.mustLetter(m.Email, at(0))
	w.equal("letter", l, store.Letter{ID: m.ID, AccountID: w.account, Email: m.Email, Mails: []store.Mail{inState(m, store.MailWaiting, time.Time{}, "")}, Count: 1, Attempts: 1, Sent: 1, Token: l.Token})
	w.endLetter(l, store.MailSent, at(time.Second))
	w.equal("mails after it was sent", w.mails(), []store.Mail{inState(m, store.MailSent, at(time.Second), "")})
	if l, ok := w.letter(at(time.Hour)); ok {
		w.t.Errorf("it was claimed again: %+v", l)
	}
	if len(w.audit(10)) != 0 {
		w.t.Error("a mail that was sent has left an audit row")
	}
}

func mailDue(w *world) {
	w.emptied()
	email := newEmail()
	due := func(what string, want ...time.Time) {
		w.t.Helper()
		var got []time.Time
		for _, m := range slices.Backward(w.mails()) {
			got = append(got, m.DueAt)
		}
		w.equal(what, got, want)
	}
	w.tell(mailTo(w.account, email))
	due("at once", at(0))
	l := w.mustLetter(email, at(0))
	second := mailTo(w.account, email)
	second.CreatedAt = at(time.Second)
	w.tell(second)
	due("while it is sent", time.Time{}, time.Time{})
	w.must("postpone", w.s.PostponeLetter(w.ctx(), l, "no", at(2*time.Minute)))
	due("at the next try, and not what waits for its end", at(2*time.Minute), time.Time{})
	w.endLetter(w.mustLetter(email, at(2*time.Minute)), store.MailSent, at(3*time.Minute))
	due("after the rest", time.Time{}, at(8*time.Minute))
	w.emptied()
	due("when all are sent", time.Time{}, time.Time{})
}

func letterEnabled(w *world) {
	w.emptied()
	email := newEmail()
	var mails []store.Mail
	disabled := w.newEndpoint()
	_, err := w.s.SetState(w.ctx(), w.account, disabled, delivery.Disabled, delivery.ByHand, at(0))
	w.must("disable", err)
	for _, id := range []string{w.newEndpoint(), disabled, newWorld(w.t, w.s).newEndpoint(), "ep_missing"} {
		m := mailTo(w.account, email)
		m.EndpointID = id
		mails = append(mails, m)
	}
	w.tell(mails...)
	l := w.mustLetter(email, at(0))
	for _, m := range l.Mails {
		if want := m.EndpointID == mails[0].EndpointID; m.Enabled != want {
			w.t.Errorf("endpoint %s is enabled: %t, want %t", m.EndpointID, m.Enabled, want)
		}
	}
	w.endLetter(l, store.MailSent, at(0))
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
		m.Topic, m.CreatedAt, m.HappenedAt, m.Again = topic, at(after), at(after-time.Minute), 6*time.Hour
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

func mailLater(w *world) {
	email := newEmail()
	const year = 365 * 24 * time.Hour
	mail := func(account, topic string, happened time.Duration) store.Mail {
		m := mailTo(account, email)
		m.Topic, m.HappenedAt = topic, at(happened)
		return m
	}
	by := func(clock time.Duration, m store.Mail) store.Mail {
		m.CreatedAt = at(clock)
		return m
	}
	tests := []struct {
		name string
		mail store.Mail
		want int // mails of the account, after it
	}{
		{"it closed", mail(w.account, "alert:ep_1:slow", time.Minute), 1},
		{"it had opened, which is told late", mail(w.account, "alert:ep_1:slow", 0), 1},
		{"at the same time", mail(w.account, "alert:ep_1:slow", time.Minute), 2},
		{"it opens again", mail(w.account, "alert:ep_1:slow", time.Hour), 3},
		{"another topic", mail(w.account, "alert:ep_1:failing", 0), 4},
		{"another account", mail(newWorld(w.t, w.s).account, "alert:ep_1:slow", 0), 4},
		{"it closes, by a clock that is ahead", by(year, mail(w.account, "alert:ep_1:slow", year)), 5},
		{"it opens after the clock was put back", by(2*time.Hour, mail(w.account, "alert:ep_1:slow", 2*time.Hour)), 6},
		{"it had closed, which is told late", by(3*time.Hour, mail(w.account, "alert:ep_1:slow", time.Hour+time.Minute)), 6},
		{"it closes", by(4*time.Hour, mail(w.account, "alert:ep_1:slow", 4*time.Hour)), 7},
		{"it opens, while another node tells a little later", by(4*time.Hour-time.Second, mail(w.account, "alert:ep_1:slow", 4*time.Hour-time.Second)), 7},
	}
	for _, tt := range tests {
		w.tell(tt.mail)
		if got := len(w.mails()); got != tt.want {
			w.t.Errorf("%s: %d mails, want %d", tt.name, got, tt.want)
		}
	}
}

func mailAhead(w *world) {
	w.emptied()
	email := newEmail()
	mail := func(clock time.Duration) store.Mail {
		m := mailTo(w.account, email)
		m.CreatedAt, m.HappenedAt = at(clock), at(clock-time.Second)
		w.tell(m)
		return m
	}
	before, ahead, further := mail(-time.Hour), mail(9*time.Hour), mail(10*time.Hour)
	now, later := mail(0), mail(11*time.Hour) // by then the clock has passed them
	var got, happened []string
	l := w.mustLetter(email, at(12*time.Hour))
	for _, m := range l.Mails {
		got = append(got, m.ID)
	}
	w.equal("in the order in which they were written", got, []string{before.ID, ahead.ID, further.ID, now.ID, later.ID})
	slices.SortStableFunc(l.Mails, func(a, b store.Mail) int { return a.HappenedAt.Compare(b.HappenedAt) })
	for _, m := range l.Mails {
		happened = append(happened, m.ID)
	}
	w.equal("in the order in which they happened", happened, got)
	w.emptied()
}

func mailsDeleted(w *world) {
	w.emptied()
	mails := make([]store.Mail, 4)
	for i := range mails {
		mails[i] = mailTo(w.account, newEmail())
		mails[i].CreatedAt = at(time.Duration(i/2) * time.Hour)
	}
	w.tell(mails...)
	for {
		l, ok := w.letter(at(time.Hour))
		if !ok {
			break
		}
		if l.Email == mails[0].Email || l.Email == mails[2].Email {
			w.endLetter(l, store.MailSent, at(2*time.Hour))
			continue
		}
		w.must("postpone", w.s.PostponeLetter(w.ctx(), l, "the mail server is away", at(2*time.Hour)))
	}
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
	want := []string{mails[2].ID, mails[3].ID}
	slices.Sort(want)
	w.equal("mails left", left, want)
	if total == 0 {
		w.t.Error("nothing was deleted")
	}
	w.emptied() // of a letter without rows, too
}

func mailsNotAdopted(w *world) {
	w.emptied()
	m, sent := mailTo(w.account, newEmail()), mailTo(w.account, newEmail())
	w.tell(m, sent)
	adopt := func(what string) {
		w.t.Helper()
		n, err := w.s.AdoptMails(w.ctx(), at(time.Hour), at(time.Hour))
		w.must("adopt mails", err)
		if n != 0 {
			w.t.Errorf("%s: %d mailboxes were adopted", what, n)
		}
	}
	adopt("due")
	for range 2 {
		l, _ := w.letter(at(0))
		adopt("leased")
		if l.Email == sent.Email {
			w.endLetter(l, store.MailSent, at(0))
			continue
		}
		w.must("postpone", w.s.PostponeLetter(w.ctx(), l, "no", at(time.Minute)))
	}
	adopt("postponed, or sent")
	if again := w.mustLetter(m.Email, at(time.Minute)); again.ID != m.ID {
		w.t.Errorf("it is in another letter: %+v", again)
	}
	w.emptied()
}

func testTurns(w *world) {
	email := newEmail()
	turn := func(now time.Duration) error {
		return w.s.TestTurn(w.ctx(), w.account, email, at(now), at(now-time.Minute), 4)
	}
	w.must("the first", turn(0))
	w.wantConflict("the second at once", turn(time.Second))
	w.must("after a minute", turn(time.Minute))
	w.must("after the clock was put back", turn(-time.Hour))
	w.must("of another address", w.s.TestTurn(w.ctx(), w.account, newEmail(), at(0), at(-time.Minute), 4))
	w.must("of the address in another account", w.s.TestTurn(w.ctx(), newWorld(w.t, w.s).account, email, at(0), at(-time.Minute), 4))
	w.must("the last of the day", turn(time.Hour))
	w.wantConflict("one more on that day", turn(2*time.Hour))
	w.must("on the next day", turn(12*time.Hour))
	if l, ok := w.emptied().letter(at(time.Hour)); ok {
		w.t.Errorf("a test mail is a letter: %+v", l)
	}
}
