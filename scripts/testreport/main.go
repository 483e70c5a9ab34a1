// Command testreport reads the output of "go test -json" and prints what a
// person wants to see of it: one line a package, the whole output of every
// test that failed or was skipped, and a last line with the counts:
//
//	123 passed, 0 failed, 0 skipped
//
// It exits 1 when a test or a package failed, when a test was skipped (a test
// that does not run proves nothing, so there is no list of allowed skips) and
// when nothing ran at all. CI pipes the tests through it. It runs no test
// itself and imports nothing of this project.
package main

import (
	"fmt"
	"os"
)

func main() {
	counts, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
	fmt.Println(counts)
	if !counts.good() {
		os.Exit(1)
	}
}
