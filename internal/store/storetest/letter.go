package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// letter claims what is due at a time; ok is false when nothing is.
func (w *world) letter(now time.Time) (store.Letter, bool) {
	w.t.Helper()
	l, err := w.s.ClaimLetter(w.ctx(), store.LetterClaim{Now: now, Until: now.Add(time.Minute), Beyond: at(1_000_000 * time.Hour), Most: 50, Daily: 1000})
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

func letterGathers(w *world) {
	w.emptied()
	email := newEmail()
	var want []store.Mail
	for i := range 3 {
		m := mailTo(w.account, email)
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
	for _, m := range w.mails() {
		if m.Email == email && m.State != store.MailSent {
			w.t.Errorf("%s is %s after its letter was sent", m.ID, m.State)
		}
	}
	w.emptied()
}

func letterOfEach(w *world) {
	w.emptied()
	email, second := newEmail(), newWorld(w.t, w.s)
	mine, theirs := mailTo(w.account, email), mailTo(second.account, email)
	theirs.CreatedAt = at(time.Second)
	w.tell(mine, theirs)
	l := w.mustLetter(email, at(0))
	w.equal("rows of the first", l.Mails, []store.Mail{inState(mine, store.MailWaiting, time.Time{}, "")})
	other := w.mustLetter(email, at(time.Second)) // while the first is on its way
	w.equal("rows of the second", other.Mails, []store.Mail{inState(theirs, store.MailWaiting, time.Time{}, "")})
	w.endLetter(other, store.MailSent, at(time.Second))
	w.must("postpone", w.s.PostponeLetter(w.ctx(), l, "not now", at(time.Minute)))
	w.equal("the other account's", second.mails(), []store.Mail{inState(theirs, store.MailSent, at(time.Second), "")})
	w.emptied()
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
	l, err := w.s.ClaimLetter(w.ctx(), store.LetterClaim{Now: at(time.Minute), Until: at(time.Hour), Beyond: at(1000 * time.Hour), Most: 3, Daily: many})
	w.must("claim letter", err)
	if len(l.Mails) != 3 || l.Count != 7 || l.Mails[2].ID != mails[6].ID || l.ID != mails[0].ID {
		w.t.Errorf("got %d rows of %d, the last %s in letter %s; want 3 of 7, %s, in %s", len(l.Mails), l.Count, l.Mails[2].ID, l.ID, mails[6].ID, mails[0].ID)
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

func letterDaily(w *world) {
	w.emptied()
	email := newEmail()
	claim := func(now time.Time) (store.Letter, error) {
		return w.s.ClaimLetter(w.ctx(), store.LetterClaim{Now: now, Until: now.Add(time.Minute), Beyond: at(1000 * time.Hour), Most: 50, Daily: 2, Later: now.Add(time.Hour)})
	}
	tell := func(after time.Duration) store.Mail {
		m := mailTo(w.account, email)
		m.CreatedAt = at(after)
		w.tell(m)
		return m
	}
	w.must("take a turn for a test mail", w.s.TestTurn(w.ctx(), w.account, email, at(0), at(-time.Minute), 2))
	tell(0)
	l, err := claim(at(0))
	w.must("claim the second of the day", err)
	w.must("postpone", w.s.PostponeLetter(w.ctx(), l, "not now", at(time.Minute)))
	l, err = claim(at(time.Minute))
	w.must("claim it again, which is not a third", err)
	w.endLetter(l, store.MailSent, at(time.Minute))

	m := tell(time.Hour)
	_, err = claim(at(time.Hour))
	w.wantError("claim the third", err, store.ErrNotFound)
	for _, row := range w.mails() {
		if row.ID == m.ID && (row.State != store.MailWaiting || row.Problem == "") {
			w.t.Errorf("it is %s, and says %q", row.State, row.Problem)
		}
	}
	w.tell(mailTo(w.account, newEmail()))
	other, err := claim(at(time.Hour))
	w.must("claim another mailbox's", err)
	w.endLetter(other, store.MailSent, at(time.Hour))
	_, err = claim(at(2*time.Hour - time.Millisecond))
	w.wantError("claim before it is looked at again", err, store.ErrNotFound)
	l, err = claim(at(13 * time.Hour)) // it is the next day
	w.must("claim on the next day", err)
	if l.ID != m.ID || l.Mails[0].Problem != "" {
		w.t.Errorf("claimed %+v, want %s", l, m.ID)
	}
	w.endLetter(l, store.MailSent, at(13*time.Hour))
}

func letterAlways(w *world) {
	w.emptied()
	email := newEmail()
	claim := func(now time.Duration) (store.Letter, error) {
		return w.s.ClaimLetter(w.ctx(), store.LetterClaim{
			Now: at(now), Until: at(now + time.Minute), Beyond: at(1000 * time.Hour), Most: 50, Daily: 1, Always: delivery.DisabledIt, Later: at(now + time.Hour),
		})
	}
	tell := func(kind delivery.Notice, after time.Duration) {
		m := mailTo(w.account, email)
		m.Kind, m.CreatedAt = kind, at(after)
		w.tell(m)
	}
	tell(delivery.Warning, 0)
	l, err := claim(0)
	w.must("claim the one of the day", err)
	w.endLetter(l, store.MailSent, at(0))
	tell(delivery.Warning, time.Hour)
	_, err = claim(time.Hour)
	w.wantError("claim when nothing waits that always goes", err, store.ErrNotFound)
	tell(delivery.DisabledIt, time.Hour+time.Minute)
	l, err = claim(time.Hour + time.Minute) // although it was put off
	w.must("claim when it waits", err)
	if l.Sent != 2 || l.Count != 2 {
		w.t.Errorf("it is letter %d of the day, of %d things; want the second, of what waited, too", l.Sent, l.Count)
	}
	w.must("end letter", w.s.EndLetter(w.ctx(), l, store.MailSent, "", at(time.Hour+time.Minute), at(2*time.Hour)))
	tell(delivery.DisabledIt, time.Hour+2*time.Minute)
	_, err = claim(2*time.Hour - time.Millisecond)
	w.wantError("claim while it rests", err, store.ErrNotFound)
	l, err = claim(2 * time.Hour)
	w.must("claim after its rest", err)
	w.endLetter(l, store.MailSent, at(2*time.Hour))
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
			_, err := w.s.ClaimLetter(w.ctx(), store.LetterClaim{Now: at(0), Until: at(time.Minute), Beyond: at(1000 * time.Hour), Most: 50, Daily: many})
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
	want := inState(m, store.MailWaiting, time.Time{}, "the mail server is away")
	want.DueAt = at(2 * time.Minute)
	w.equal("mails", w.mails(), []store.Mail{want})
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

func letterHanded(w *world) {
	w.emptied()
	m := mailTo(w.account, newEmail())
	w.tell(m)
	l := w.mustLetter(m.Email, at(0))
	w.must("hand it over", w.s.HandLetter(w.ctx(), l, at(10*time.Minute)))
	if l, ok := w.letter(at(10*time.Minute - time.Millisecond)); ok {
		w.t.Errorf("claimed while it is handed over: %+v", l)
	}
	again := w.mustLetter(m.Email, at(10*time.Minute)) // the node has died
	if again.Handed != 1 || again.Attempts != 2 {
		w.t.Errorf("got %+v, want the second try after one hand-over", again)
	}
	w.wantError("hand it over by the lease that is over", w.s.HandLetter(w.ctx(), l, at(time.Hour)), store.ErrLeaseLost)
	w.must("hand it over again", w.s.HandLetter(w.ctx(), again, at(20*time.Minute)))
	w.must("postpone, as it was refused", w.s.PostponeLetter(w.ctx(), again, "not now", at(20*time.Minute)))
	third := w.mustLetter(m.Email, at(20*time.Minute))
	if third.Handed != 1 {
		w.t.Errorf("%d hand-overs are unknown, want 1", third.Handed)
	}
	w.endLetter(third, store.MailUnknown, at(time.Hour))
	m = mailTo(w.account, m.Email)
	w.tell(m)
	next := w.mustLetter(m.Email, at(2*time.Hour))
	if next.Handed != 0 {
		w.t.Errorf("the next letter begins with %d hand-overs", next.Handed)
	}
	w.endLetter(next, store.MailSent, at(2*time.Hour))
}

func letterRefused(w *world) {
	w.emptied()
	email, second := newEmail(), newWorld(w.t, w.s)
	w.tell(mailTo(w.account, email), mailTo(w.account, email), mailTo(second.account, email))
	for range 2 {
		l := w.mustLetter(email, at(0))
		if l.AccountID == second.account {
			continue // another node has it
		}
		w.must("end letter", w.s.EndLetter(w.ctx(), l, store.MailRefused, "550 no such user", at(time.Second), at(time.Minute)))
		w.equal("audit", w.audit(10), []store.AuditEntry{{
			AccountID: w.account, Actor: "system", Action: "mail.refused", Object: l.ID, Detail: email + ": 550 no such user", At: at(time.Second),
		}})
	}
	for _, m := range w.mails() {
		w.equal("mail", m, inState(m, store.MailRefused, at(time.Second), "550 no such user"))
	}
	if theirs := second.mails(); theirs[0].State != store.MailWaiting || len(second.audit(10)) != 0 {
		w.t.Errorf("the other account's mail is %s", theirs[0].State)
	}
	w.endLetter(w.mustLetter(email, at(time.Hour)), store.MailSent, at(time.Hour))
}

// letterPassed has two mailboxes that are told no more hand on what they have to a third, which knows some of it.
func letterPassed(w *world) {
	w.emptied()
	old, other, now := newEmail(), newEmail(), newEmail()
	of := func(n int, email string) store.Mail { // of the n-th notice
		m := mailTo(w.account, email)
		m.Topic, m.Facts = fmt.Sprintf("alert:ep_check:%d", max(n, 3)), fmt.Appendf(nil, `{"at":%d}`, n)
		m.CreatedAt, m.HappenedAt = at(time.Duration(n)*time.Second), at(time.Duration(n)*time.Second)
		return m
	}
	to := func(l store.Letter, email string) store.Letter {
		l.Mails = slices.Clone(l.Mails)
		for i, m := range l.Mails {
			l.Mails[i].ID, l.Mails[i].Email, l.Mails[i].CreatedAt = m.ID+email, email, at(time.Minute)
		}
		return l
	}
	waits := func(email string) (facts []string) {
		for _, m := range slices.Backward(w.mails()) {
			if m.Email == email && m.State == store.MailWaiting {
				facts = append(facts, string(m.Facts))
			}
		}
		slices.Sort(facts)
		return facts
	}
	w.tell(of(1, old), of(3, old), of(4, old), of(1, other), of(6, other), of(3, now))
	letters := map[string]store.Letter{}
	for range 3 {
		l, _ := w.letter(at(time.Minute))
		letters[l.Email] = l
	}
	w.endLetter(letters[now], store.MailSent, at(time.Minute))
	for _, email := range []string{old, other} {
		l := letters[email]
		stale := l
		stale.Token++
		w.wantError("by a lease that is over", w.s.PassLetter(w.ctx(), stale, to(l, now).Mails, "gone", at(time.Minute)), store.ErrLeaseLost)
		w.must("hand it on", w.s.PassLetter(w.ctx(), l, to(l, now).Mails, "gone", at(time.Minute)))
		w.wantError("hand it on twice", w.s.PassLetter(w.ctx(), l, nil, "gone", at(time.Minute)), store.ErrLeaseLost)
	}
	// 1 happened before 3, on the same topic, and 3 was told.
	want := []string{`{"at":4}`, `{"at":6}`}
	w.equal("what waits", waits(now), want)
	w.equal("what waits in the others", append(waits(old), waits(other)...), []string(nil))
	if n := len(w.audit(10)); n != 2 {
		w.t.Errorf("%d audit rows, want one of each", n)
	}
	// It comes back: what was dropped there was not told.
	l := w.mustLetter(now, at(time.Hour))
	w.must("hand it back", w.s.PassLetter(w.ctx(), l, to(l, old).Mails, "gone", at(time.Hour)))
	w.equal("what waits there", waits(old), want)
	w.emptied()
}

func letterPassedInParts(w *world) {
	w.emptied()
	email := newEmail()
	for range 3 {
		w.tell(mailTo(w.account, email))
	}
	for left := 3; left > 0; left-- {
		l := w.mustLetter(email, at(0))
		if l.Count != left || len(w.audit(10)) != 0 {
			w.t.Errorf("%d are left of it, and %d audit rows; want %d, and none before its end", l.Count, len(w.audit(10)), left)
		}
		l.Mails = l.Mails[:1]
		w.must("hand on one", w.s.PassLetter(w.ctx(), l, nil, "gone", at(0)))
	}
	if l, ok := w.letter(at(time.Hour)); ok {
		w.t.Errorf("claimed although nothing is left: %+v", l)
	}
	for _, m := range w.mails() {
		if m.State != store.MailDropped || m.Problem != "gone" {
			w.t.Errorf("%s is %s", m.ID, m.State)
		}
	}
	if n := len(w.audit(10)); n != 1 {
		w.t.Errorf("%d audit rows, want one", n)
	}
}

// letterPassedAtOnce has two mailboxes hand on to each other, while others tell both.
func letterPassedAtOnce(w *world) {
	w.emptied()
	const times, waiting = 3, 50 // to hold the one mailbox for a while before the other is needed
	a, b := newEmail(), newEmail()
	for range times {
		var mails []store.Mail
		for range waiting {
			mails = append(mails, mailTo(w.account, a), mailTo(w.account, b))
		}
		w.tell(mails...)
		first, _ := w.letter(at(0))
		second, _ := w.letter(at(0))
		letters := map[string]store.Letter{first.Email: first, second.Email: second}
		w.atOnce(2, func(i int) error {
			l, to := letters[a], b
			if i == 1 {
				l, to = letters[b], a
			}
			passed := slices.Clone(l.Mails)
			for i := range passed {
				passed[i].ID, passed[i].Email = newID("mail_"), to
			}
			return w.s.PassLetter(w.ctx(), l, passed, "gone", at(0))
		})
		w.emptied()
	}
}

func letterBeyond(w *world) {
	w.emptied()
	m := mailTo(w.account, newEmail())
	m.CreatedAt = at(48 * time.Hour) // by a clock that is put back now
	w.tell(m)
	claim := store.LetterClaim{Now: at(0), Until: at(time.Minute), Beyond: at(49 * time.Hour), Most: 50, Daily: many}
	_, err := w.s.ClaimLetter(w.ctx(), claim)
	w.wantError("claim within belief", err, store.ErrNotFound)
	claim.Beyond = at(2 * time.Hour)
	l, err := w.s.ClaimLetter(w.ctx(), claim)
	w.must("claim beyond belief", err)
	w.endLetter(l, store.MailSent, at(0))
}
