package sqlstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

func TestAClosedStoreKeepsNoFileOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: path})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(filesUnder(t, path)); n == 0 {
		t.Fatal("an open store has no file open: this test sees nothing")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left := filesUnder(t, path); len(left) > 0 {
		t.Errorf("still open: %v", left)
	}
}

// filesUnder lists the open files of this process whose names begin with a path.
func filesUnder(t *testing.T, path string) []string {
	t.Helper()
	const open = "/proc/self/fd"
	entries, err := os.ReadDir(open)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		if name, err := os.Readlink(filepath.Join(open, e.Name())); err == nil && strings.HasPrefix(name, path) {
			found = append(found, name)
		}
	}
	return found
}
