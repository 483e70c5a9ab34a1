package model_test

import (
	"maps"
	"slices"
	"testing"
)

// findings is what all histories of a database had in them.
type findings struct {
	histories, steps      int
	acknowledged, lost    int
	requests              int
	duplicates, explained int
	seen                  map[string]int // steps and states
	checks                [len(invariants) + 1]int
}

func newFindings() *findings { return &findings{seen: map[string]int{}} }

// saw counts a step or a state.
func (f *findings) saw(what string) { f.seen[what]++ }

// checked counts that an invariant was looked at.
func (f *findings) checked(n int) { f.checks[n]++ }

// add takes over what another part of the run has found.
func (f *findings) add(o *findings) {
	f.histories += o.histories
	f.steps += o.steps
	f.acknowledged += o.acknowledged
	f.lost += o.lost
	f.requests += o.requests
	f.duplicates += o.duplicates
	f.explained += o.explained
	for what, n := range o.seen {
		f.seen[what] += n
	}
	for i, n := range o.checks {
		f.checks[i] += n
	}
}

// enough is how many histories must have had everything in them.
const enough = 200

// report says what was seen. Of many histories it is an error if something never happened:
// then the checks of it have proved nothing.
func (f *findings) report(t *testing.T, name string) {
	t.Helper()
	t.Logf("%s: %d histories, %d steps, %d events acknowledged, %d lost, %d requests, %d duplicates, %d explained",
		name, f.histories, f.steps, f.acknowledged, f.lost, f.requests, f.duplicates, f.explained)
	for _, what := range slices.Sorted(maps.Keys(f.seen)) {
		t.Logf("%8d  %s", f.seen[what], what)
	}
	for i, inv := range invariants {
		if inv.here {
			t.Logf("%8d  checks of I%d %s", f.checks[i+1], i+1, inv.name)
		}
	}
	if f.histories < enough {
		return
	}
	for _, what := range expected(name) {
		if f.seen[what] == 0 {
			t.Errorf("in %d histories this never happened: %s", f.histories, what)
		}
	}
	for i, inv := range invariants {
		if inv.here && f.checks[i+1] == 0 {
			t.Errorf("in %d histories I%d was never looked at: %s", f.histories, i+1, inv.name)
		}
	}
}

// expected lists what must have happened.
func expected(name string) []string {
	all := []string{
		"conflict", "replayed", "publisher got no answer", "fenced outcome", "retention took a delivery", "held: send", "held: newest", "held: keep",
		"status: pending", "status: sending", "status: retrying", "status: delivered", "status: failed", "status: held", "status: discarded",
	}
	for _, w := range weights {
		if w.kind != nothing && !(w.kind == second && name == "SQLite") {
			all = append(all, string(w.kind))
		}
	}
	for _, a := range answers {
		all = append(all, "receiver: "+a.name)
	}
	return all
}
