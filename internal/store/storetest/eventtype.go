package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func typeChecks() []check {
	return []check{
		{"a type is kept as it was made", typeKept},
		{"a type exists once in an account, and once in each", typeTwice},
		{"an account has no more types than it may", typeLimit},
		{"many creations at once do not exceed the limit", typeLimitAtOnce},
		{"an update changes a type, and writes nothing when it is refused", typeUpdate},
		{"updates at the same time do not lose each other", typeUpdateAtOnce},
		{"a deleted type is not found", typeDelete},
	}
}

// typeOf describes an event type of an account.
func typeOf(account, name string) store.EventType {
	return store.EventType{
		AccountID: account, Name: name, Description: "of a check",
		Schema: []byte(`{"type": "object", "x": 1.50}`), Sample: []byte(`{ "b":1, "a":[] }`),
		CreatedAt: at(0), UpdatedAt: at(time.Second),
	}
}

func typeKept(w *world) {
	full, bare := typeOf(w.account, "own.full"), typeOf(w.account, "own.bare")
	bare.Schema, bare.Sample, bare.Description = nil, nil, ""
	for _, want := range []store.EventType{full, bare} {
		w.must("create type", w.s.CreateType(w.ctx(), want, many))
		got, err := w.s.Type(w.ctx(), w.account, want.Name)
		w.must("read type", err)
		w.equal("type", got, want)
		if (got.Schema == nil) != (want.Schema == nil) || (got.Sample == nil) != (want.Sample == nil) {
			w.t.Errorf("the type has schema %q and sample %q, want %q and %q", got.Schema, got.Sample, want.Schema, want.Sample)
		}
	}
	list, err := w.s.ListTypes(w.ctx(), w.account)
	w.must("list types", err)
	w.equal("types", list, []store.EventType{bare, full},
		cmpopts.SortSlices(func(a, b store.EventType) bool { return a.Name < b.Name }))
}

func typeTwice(w *world) {
	want := typeOf(w.account, "own.type")
	w.must("create type", w.s.CreateType(w.ctx(), want, many))
	same := want
	same.Description = "another"
	w.wantConflict("create it again", w.s.CreateType(w.ctx(), same, many))
	got, err := w.s.Type(w.ctx(), w.account, "own.type")
	w.must("read type", err)
	w.equal("type", got, want)
	other := newWorld(w.t, w.s)
	w.must("create it in another account", w.s.CreateType(w.ctx(), typeOf(other.account, "own.type"), many))
}

func typeLimit(w *world) {
	for i := range 2 {
		w.must("create type", w.s.CreateType(w.ctx(), typeOf(w.account, fmt.Sprintf("own.t%d", i)), 2))
	}
	w.wantError("create a third of two", w.s.CreateType(w.ctx(), typeOf(w.account, "own.t2"), 2), store.ErrLimit)
	w.must("delete one", w.s.DeleteType(w.ctx(), w.account, "own.t0"))
	w.must("create another in its place", w.s.CreateType(w.ctx(), typeOf(w.account, "own.t2"), 2))
}

func typeLimitAtOnce(w *world) {
	var made atomic.Int32
	w.atOnce(12, func(i int) error {
		err := w.s.CreateType(w.ctx(), typeOf(w.account, fmt.Sprintf("own.t%d", i)), 3)
		if err == nil {
			made.Add(1)
		}
		if errors.Is(err, store.ErrLimit) {
			return nil
		}
		return err
	})
	if made.Load() != 3 {
		w.t.Errorf("12 creations at once made %d types of at most 3", made.Load())
	}
}

func typeUpdate(w *world) {
	want := typeOf(w.account, "own.type")
	w.must("create type", w.s.CreateType(w.ctx(), want, many))
	refused := errors.New("refused by the caller")
	_, err := w.s.UpdateType(w.ctx(), w.account, "own.type", func(e *store.EventType) error {
		e.Description = "never written"
		return refused
	})
	w.wantError("update that is refused", err, refused)
	kept, err := w.s.Type(w.ctx(), w.account, "own.type")
	w.must("read type", err)
	w.equal("type", kept, want)

	want.Description, want.Schema, want.Sample, want.UpdatedAt = "changed", nil, []byte(`{"new":true}`), at(time.Hour)
	got, err := w.s.UpdateType(w.ctx(), w.account, "own.type", func(e *store.EventType) error {
		*e = want
		e.Name, e.AccountID = "other.name", "acc_other"
		return nil
	})
	w.must("update type", err)
	w.equal("answer", got, want)
	kept, err = w.s.Type(w.ctx(), w.account, "own.type")
	w.must("read type", err)
	w.equal("type", kept, want)
	_, err = w.s.UpdateType(w.ctx(), w.account, "no.type", func(*store.EventType) error { return nil })
	w.wantError("update no type", err, store.ErrNotFound)
}

func typeUpdateAtOnce(w *world) {
	e := typeOf(w.account, "own.type")
	e.Description = ""
	w.must("create type", w.s.CreateType(w.ctx(), e, many))
	w.atOnce(20, func(int) error {
		_, err := w.s.UpdateType(w.ctx(), w.account, "own.type", func(e *store.EventType) error {
			e.Description += "."
			return nil
		})
		return err
	})
	got, err := w.s.Type(w.ctx(), w.account, "own.type")
	w.must("read type", err)
	if len(got.Description) != 20 {
		w.t.Errorf("20 updates that each add a dot made %q", got.Description)
	}
}

func typeDelete(w *world) {
	w.must("create type", w.s.CreateType(w.ctx(), typeOf(w.account, "own.type"), many))
	w.must("delete type", w.s.DeleteType(w.ctx(), w.account, "own.type"))
	_, err := w.s.Type(w.ctx(), w.account, "own.type")
	w.wantError("read it", err, store.ErrNotFound)
	w.wantError("delete it again", w.s.DeleteType(w.ctx(), w.account, "own.type"), store.ErrNotFound)
	list, err := w.s.ListTypes(w.ctx(), w.account)
	w.must("list types", err)
	if len(list) > 0 {
		w.t.Errorf("the list has %+v", list)
	}
}
