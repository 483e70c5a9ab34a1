package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
)

// finding is a row of the sections below the table: what one promise of the
// program is held to.
type finding struct {
	Section    string   `json:"section"`
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	Error      string   `json:"error,omitempty"` // why there are no figures
	Figures    []figure `json:"figures"`
	Lost       int      `json:"lost"`
	Duplicates int      `json:"duplicates"`
	Strays     int      `json:"strays"`
	OtherLoad  float64  `json:"other_load"` // share of the machine that went to strangers meanwhile
}

// newFinding names a finding of a section.
func newFinding(database, section, name, what string) finding {
	section = database + "-" + section
	return finding{Section: section, Name: section + "-" + name, Title: title(database) + ", " + what}
}

// figure is a number with what the program promises of it.
type figure struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	AtMost float64 `json:"at_most,omitempty"` // the promise; 0 = none
	// AtLeast is a promise the other way round; 0 = none.
	AtLeast float64 `json:"at_least,omitempty"`
	Missed  bool    `json:"missed,omitempty"`
	// decimals is how exactly the table says it.
	decimals int
}

// plain makes a figure that nothing is promised of.
func plain(name string, value float64, decimals int) figure {
	return figure{Name: name, Value: value, decimals: decimals}
}

// promised makes a figure that must not be above its promise.
func promised(name string, value, atMost float64, decimals int) figure {
	return figure{Name: name, Value: value, AtMost: atMost, Missed: value > atMost, decimals: decimals}
}

// reached makes a figure that must not be below its promise.
func reached(name string, value, atLeast float64, decimals int) figure {
	return figure{Name: name, Value: value, AtLeast: atLeast, Missed: value < atLeast, decimals: decimals}
}

// String is the figure in the table: what misses its promise has a mark.
func (f figure) String() string {
	text := strconv.FormatFloat(f.Value, 'f', f.decimals, 64)
	if f.Missed {
		return "! " + text
	}
	return text
}

// count takes over what came of the events of a finding.
func (f *finding) count(came arrivals) {
	f.Lost += came.Lost
	f.Duplicates += came.Duplicates
	f.Strays += came.Strays
}

// clean reports whether there are figures, and every event came exactly once.
func (f finding) clean() bool { return f.Error == "" && f.Lost+f.Duplicates+f.Strays == 0 }

// Widths of a section's columns.
const (
	findingWidth = 62
	figureWidth  = 15
)

// printSection prints the findings of a section, with the promises in its head.
func printSection(out io.Writer, section string, all []finding) {
	of := slices.DeleteFunc(slices.Clone(all), func(f finding) bool { return f.Section != section })
	if len(of) == 0 {
		return
	}
	names, promises := "", ""
	if shown := slices.IndexFunc(of, func(f finding) bool { return f.Error == "" }); shown >= 0 {
		for _, one := range of[shown].Figures {
			names += fmt.Sprintf("%*s", figureWidth, one.Name)
		}
	}
	for at := range columns(of) {
		promises += fmt.Sprintf("%*s", figureWidth, promiseAt(of, at))
	}
	fmt.Fprintf(out, "\n%-*s%s%12s%8s\n%-*s%s\n", findingWidth, section, names, "bad events", "other", findingWidth, "  promised at most", promises)
	for _, f := range of {
		if f.Error != "" {
			fmt.Fprintf(out, "%-*s failed: %s\n", findingWidth, f.Title, f.Error)
			continue
		}
		line := fmt.Sprintf("%-*s", findingWidth, f.Title)
		for _, one := range f.Figures {
			line += fmt.Sprintf("%*s", figureWidth, one)
		}
		fmt.Fprintf(out, "%s%12d%8s\n", line, f.Lost+f.Duplicates+f.Strays, disturbance(f.OtherLoad))
	}
}

// columns gives how many columns a section has.
func columns(of []finding) (most int) {
	for _, f := range of {
		most = max(most, len(f.Figures))
	}
	return most
}

// promiseAt says what is promised of a column, by the first row that promises anything.
func promiseAt(of []finding, at int) string {
	for _, f := range of {
		if at >= len(f.Figures) {
			continue
		}
		one := f.Figures[at]
		if one.AtMost > 0 {
			return fixed(one.AtMost, one.decimals)
		}
		if one.AtLeast > 0 {
			return "at least " + fixed(one.AtLeast, one.decimals)
		}
	}
	return ""
}
