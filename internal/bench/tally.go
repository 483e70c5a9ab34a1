package main

import (
	"slices"
	"sync/atomic"
	"time"
)

// tally counts the arrivals of one measurement: each event once, and what should
// not be. It is written by many connections at once.
type tally struct {
	run     int
	latency []atomic.Int64 // by number, in nanoseconds, at least 1; 0 = has not arrived
	missing atomic.Int64
	twice   atomic.Int64
	retried atomic.Int64
	first   atomic.Int64  // when the first of them came in; 0 = not yet
	last    atomic.Int64  // when the last event came for the first time, in unix nanoseconds
	all     chan struct{} // closed when nothing is missing
}

// arrivals is what came of a measurement.
type arrivals struct {
	Arrived    int           `json:"arrived"`
	Lost       int           `json:"lost"`
	Duplicates int           `json:"duplicates"`
	Strays     int           `json:"strays"`  // belong to no event of this measurement
	Retried    int           `json:"retried"` // came with a later attempt than the first
	First      time.Time     `json:"first"`   // when the first one came in
	Last       time.Time     `json:"last"`    // when the last one came
	P50        time.Duration `json:"p50"`     // from the begin of the publishing call to the arrival
	P99        time.Duration `json:"p99"`
	Max        time.Duration `json:"max"`
}

// newTally expects events of that run with the numbers from 0 on.
func newTally(run, events int) *tally {
	t := &tally{run: run, latency: make([]atomic.Int64, events), all: make(chan struct{})}
	t.missing.Store(int64(events))
	return t
}

// add counts an arrival. It reports false for an event that is none of this run.
func (t *tally) add(m mark, now time.Time, retried bool) bool {
	if m.run != t.run || m.seq >= len(t.latency) {
		return false
	}
	if retried {
		t.retried.Add(1)
	}
	// At least 1: a clock that was set back must not make an arrival look like none.
	took := max(1, int64(now.Sub(m.sent)))
	if !t.latency[m.seq].CompareAndSwap(0, took) {
		t.twice.Add(1)
		return true
	}
	t.first.CompareAndSwap(0, now.UnixNano())
	for at := now.UnixNano(); ; {
		seen := t.last.Load()
		if at <= seen || t.last.CompareAndSwap(seen, at) {
			break
		}
	}
	if t.missing.Add(-1) == 0 {
		close(t.all)
	}
	return true
}

// count says what has come so far.
func (t *tally) count() arrivals {
	took := make([]time.Duration, 0, len(t.latency))
	for i := range t.latency {
		if l := t.latency[i].Load(); l > 0 {
			took = append(took, time.Duration(l))
		}
	}
	slices.Sort(took)
	return arrivals{
		Arrived: len(took), Lost: len(t.latency) - len(took), Duplicates: int(t.twice.Load()),
		Retried: int(t.retried.Load()), First: time.Unix(0, t.first.Load()), Last: time.Unix(0, t.last.Load()),
		P50: percentile(took, 50), P99: percentile(took, 99), Max: percentile(took, 100),
	}
}
