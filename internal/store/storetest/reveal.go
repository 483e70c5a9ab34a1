package storetest

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func revealChecks() []check {
	return []check{
		{"a reveal is given once, to its session", revealOnce},
		{"a reveal that many ask for at once is given to one", revealAtOnce},
		{"a reveal ends, and goes", revealEnds},
	}
}

func (w *world) newReveal() store.Reveal {
	w.t.Helper()
	r := store.Reveal{ID: newID("rev_"), AccountID: w.account, SessionID: newID("ses_"), Sealed: []byte{0, 1, 255}, ExpiresAt: at(5 * time.Minute)}
	w.must("keep reveal", w.s.KeepReveal(w.ctx(), r))
	return r
}

func revealOnce(w *world) {
	want := w.newReveal()
	_, err := w.s.TakeReveal(w.ctx(), w.account, newID("ses_"), want.ID, at(0))
	w.wantError("take it by another session", err, store.ErrNotFound)
	_, err = w.s.TakeReveal(w.ctx(), newID("acc_"), want.SessionID, want.ID, at(0))
	w.wantError("take it by another account", err, store.ErrNotFound)
	_, err = w.s.TakeReveal(w.ctx(), w.account, want.SessionID, newID("rev_"), at(0))
	w.wantError("take another one", err, store.ErrNotFound)
	got, err := w.s.TakeReveal(w.ctx(), w.account, want.SessionID, want.ID, at(0))
	w.must("take it", err)
	w.equal("reveal", got, want)
	_, err = w.s.TakeReveal(w.ctx(), w.account, want.SessionID, want.ID, at(0))
	w.wantError("take it again", err, store.ErrNotFound)
}

func revealAtOnce(w *world) {
	r := w.newReveal()
	var given atomic.Int32
	w.atOnce(10, func(int) error {
		_, err := w.s.TakeReveal(w.ctx(), w.account, r.SessionID, r.ID, at(0))
		if err == nil {
			given.Add(1)
		}
		if err == nil || errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if n := given.Load(); n != 1 {
		w.t.Errorf("it was given %d times, want once", n)
	}
}

func revealEnds(w *world) {
	r := store.Reveal{ID: newID("rev_"), AccountID: w.account, SessionID: newID("ses_"), Sealed: []byte{1}, ExpiresAt: at(-time.Hour)}
	w.must("keep reveal", w.s.KeepReveal(w.ctx(), r))
	_, err := w.s.TakeReveal(w.ctx(), w.account, r.SessionID, r.ID, r.ExpiresAt)
	w.wantError("take it at its end", err, store.ErrNotFound)
	later := r
	later.ID, later.ExpiresAt = newID("rev_"), at(time.Hour)
	w.must("keep another one", w.s.KeepReveal(w.ctx(), later))
	_, err = w.s.DeleteReveals(w.ctx(), justBefore(r.ExpiresAt), 10) // long before those of other checks end
	w.must("delete what is over before anything is", err)
	n, err := w.s.DeleteReveals(w.ctx(), r.ExpiresAt, 10)
	w.must("delete what is over", err)
	w.equal("deleted", n, 1)
	_, err = w.s.TakeReveal(w.ctx(), w.account, r.SessionID, r.ID, at(-2*time.Hour))
	w.wantError("take the one that is over by a clock that is behind", err, store.ErrNotFound)
	_, err = w.s.TakeReveal(w.ctx(), w.account, later.SessionID, later.ID, at(0))
	w.must("take the other one", err)
}
