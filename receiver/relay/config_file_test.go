package relay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that gets lines must be nobody else's: SQLite loses its locks when this process
// closes the inbox, and a secret or the file of the relay is spoilt by the first event.
func TestAFileThatIsSomethingElse(t *testing.T) {
	t.Parallel()
	const (
		isInbox  = "it belongs to the inbox; give the route a file of its own"
		isConfig = "it is the relay's own file; give the route another"
		isSecret = "there is a secret in it, by line 1; give the route another file" //nolint:gosec // an error
		isTaken  = "the route of line 4 writes to this file already; give each its own"
	)
	tests := []struct {
		name, head, path string
		links            map[string]string // what each leads to
		want             string            // "": it is fine
	}{
		{"an ordinary file", "", "events.jsonl", nil, ""},
		{"one that is like the inbox", "", "relay.db.jsonl", nil, ""},
		{"the inbox", "", "relay.db", nil, isInbox},
		{"the inbox, whole", "", "DIR/relay.db", nil, isInbox},
		{"the log of the inbox", "", "x/../relay.db-wal", nil, isInbox},
		{"the index of that log", "", "relay.db-shm", nil, isInbox},
		{"the other kind of log", "", "relay.db-journal", nil, isInbox},
		{"an inbox elsewhere", "inbox: other.db\n", "other.db", nil, isInbox},
		{"the usual inbox when it is elsewhere", "inbox: other.db\n", "relay.db", nil, ""},
		{"a database", "inbox: {file: address}\n", "relay.db", nil, ""},
		{"the address of a database", "inbox: {file: address}\n", "address", nil, "there is a secret in it, by line 3; give the route another file"},
		{"a link to an inbox that is not there yet", "", "link", map[string]string{"link": "relay.db"}, isInbox},
		{"a link to a link", "", "link", map[string]string{"link": "DIR/second", "second": "relay.db-wal"}, isInbox},
		{"the log of an inbox that is a link", "", "real.db-wal", map[string]string{"relay.db": "real.db"}, isInbox},
		{"a folder that is a link", "", "folder/relay.db", map[string]string{"folder": "."}, isInbox},
		{"a link in a circle", "", "a", map[string]string{"a": "b", "b": "a"}, ""},
		{"the relay's file", "", "relay.yaml", nil, isConfig},
		{"a link to the relay's file", "", "link", map[string]string{"link": "relay.yaml"}, isConfig},
		{"a signing secret", "", "./whsec", nil, isSecret},
		{"a link to a secret", "", "link", map[string]string{"link": "whsec"}, isSecret},
		{"another name of a secret", "", "hard", nil, isSecret},
		{"the file of another route", "", "first.jsonl", nil, isTaken},
		{"a link to the file of another route", "", "link", map[string]string{"link": "first.jsonl"}, isTaken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			here := func(text string) string { return strings.ReplaceAll(text, "DIR", filepath.ToSlash(dir)) }
			file := "secrets: {file: whsec}\n# " + tt.name + "\n" + tt.head + "routes: [{file: {path: first.jsonl}},\n  {file: {path: \"" + here(tt.path) + "\"}}]\n"
			if tt.head == "" {
				file = strings.Replace(file, "routes:", "\nroutes:", 1)
			}
			for name, text := range map[string]string{"whsec": signingSecret, "relay.yaml": file, "address": "postgres://relay@db/relay"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Link(filepath.Join(dir, "whsec"), filepath.Join(dir, "hard")); err != nil {
				t.Fatal(err)
			}
			for name, to := range tt.links {
				if err := os.Symlink(here(to), filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, "relay.yaml")
			want := ""
			if tt.want != "" {
				want = path + ":5: routes[1].file.path: " + tt.want
			}
			_, err := Read(path)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("Read: %q, want %q", got, want)
			}
		})
	}
}
