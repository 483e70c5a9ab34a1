package sqlstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestOneFileIsServedOnceWhateverItsPath(t *testing.T) {
	t.Parallel()
	dir, links := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "a.db")
	working, err := os.Getwd()
	must(t, err)
	relative, err := filepath.Rel(working, path)
	must(t, err)
	for link, target := range map[string]string{"file": path, "folder": dir, "twice": filepath.Join(links, "file")} {
		must(t, os.Symlink(target, filepath.Join(links, link)))
	}
	spellings := map[string]string{
		"the same": path, "relative": relative, "roundabout": dir + "/../" + filepath.Base(dir) + "//a.db", "a link": filepath.Join(links, "file"),
		"a link to a link": filepath.Join(links, "twice"), "in a linked folder": filepath.Join(links, "folder", "a.db"),
	}
	// The first is a link to what is not there yet.
	for _, first := range []string{filepath.Join(links, "file"), path} {
		s, err := Open(t.Context(), Config{Database: first})
		must(t, err)
		for name, second := range spellings {
			if _, err := Open(t.Context(), Config{Database: second}); !errors.Is(err, store.ErrInUse) {
				t.Fatalf("served as %s, and again by %s: %v, want ErrInUse", first, name, err)
			}
		}
		must(t, s.Close())
	}
	must(t, os.Link(path, filepath.Join(links, "hard.db")))
	for _, name := range []string{path, filepath.Join(links, "hard.db")} {
		if _, err := Open(t.Context(), Config{Database: name}); !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), "hard links") {
			t.Errorf("a file with two names, by %s: %v, want that it is refused for them", name, err)
		}
	}
}
