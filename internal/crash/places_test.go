package crash_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// hit is how the source names a place.
var hit = regexp.MustCompile(`failpoint\.Hit\("([^"]+)"\)`)

// places reads from the source where the program may be made to die.
func places(t testing.TB) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range hit.FindAllSubmatch(text, -1) {
			all = append(all, string(found[1]))
		}
		return err
	})
	if err != nil {
		t.Fatalf("read the source: %v", err)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
