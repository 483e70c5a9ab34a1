package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
)

// noisy is the share of the machine, used by others, from which a row's figures
// are marked as disturbed.
const noisy = 0.125

// result is a row with its figures.
type result struct {
	Name          string  `json:"name"`
	Title         string  `json:"title"`
	Error         string  `json:"error,omitempty"` // why there are no figures
	Events        int     `json:"events"`
	AcceptedPerS  float64 `json:"accepted_per_s"`  // publishing calls that were answered, in events
	DeliveredPerS float64 `json:"delivered_per_s"` // from the first call to the last arrival
	OfCeiling     float64 `json:"of_ceiling"`      // DeliveredPerS as a share of the bare client's

	// CPU seconds per 1000 events, system time included: the program with its
	// database (in the ceiling's row: the client), the database's part of it, and
	// publishers and receiver.
	CPU         float64 `json:"cpu_s_per_1000"`
	DatabaseCPU float64 `json:"database_cpu_s_per_1000"`
	HarnessCPU  float64 `json:"harness_cpu_s_per_1000"`

	P50MS      float64 `json:"p50_ms"` // from the begin of the publishing call to the arrival
	P99MS      float64 `json:"p99_ms"`
	MaxMS      float64 `json:"max_ms"`
	PeakMiB    float64 `json:"peak_mib"` // program with its database
	Lost       int     `json:"lost"`
	Duplicates int     `json:"duplicates"`
	Strays     int     `json:"strays"`
	Retried    int     `json:"retried"`    // came with a later attempt than the first
	OtherLoad  float64 `json:"other_load"` // share of the machine that went to strangers meanwhile
}

// newResult makes the figures of a row, but for its memory and what depends on other rows.
func newResult(r row, sent published, came arrivals, before, after reading) result {
	harness := (after.publisher - before.publisher) + (after.receiver - before.receiver)
	own := (after.program - before.program) + (after.database - before.database)
	if r.load.Via == viaNetHTTP {
		own = after.publisher - before.publisher
		harness -= own
	}
	return result{
		Name: r.name, Title: r.title, Events: r.load.Events,
		AcceptedPerS: perSecond(r.load.Events, sent.Ended.Sub(sent.Began)), DeliveredPerS: perSecond(came.Arrived, came.Last.Sub(sent.Began)),
		CPU: perThousand(own, r.load.Events), DatabaseCPU: perThousand(after.database-before.database, r.load.Events), HarnessCPU: perThousand(harness, r.load.Events),
		P50MS: milliseconds(came.P50), P99MS: milliseconds(came.P99), MaxMS: milliseconds(came.Max),
		Lost: came.Lost, Duplicates: came.Duplicates, Strays: came.Strays, Retried: came.Retried, OtherLoad: strangers(before, after),
	}
}

// report is what is printed and written.
type report struct {
	Machine      facts     `json:"machine"`
	LightSeconds float64   `json:"light_seconds"`
	Profiled     bool      `json:"profiled"` // profiles were taken, which cost a little
	Rows         []result  `json:"rows"`
	Findings     []finding `json:"findings"` // of the sections below the table
}

func newReport(ctx context.Context, opts options, dir string) *report {
	return &report{Machine: machineFacts(ctx, dir), LightSeconds: opts.light.Seconds(), Profiled: opts.profile}
}

// add takes a row in and compares it to the ceiling, which is the first.
func (r *report) add(done result) {
	ceiling := done.DeliveredPerS
	if len(r.Rows) > 0 {
		ceiling = r.Rows[0].DeliveredPerS
	}
	if ceiling > 0 {
		done.OfCeiling = done.DeliveredPerS / ceiling
	}
	r.Rows = append(r.Rows, done)
}

// clean reports whether every event of every row came exactly once.
func (r *report) clean() bool {
	spoilt := func(done result) bool { return done.Error != "" || done.Lost+done.Duplicates+done.Strays > 0 }
	return !slices.ContainsFunc(r.Rows, spoilt) && !slices.ContainsFunc(r.Findings, func(f finding) bool { return !f.clean() })
}

// lineFormat has the columns of the table, all texts.
const lineFormat = "%-52s %10s %11s %8s %8s %8s %8s %8s %8s %8s %8s %5s %6s %6s %7s %6s\n"

func (r *report) printHead(out io.Writer) {
	fmt.Fprintf(out, "%s\n\n", r.Machine)
	fmt.Fprintf(out, lineFormat, "", "accepted", "delivered", "of the", "CPU s", "of it in", "harness", "p50", "p99", "max", "peak", "", "dupli-", "", "", "other")
	fmt.Fprintf(out, lineFormat, "", "/s", "/s", "ceiling", "per 1000", "database", "CPU s", "ms", "ms", "ms", "MiB", "lost", "cates", "strays", "retried", "load")
}

func (r *report) printRow(out io.Writer, i int) {
	done := r.Rows[i]
	if done.Error != "" {
		fmt.Fprintf(out, "%-52s failed: %s\n", done.Title, done.Error)
		return
	}
	fmt.Fprintf(out, lineFormat, done.Title, thousands(done.AcceptedPerS), thousands(done.DeliveredPerS), fmt.Sprintf("%.1f%%", done.OfCeiling*100),
		fixed(done.CPU, 3), fixed(done.DatabaseCPU, 3), fixed(done.HarnessCPU, 3), fixed(done.P50MS, 2), fixed(done.P99MS, 2), fixed(done.MaxMS, 0), fixed(done.PeakMiB, 0),
		strconv.Itoa(done.Lost), strconv.Itoa(done.Duplicates), strconv.Itoa(done.Strays), strconv.Itoa(done.Retried), disturbance(done.OtherLoad))
}

// disturbance writes the share of the machine that went to others, with a mark when it was large.
func disturbance(share float64) string {
	text := fmt.Sprintf("%.0f%%", share*100)
	if share > noisy {
		return "! " + text
	}
	return text
}

func (r *report) printFoot(out io.Writer) {
	fmt.Fprintf(out, `
Every body is %d bytes. p50, p99, max: from the begin of the publishing call to the arrival. CPU s per 1000: the program with
its database; in the first row, the client. Harness: publishers and receiver, on the same cores. Strays: requests that belong to no
event of the row. Retried: came with a later attempt than the first. Other load: the share of the machine that strangers took
meanwhile; with ! it is more than %.1f%% and the row's rates and times mean little.
`, eventBytes, noisy*100)
	fmt.Fprintf(out, "Written to %s.\n", resultFile)
	if r.Profiled {
		fmt.Fprintf(out, "Profiles of the program, by row, are in %s: go tool pprof -top %s/%s-1-64.cpu.pprof\n", profileFolder, profileFolder, sqlite)
	}
}

// write saves the report for programs.
func (r *report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// fixed writes a figure; nothing for what was not measured.
func fixed(x float64, decimals int) string {
	if x == 0 {
		return "-"
	}
	return strconv.FormatFloat(x, 'f', decimals, 64)
}

// thousands writes a rate, with a comma before each three digits.
func thousands(x float64) string {
	text := strconv.FormatFloat(x, 'f', 0, 64)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
