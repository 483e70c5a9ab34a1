// Command reliability writes the tables of docs/reliability.md from the rows in
// docs/evidence, which the tests write that break the program on purpose. It is run in
// the root of the project.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	page   = "docs/reliability.md"
	folder = "docs/evidence"
	begin  = "<!-- rows of %d: begin -->\n"
	end    = "<!-- end -->"

	madeBegin = "<!-- made of: begin -->\n"
)

// row is evidence.Row as it stands in a file.
type row struct {
	Promise    int    `json:"promise"`
	Fault      string `json:"fault"`
	On         string `json:"on"`
	Times      int    `json:"times"`
	Of         int    `json:"of"`
	What       string `json:"what"`
	Lost       int    `json:"lost"`
	Duplicates *int   `json:"duplicates"`
	Explained  *int   `json:"explained"`
	Test       string `json:"test"`
	Made       string `json:"made"`
}

func main() {
	if err := run(page, folder); err != nil {
		fmt.Fprintln(os.Stderr, "reliability:", err)
		os.Exit(1)
	}
}

func run(page, folder string) error {
	rows, err := read(folder)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	filled, err := fill(string(text), rows)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, []byte(filled), 0o644)
}

func read(folder string) ([]row, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var r row
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Promise, b.Promise), cmp.Compare(a.Fault, b.Fault), cmp.Compare(b.On, a.On))
	})
	return rows, nil
}

// fill puts each promise's rows between the marks of its table. Every row has to find its
// place, and every place a row: a promise that nothing tried to break is none.
func fill(text string, rows []row) (string, error) {
	byPromise := map[int][]row{}
	for _, r := range rows {
		byPromise[r.Promise] = append(byPromise[r.Promise], r)
	}
	for promise, of := range byPromise {
		mark := fmt.Sprintf(begin, promise)
		before, rest, found := strings.Cut(text, mark)
		_, after, ends := strings.Cut(rest, end)
		if !found || !ends {
			return "", fmt.Errorf("there is no place for the rows of promise %d: %q", promise, of[0].Fault)
		}
		text = before + mark + table(of) + end + after
	}
	for n := 1; n <= 100; n++ {
		if _, has := byPromise[n]; !has && strings.Contains(text, fmt.Sprintf(begin, n)) {
			return "", fmt.Errorf("nothing tried to break promise %d", n)
		}
	}
	before, rest, found := strings.Cut(text, madeBegin)
	_, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		return "", fmt.Errorf("there is no place that says what the rows were made of: %s", madeBegin)
	}
	return before + madeBegin + madeOf(rows) + end + after, nil
}

// madeOf lists what the rows were made of, and how many of each.
func madeOf(rows []row) string {
	count := map[string]int{}
	for _, r := range rows {
		count[cmp.Or(r.Made, "a tree that is not known")]++
	}
	var b strings.Builder
	b.WriteString("\n")
	for _, made := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(&b, "- %d rows: %s\n", count[made], made)
	}
	b.WriteString("\n")
	return b.String()
}

func table(rows []row) string {
	var b strings.Builder
	b.WriteString("\n| what was done | on | times | to | lost | twice (explained) | again with |\n")
	b.WriteString("| --- | --- | --: | --: | --: | --: | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s %s | %s | %s | `%s` |\n",
			r.Fault, cmp.Or(r.On, "-"), grouped(r.Times), grouped(r.Of), r.What, grouped(r.Lost), twice(r), r.Test)
	}
	b.WriteString("\n")
	return b.String()
}

func twice(r row) string {
	if r.Duplicates == nil || r.Explained == nil {
		return "-"
	}
	return fmt.Sprintf("%s (%s)", grouped(*r.Duplicates), grouped(*r.Explained))
}

// grouped writes a number with a comma every three digits.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
