package storetest

import (
	"context"
	"runtime"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func busChecks() []check {
	return []check{
		{"whoever listens hears every note as it was announced", busHears},
		{"listening ends with its context", busEnds},
		{"announcing nothing, or to nobody, is no error", busNobody},
	}
}

// busPatience bounds the wait for a note; it is only reached by a broken store.
const busPatience = 30 * time.Second

// listen hears the notes of the check's account until the check or stop ends it.
func (w *world) listen() (heard <-chan store.Note, stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.ctx())
	notes, ended := make(chan store.Note, 10_000), make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.s.Listen(ctx, func(n store.Note) {
			if n.AccountID != w.account {
				return
			}
			select {
			case notes <- n:
			default: // a check never reads that many
			}
		})
	}()
	stop = func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(busPatience):
			w.t.Errorf("listening goes on after its context has ended")
		}
	}
	w.t.Cleanup(cancel)
	return notes, stop
}

// awaitListening announces until a note is heard: a listener hears what is
// announced after it began, and begins when it likes.
func (w *world) awaitListening(heard <-chan store.Note) {
	w.t.Helper()
	for began := time.Now(); time.Since(began) < busPatience; {
		w.must("announce", w.s.Announce(w.ctx(), store.Note{Kind: store.WorkAdded, AccountID: w.account, ID: "first"}))
		runtime.Gosched()
		select {
		case <-heard:
			return
		default:
		}
	}
	w.t.Fatalf("no note was heard")
}

func busHears(w *world) {
	heard, stop := w.listen()
	defer stop()
	w.awaitListening(heard)
	want := []store.Note{
		{Kind: store.AttemptRecorded, AccountID: w.account, ID: "12345", Number: 3},
		{Kind: store.EndpointChanged, AccountID: w.account, ID: "ep_é"},
		{Kind: store.StreamWanted, AccountID: w.account},
	}
	w.must("announce", w.s.Announce(w.ctx(), want...))
	got := make(map[store.Note]int)
	patience := time.After(busPatience)
	for len(got) < len(want) {
		select {
		case n := <-heard:
			if !n.Own {
				w.t.Errorf("a note of this very process is heard as another's: %+v", n)
			}
			n.Own = false
			if n.ID != "first" {
				got[n]++
			}
		case <-patience:
			w.t.Fatalf("heard %v, want %v", got, want)
		}
	}
	for _, n := range want {
		if got[n] != 1 {
			w.t.Errorf("note %+v was heard %d times", n, got[n])
		}
	}
}

func busEnds(w *world) {
	heard, stop := w.listen()
	w.awaitListening(heard)
	stop()
}

func busNobody(w *world) {
	w.must("announce nothing", w.s.Announce(w.ctx()))
	w.must("announce", w.s.Announce(w.ctx(), store.Note{Kind: store.KeysChanged, AccountID: w.account, ID: "key_1"}))
}
