// Package evidence keeps what the tests found that break the program on purpose: how
// often each fault was made, and what was lost by it. docs/reliability.md is made of
// these rows, so that no figure of that page is written by hand.
package evidence

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Folder is the environment variable that names the folder to write to. Without it
// nothing is written: the tests that count are run at every size.
const Folder = "EVIDENCE_DIR"

// Made is the environment variable that says of what, where and when the rows are made:
// a commit, a machine, a day.
const Made = "EVIDENCE_MADE"

// Row is one fault on one database, and what came of it.
type Row struct {
	// Promise is the number of the promise in docs/reliability.md that the fault was meant to break.
	Promise int `json:"promise"`
	// Fault says in a few words what was done, as in "kill -9 after the commit, before the answer".
	Fault string `json:"fault"`
	// On names the database; empty when none takes part.
	On string `json:"on,omitempty"`
	// Times is how often it was done.
	Times int `json:"times"`
	// Of is how many things went through it, and What is what they are: "acknowledged events", "addresses".
	Of   int    `json:"of"`
	What string `json:"what"`
	// Lost is how many of them broke the promise.
	Lost int `json:"lost"`
	// Duplicates is how many requests a receiver got a second time, and Explained how
	// many of these the log explains. Nil where nothing is received.
	Duplicates *int `json:"duplicates,omitempty"`
	Explained  *int `json:"explained,omitempty"`
	// Test is the command that repeats it.
	Test string `json:"test"`
	// Seed repeats what chance decided; 0 where nothing did.
	Seed uint64 `json:"seed,omitempty"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`
	// Made is what the variable [Made] says; Write sets it.
	Made string `json:"made,omitempty"`
}

// Write puts a row into its file, name.json, in the folder that [Folder] names. A test
// that has failed writes nothing.
func Write(t testing.TB, name string, r Row) {
	t.Helper()
	dir := os.Getenv(Folder)
	if dir == "" || t.Failed() {
		return
	}
	r.Made = os.Getenv(Made)
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
