package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of "go test -json"; see "go doc test2json".
type event struct {
	Action      string
	Package     string
	ImportPath  string // on build output, in place of Package
	Test        string
	Output      string
	FailedBuild string // on a package's "fail": the package that did not compile
}

// testName names a test over all packages; an empty test is the package itself.
type testName struct{ pkg, test string }

// counts says how many tests ended how. Every subtest counts as a test. A
// package that fails without a failed test (it does not compile, or it died)
// counts as one failure.
type counts struct{ passed, failed, skipped int }

func (c counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
}

// good reports whether the run proves what it should.
func (c counts) good() bool {
	return c.passed > 0 && c.failed == 0 && c.skipped == 0
}

// reporter keeps what has been read and not yet been decided on.
type reporter struct {
	out    io.Writer
	counts counts
	// output holds what each unfinished test has printed. A test that passes
	// takes it along; the rest is printed when the test or its package fails.
	output map[testName][]string
	builds map[string][]string // compiler output by package
	failed map[string]bool     // packages in which a test has failed
}

// report reads the events of in until its end and writes the readable part to
// out. Lines that are no events are copied, since they are go's own complaints.
func report(in io.Reader, out io.Writer) (counts, error) {
	r := &reporter{out: out, output: map[testName][]string{}, builds: map[string][]string{}, failed: map[string]bool{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if errors.Is(err, io.EOF) {
			return r.counts, nil
		}
		if err != nil {
			return r.counts, fmt.Errorf("read the test output: %w", err)
		}
	}
}

func (r *reporter) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action == "" {
		fmt.Fprint(r.out, line)
		return
	}
	switch {
	case e.Action == "build-output":
		r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
	case e.Test != "":
		r.test(e)
	default:
		r.pkg(e)
	}
}

// test handles an event of one test.
func (r *reporter) test(e event) {
	name := testName{e.Package, e.Test}
	switch e.Action {
	case "output":
		// "=== RUN", "=== PAUSE" and "=== CONT" tell the order of parallel tests.
		if !strings.HasPrefix(e.Output, "=== ") {
			r.output[name] = append(r.output[name], e.Output)
		}
	case "pass":
		r.counts.passed++
		delete(r.output, name)
	case "skip":
		r.counts.skipped++
		r.print(name)
	case "fail":
		r.counts.failed++
		r.failed[e.Package] = true
		r.print(name)
	}
}

// pkg handles an event of a package as a whole. Its own output holds the
// closing line ("ok ..."), which is always shown, and a panic if there was one.
func (r *reporter) pkg(e event) {
	switch e.Action {
	case "output":
		if e.Output != "PASS\n" {
			fmt.Fprint(r.out, e.Output)
		}
	case "fail":
		for _, line := range r.builds[e.FailedBuild] {
			fmt.Fprint(r.out, line)
		}
		if !r.failed[e.Package] {
			r.counts.failed++
		}
		r.printUnfinished(e.Package)
	}
}

// printUnfinished shows the tests that were running when their package died.
func (r *reporter) printUnfinished(pkg string) {
	names := slices.SortedFunc(maps.Keys(r.output), func(a, b testName) int {
		return strings.Compare(a.test, b.test)
	})
	for _, name := range names {
		if name.pkg == pkg {
			r.print(name)
		}
	}
}

// print shows and forgets the output of a test.
func (r *reporter) print(name testName) {
	for _, line := range r.output[name] {
		fmt.Fprint(r.out, line)
	}
	delete(r.output, name)
}
