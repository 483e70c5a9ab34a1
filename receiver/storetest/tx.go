package storetest

import (
	"errors"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

func txChecks() []check {
	return []check{
		{"an end and what the handler writes are kept together", txKeeps},
		{"neither is kept when the handler fails", txFails},
		{"neither is kept when the handler panics", txPanics},
		{"the handler does not run when the lease is lost", txLost},
		{"of many that end one item in a transaction one has its effect", txCrowd},
	}
}

// effects are what handlers wrote: a table of one column.
func (w *world) effects() receiver.TxStore {
	w.t.Helper()
	s, ok := w.s.(receiver.TxStore)
	if !ok {
		w.t.Fatalf("%T is no receiver.TxStore", w.s)
	}
	w.endInTx(s, end(w.begin(event("makes the table"), receiver.Begun), ""), nil, func(tx receiver.Tx) error {
		_, err := tx.ExecContext(w.ctx(), "create table effects (id text not null)")
		return err
	})
	return s
}

func (w *world) endInTx(s receiver.TxStore, e receiver.End, want error, fn func(receiver.Tx) error) {
	w.t.Helper()
	if err := s.EndInTx(w.ctx(), e, fn); !errors.Is(err, want) {
		w.t.Fatalf("EndInTx: %v, want %v", err, want)
	}
}

// effect is a handler that writes a row.
func (w *world) effect(tx receiver.Tx) error {
	_, err := tx.ExecContext(w.ctx(), "insert into effects (id) values ($1)", "a")
	return err
}

func (w *world) wantEffects(s receiver.TxStore, want int) {
	w.t.Helper()
	got := -1
	w.endInTx(s, end(w.begin(event("counts"), receiver.Begun), ""), nil, func(tx receiver.Tx) error {
		return tx.QueryRowContext(w.ctx(), "select count(*) from effects").Scan(&got)
	})
	if got != want {
		w.t.Errorf("%d effects, want %d", got, want)
	}
}

func txKeeps(w *world) {
	s := w.effects()
	w.put(event("a"))
	w.endInTx(s, end(w.claimOne("a"), receiver.Done), nil, w.effect)
	w.wantState("ended", w.get("a"), state{Status: receiver.Done, Tries: 1})
	w.wantEffects(s, 1)
}

func txFails(w *world) {
	s := w.effects()
	w.put(event("a"))
	item, broken := w.claimOne("a"), errors.New("broken")
	w.endInTx(s, end(item, receiver.Done), broken, func(tx receiver.Tx) error {
		if err := w.effect(tx); err != nil {
			w.t.Errorf("write: %v", err)
		}
		return broken
	})
	w.wantState("as before", w.get("a"), state{Status: receiver.Working, Tries: 1})
	w.wantEffects(s, 0)
	w.record(end(item, receiver.Done)) // the lease still holds
}

func txPanics(w *world) {
	s := w.effects()
	w.put(event("a"))
	item := w.claimOne("a")
	func() {
		defer func() { _ = recover() }() // the panic that follows
		_ = s.EndInTx(w.ctx(), end(item, receiver.Done), func(tx receiver.Tx) error {
			if err := w.effect(tx); err != nil {
				w.t.Errorf("write: %v", err)
			}
			panic("of a handler")
		})
	}()
	w.wantState("as before", w.get("a"), state{Status: receiver.Working, Tries: 1})
	w.wantEffects(s, 0)
}

func txLost(w *world) {
	s := w.effects()
	w.put(event("a"))
	first := w.claimOne("a")
	w.pass(2 * lease)
	second := w.claimOne("a")
	w.endInTx(s, end(first, receiver.Done), receiver.ErrLeaseLost, func(receiver.Tx) error {
		w.t.Error("the handler ran")
		return nil
	})
	w.wantState("as before", w.get("a"), state{Status: receiver.Working, Tries: 2, Lost: 1, Unsure: true})
	w.record(after(second, time.Hour))
}

func txCrowd(w *world) {
	s := w.effects()
	w.put(event("a"))
	item := w.claimOne("a")
	var mu sync.Mutex
	kept := 0
	together(func(int) {
		err := s.EndInTx(w.ctx(), end(item, receiver.Done), w.effect)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			kept++
		case !errors.Is(err, receiver.ErrLeaseLost):
			w.t.Errorf("EndInTx: %v", err)
		}
	})
	if kept != 1 {
		w.t.Errorf("%d were kept, want 1", kept)
	}
	w.wantEffects(s, 1)
}
