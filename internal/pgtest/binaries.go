package pgtest

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
)

// ErrNotInstalled means that this machine has no PostgreSQL server binaries.
var ErrNotInstalled = errors.New("PostgreSQL is not installed")

// debianBinaries is where Debian and Ubuntu put the server's binaries, one
// folder for each major version; they are not in PATH there.
const debianBinaries = "/usr/lib/postgresql/*/bin"

// findBinaries returns the folder that holds initdb and postgres: the one of
// the initdb in PATH, else the newest version that matches pattern.
func findBinaries(pattern string) (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		// initdb starts the postgres that lies beside it; a symbolic link in
		// PATH need not have one.
		if path, err = filepath.EvalSymlinks(path); err == nil && complete(filepath.Dir(path)) {
			return filepath.Dir(path), nil
		}
	}
	if dir := newest(pattern); dir != "" {
		return dir, nil
	}
	return "", fmt.Errorf("%w: no initdb in PATH or in %s; "+
		"install it with \"apt-get install postgresql\" (Debian, Ubuntu) or \"brew install postgresql\" (macOS), "+
		"or set %s to the URL of a server that tests may create databases on",
		ErrNotInstalled, pattern, EnvURL)
}

// newest returns the complete folder of the highest version among those that
// match pattern, whose last element but one is the version; "" when none is.
func newest(pattern string) string {
	dirs, _ := filepath.Glob(pattern) // the only error is a malformed pattern
	best, bestVersion := "", -1
	for _, dir := range dirs {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err == nil && version > bestVersion && complete(dir) {
			best, bestVersion = dir, version
		}
	}
	return best
}

// complete reports whether dir has both programs that a cluster needs.
func complete(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}
