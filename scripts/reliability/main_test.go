package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestThePageIsMadeOfTheRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	page := filepath.Join(dir, "page.md")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("page.md", "# A\n<!-- made of: begin -->\n<!-- end -->\n<!-- rows of 1: begin -->\nold\n<!-- end -->\nB\n")
	write("a.json", `{"promise":1,"fault":"kill -9","on":"SQLite","times":1200,"of":34000,"what":"events","lost":0,"duplicates":12,"explained":12,"test":"make soak","made":"commit abc"}`)
	for range 2 { // the second time changes nothing
		if err := run(page, dir); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		want := "| kill -9 | SQLite | 1,200 | 34,000 events | 0 | 12 (12) | `make soak` |"
		if got := string(text); strings.Count(got, want) != 1 || strings.Count(got, "- 1 rows: commit abc\n") != 1 || strings.Contains(got, "old") || !strings.HasSuffix(got, "<!-- end -->\nB\n") {
			t.Errorf("the page is %s", got)
		}
	}
	write("b.json", `{"promise":2,"fault":"x"}`)
	if err := run(page, dir); err == nil || !strings.Contains(err.Error(), "no place for the rows of promise 2") {
		t.Errorf("a row without a place: %v", err)
	}
	write("page.md", "<!-- rows of 1: begin -->\n<!-- end --><!-- rows of 2: begin -->\n<!-- end --><!-- rows of 3: begin -->\n<!-- end -->")
	if err := run(page, dir); err == nil || !strings.Contains(err.Error(), "nothing tried to break promise 3") {
		t.Errorf("a place without rows: %v", err)
	}
}

func TestThePageSaysWhatItsFilesSay(t *testing.T) {
	t.Parallel()
	rows, err := read("../../" + folder)
	if err != nil || len(rows) == 0 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	text, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	filled, err := fill(string(text), rows)
	if err != nil {
		t.Fatal(err)
	}
	if filled != string(text) {
		t.Error("docs/reliability.md is not what docs/evidence says; run go run ./scripts/reliability")
	}
}
