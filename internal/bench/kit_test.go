package main

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// The kit takes what the lean client signs, each event as one of its own, and every one of
// them arrives at its handler once.
func TestTheKitIsGivenEventsOfTheirOwn(t *testing.T) {
	t.Parallel()
	verbs, end, err := kitRole(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := end(); err != nil {
			t.Errorf("end: %v", err)
		}
	}()
	secret := webhook.NewSecret().Reveal()
	var address string
	ask(t, verbs, "serve", kitSettings{Path: filepath.Join(t.TempDir(), "a.db"), Secret: secret}, &address)
	const events = 200
	for run := 1; run <= 2; run++ { // ids of one run are none of the next
		ask(t, verbs, "expect", expectation{Run: run, Events: events}, nil)
		sent, err := publish(t.Context(), load{Via: viaSigned, Address: address, Key: secret, Run: run, Events: events, Types: eventTypes(1), Connections: 8}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if sent.P50 <= 0 || sent.P99 < sent.P50 {
			t.Errorf("answers took %v and %v", sent.P50, sent.P99)
		}
		ask(t, verbs, "wait", time.Minute, nil)
		var came arrivals
		ask(t, verbs, "count", struct{}{}, &came)
		if came.Arrived != events || came.Lost+came.Duplicates+came.Strays+came.Retried != 0 {
			t.Errorf("run %d: %+v", run, came)
		}
	}
}

// ask does what a request to a child does.
func ask(t *testing.T, verbs handlers, name string, with, result any) {
	t.Helper()
	text, err := json.Marshal(with)
	if err != nil {
		t.Fatal(err)
	}
	answered := respond(request{Verb: name, With: text}, verbs)
	if answered.Error != "" {
		t.Fatalf("%s: %s", name, answered.Error)
	}
	if result != nil {
		if err := json.Unmarshal(answered.Result, result); err != nil {
			t.Fatal(err)
		}
	}
}
