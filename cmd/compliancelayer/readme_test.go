package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Without its variable, the README's receiver ended with an error that named no variable.
func TestTheReceiverOfTheReadmeSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindSubmatch(readme)
	if example == nil {
		t.Fatal("the README has no Go program")
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, example[1], 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", file)
	cmd.Env = append(os.Environ(), "COMPLIANCELAYER_SECRET=")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "COMPLIANCELAYER_SECRET: ") {
		t.Errorf("without a secret it ends with %v: %s", err, out)
	}
}
