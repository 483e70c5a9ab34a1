//go:build !failpoints

package crash_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/failpoint"
)

// faultsAtPlaces are none: no places are compiled in.
func faultsAtPlaces(int) []fault { return nil }

func TestTheReleasedProgramHasNoPlaceToDieAt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "program")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", path, "../../cmd/compliancelayer") // as "make build" does
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, said)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if indexOf(program, "outcomes not recorded") < 0 {
		t.Error("a text of the program is not in it: this test looks in the wrong way")
	}
	all := places(t)
	if len(all) < 24 {
		t.Errorf("the source names %d places, want one at every step from accept to record", len(all))
	}
	for _, place := range append(all, failpoint.Env) {
		if indexOf(program, place) >= 0 {
			t.Errorf("%q is in the program that is released", place)
		}
	}
}
