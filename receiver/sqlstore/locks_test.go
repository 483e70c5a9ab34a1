package sqlstore_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

// A second handle of the same process must not take the locks of the first away: another
// process that comes and goes would then take the WAL for nobody's and remove it.
func TestASecondHandleLeavesTheLocksOfTheFirst(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "inbox.db")
	first, err := sqlstore.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	put := func(id string) {
		t.Helper()
		if fresh, err := first.Put(t.Context(), []receiver.Item{{ID: id, Type: "t", Body: []byte("{}")}}); err != nil || !fresh[0] {
			t.Fatalf("Put %s: %v %v", id, fresh, err)
		}
	}
	put("before")
	second, err := sqlstore.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	// Any program that looks at the file, such as the shell sqlite3.
	const look = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('select count(*) from receiver_inbox').fetchall(); d.close()"
	if out, err := exec.CommandContext(t.Context(), "python3", "-c", look, path).CombinedOutput(); err != nil {
		t.Fatalf("another program that looks: %v (make prepare installs Python)\n%s", err, out)
	}
	if _, err := os.Stat(path + "-wal"); err != nil {
		t.Errorf("the WAL of an open store is gone: %v", err)
	}
	put("after") // answered with 200
	// The process is killed here: what is on disk is what the next one sees.
	copied := filepath.Join(t.TempDir(), "inbox.db")
	for _, end := range []string{"", "-wal"} {
		if raw, err := os.ReadFile(path + end); err == nil {
			if err := os.WriteFile(copied+end, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	next, err := sqlstore.OpenSQLite(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	items, _, err := next.List(t.Context(), receiver.Filter{}, receiver.Page{})
	if err != nil || len(items) != 2 {
		t.Errorf("after a kill there are %d of 2 events, %v", len(items), err)
	}
}

// A link may lead to a file that is not there yet.
func TestALinkToAFileThatIsToBeMadeIsOpened(t *testing.T) {
	t.Parallel()
	path, link := filepath.Join(t.TempDir(), "inbox.db"), filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := sqlstore.OpenSQLite(t.Context(), link)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want one that others cannot read", info, err)
	}
}
