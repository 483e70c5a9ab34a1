package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// ample is more than anything in these tests takes.
const ample = time.Minute

func failureIn(err error) *receiver.Failure {
	f, _ := errors.AsType[*receiver.Failure](err)
	return f
}

// anEvent is an event as an end gets it. Its body has what a careless writer changes:
// spaces, line breaks and characters that some encoders escape.
func anEvent(id string) receiver.Event[json.RawMessage] {
	body := fmt.Sprintf("{\"id\": %q,\n \"type\": \"scan.completed\", \"created_at\": \"2026-03-08T12:34:56Z\", \"data\": {\"domain\": \"<a&b>.example\", \"score\": 61}}", id)
	return receiver.Event[json.RawMessage]{
		ID: id, Type: "scan.completed", DeliveryID: 7, Body: []byte(body), Data: json.RawMessage(`{"domain": "<a&b>.example", "score": 61}`), Try: 2,
	}
}

// lineOf is the line that a file has of anEvent.
func lineOf(id string) string {
	return fmt.Sprintf(`{"id":%q,"type":"scan.completed","created_at":"2026-03-08T12:34:56Z","data":{"domain":"<a&b>.example","score":61}}`, id) + "\n"
}

func unsure(event receiver.Event[json.RawMessage]) receiver.Event[json.RawMessage] {
	event.Unsure = true
	return event
}

func TestAFileGetsOneLineAnEvent(t *testing.T) {
	t.Parallel()
	a, b := lineOf("a"), lineOf("b")
	tests := []struct {
		name   string
		before string
		event  receiver.Event[json.RawMessage]
		want   string
	}{
		{"a new file", "", anEvent("a"), a},
		{"a file with lines", b, anEvent("a"), b + a},
		{"a line that was cut off is ended first", b + `{"id":"a","ty`, anEvent("a"), b + "{\"id\":\"a\",\"ty\n" + a},
		{"whoever is sure does not look", a, anEvent("a"), a + a},
		{"an unsure event that is there is not written again", a + b, unsure(anEvent("a")), a + b},
		{"nor if only its line break is missing", strings.TrimSuffix(a, "\n"), unsure(anEvent("a")), strings.TrimSuffix(a, "\n")},
		{"an unsure event that is not there is written", b, unsure(anEvent("a")), b + a},
		{"one that was cut off is not there", b + a[:len(a)-5], unsure(anEvent("a")), b + a[:len(a)-5] + "\n" + a},
		{"an id within another event is not the event", `{"id":"c","data":{"id":"a"}}` + "\n", unsure(anEvent("a")), `{"id":"c","data":{"id":"a"}}` + "\n" + a},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "events.jsonl")
			if tt.before != "" {
				if err := os.WriteFile(path, []byte(tt.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := (&fileSink{path: path}).Handle(t.Context(), tt.event); err != nil {
				t.Fatalf("Handle: %v", err)
			}
			if got := contents(t, path); got != tt.want {
				t.Errorf("the file has\n%s\nwant\n%s", got, tt.want)
			}
			if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("its mode is %v, %v, want 0600", info.Mode(), err)
			}
		})
	}
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A line that is further from the end than lookBack is no line of the last write.
func TestAFileIsSearchedOnlyAtItsEnd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	filler := lineOf(strings.Repeat("x", lookBack/4))
	before := lineOf("old") + strings.Repeat(filler, 4) + lineOf("new")
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &fileSink{path: path}
	for _, id := range []string{"new", "old"} {
		if err := s.Handle(t.Context(), unsure(anEvent(id))); err != nil {
			t.Fatal(err)
		}
	}
	if got := contents(t, path); got != before+lineOf("old") {
		t.Errorf("the file has %d bytes, want %d: only the old one again", len(got), len(before+lineOf("old")))
	}
}

func TestAFileThatCannotBeWrittenIsUnavailable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, path := range map[string]string{
		"a folder":         dir,
		"a missing folder": filepath.Join(dir, "missing", "events.jsonl"),
		"no file":          os.DevNull,
	} {
		err := (&fileSink{path: path}).Handle(t.Context(), anEvent("a"))
		if f := failureIn(err); f == nil || !f.Unavailable || f.Answered || f.Permanent {
			t.Errorf("%s gives %#v, want that it is unavailable", name, err)
		}
	}
}

// The ends of a path before and after a reload are one, and the lines of another process
// are not written over.
func TestManyMayWriteToOneFile(t *testing.T) {
	t.Parallel()
	const events = 50
	path := filepath.Join(t.TempDir(), "events.jsonl")
	e := &files{}
	beside := filepath.Dir(path) + "/./" + filepath.Base(path)
	if e.at(path) != e.at(beside) {
		t.Error("two spellings of a path are two ends")
	}
	var writers sync.WaitGroup
	for i, s := range []*fileSink{e.at(path), e.at(beside), {path: path}} {
		writers.Go(func() {
			for n := range events {
				if err := s.Handle(t.Context(), anEvent(fmt.Sprintf("%d-%d", i, n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	seen := map[string]int{}
	for line := range bytes.Lines([]byte(contents(t, path))) {
		var event struct{ ID string }
		if len(bytes.TrimSpace(line)) == 0 {
			continue // a stranger's line was taken for one that was cut off
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		seen[event.ID]++
	}
	for i := range 3 {
		for n := range events {
			if id := fmt.Sprintf("%d-%d", i, n); seen[id] != 1 {
				t.Errorf("event %s is there %d times", id, seen[id])
			}
		}
	}
}
