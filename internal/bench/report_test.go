package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewResult(t *testing.T) {
	t.Parallel()
	began := time.Unix(100, 0)
	sent := published{Began: began, Ended: began.Add(2 * time.Second)}
	came := arrivals{Arrived: 990, Lost: 10, Duplicates: 1, Strays: 2, Last: began.Add(3 * time.Second), P50: time.Millisecond, P99: 2 * time.Millisecond, Max: 3 * time.Millisecond, Retried: 4}
	before := reading{at: began, program: 1, database: 1, publisher: 1, receiver: 1}
	after := reading{at: began, program: 1 + 500*time.Millisecond, database: 1 + 250*time.Millisecond, publisher: 1 + 100*time.Millisecond, receiver: 1 + 50*time.Millisecond}
	want := result{
		Name: "a", Title: "A", Events: 1000, AcceptedPerS: 500, DeliveredPerS: 330, CPU: 0.75, DatabaseCPU: 0.25, HarnessCPU: 0.15,
		P50MS: 1, P99MS: 2, MaxMS: 3, Lost: 10, Duplicates: 1, Strays: 2, Retried: 4,
	}
	got := newResult(row{name: "a", title: "A", load: load{Via: viaProgram, Events: 1000}}, sent, came, before, after)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("newResult (-want +got):\n%s", diff)
	}
	bare := newResult(row{load: load{Via: viaNetHTTP, Events: 1000}}, sent, came, before, after)
	if bare.CPU != 0.1 || bare.HarnessCPU != 0.05 {
		t.Errorf("the ceiling costs %v and its harness %v, want the publisher's 0.1 and the receiver's 0.05", bare.CPU, bare.HarnessCPU)
	}
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	before := reading{at: time.Unix(100, 0)}
	after := reading{at: time.Unix(101, 0), machine: time.Hour, itself: 10 * time.Second}
	if got := strangers(before, after); got != 1 {
		t.Errorf("strangers = %v, want at most the whole machine", got)
	}
	after.machine = 5 * time.Second
	if got := strangers(before, after); got != 0 {
		t.Errorf("strangers = %v, want 0 when the clocks disagree", got)
	}
	if got := strangers(before, before); got != 0 {
		t.Errorf("strangers of no time = %v, want 0", got)
	}
}

func TestRowsAreComparedToTheFirst(t *testing.T) {
	t.Parallel()
	var r report
	r.add(result{DeliveredPerS: 10_000})
	r.add(result{DeliveredPerS: 2_500})
	if r.Rows[0].OfCeiling != 1 || r.Rows[1].OfCeiling != 0.25 {
		t.Errorf("of the ceiling: %v and %v, want 1 and 0.25", r.Rows[0].OfCeiling, r.Rows[1].OfCeiling)
	}
}

func TestOneBadEventSpoilsTheReport(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		row  result
		want bool
	}{
		{"all came once", result{}, true},
		{"lost", result{Lost: 1}, false},
		{"twice", result{Duplicates: 1}, false},
		{"from nowhere", result{Strays: 1}, false},
		{"not measured", result{Error: "refused"}, false},
		{"retried", result{Retried: 1}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := report{Rows: []result{{}, tt.row}}
			if got := r.clean(); got != tt.want {
				t.Errorf("clean = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTheTableMarksADisturbedRow(t *testing.T) {
	t.Parallel()
	r := report{Rows: []result{
		{Title: "quiet", AcceptedPerS: 1_234_567, DeliveredPerS: 999, OfCeiling: 0.256, CPU: 0.17, P50MS: 1.5, OtherLoad: noisy},
		{Title: "disturbed", OtherLoad: noisy + 0.01},
	}}
	var out bytes.Buffer
	r.printRow(&out, 0)
	r.printRow(&out, 1)
	quiet, disturbed, _ := strings.Cut(out.String(), "\n")
	want := []string{"quiet", "1,234,567", "999", "25.6%", "0.170", "-", "-", "1.50", "-", "-", "-", "0", "0", "0", "0", "12%"}
	if diff := cmp.Diff(want, strings.Fields(quiet)); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if !strings.Contains(disturbed, "! 14%") {
		t.Errorf("row %q has no mark", disturbed)
	}
}

func TestTheTableSaysWhyARowFailed(t *testing.T) {
	t.Parallel()
	r := report{Rows: []result{{Title: "one", Error: "refused with status 503"}}}
	var out bytes.Buffer
	r.printRow(&out, 0)
	if got := out.String(); !strings.Contains(got, "failed: refused with status 503") {
		t.Errorf("row %q does not say why it failed", got)
	}
}

func TestThePlanHasEveryRowOnce(t *testing.T) {
	t.Parallel()
	var got []string
	for _, r := range plan(options{events: 1000, light: 20 * time.Second}) {
		got = append(got, r.name)
		if r.warmUp < 1 || r.load.Events < 1 || r.load.Connections < 1 || len(r.load.Types) != max(r.endpoints, 1) {
			t.Errorf("%s cannot be measured: %+v", r.name, r)
		}
	}
	want := []string{
		"ceiling", "harness",
		"sqlite-1-64", "sqlite-1-256", "sqlite-1-batch", "sqlite-100-64", "sqlite-100-256", "sqlite-100-batch",
		"postgres-1-64", "postgres-1-256", "postgres-1-batch", "postgres-100-64", "postgres-100-256", "postgres-100-batch",
		"sqlite-light", "postgres-light",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestAChildAnswersEachRequest(t *testing.T) {
	t.Parallel()
	verbs := handlers{
		"double": verb(func(n int) (int, error) { return 2 * n, nil }),
		"fail":   verb(func(struct{}) (int, error) { return 0, io.ErrShortWrite }),
	}
	in := strings.NewReader(`{"verb":"double","with":21}{"verb":"fail","with":{}}{"verb":"double","with":"x"}{"verb":"sing"}`)
	var out bytes.Buffer
	if err := answer(in, &out, verbs); err != nil {
		t.Fatal(err)
	}
	var got []response
	for from := json.NewDecoder(&out); from.More(); {
		var one response
		if err := from.Decode(&one); err != nil {
			t.Fatal(err)
		}
		got = append(got, one)
	}
	if len(got) != 4 || string(got[0].Result) != "42" || got[1].Error != io.ErrShortWrite.Error() || got[2].Error == "" || got[3].Error == "" {
		t.Errorf("answers = %+v, want 42 and three errors", got)
	}
}

func TestTheFlags(t *testing.T) {
	t.Setenv("PROFILE", "1") // so it cannot be parallel
	tests := []struct {
		name   string
		args   []string
		events int // 0 = refused
		light  time.Duration
	}{
		{"none", nil, fullEvents, fullLight},
		{"quick", []string{"-quick"}, quickEvents, quickLight},
		{"a number", []string{"-n", "500"}, 500, fullLight},
		{"a number wins over quick", []string{"-quick", "-n", "500"}, 500, quickLight},
		{"a number below nothing", []string{"-n", "-1"}, 0, 0},
		{"more than a mark can count", []string{"-n", "10000001"}, 0, 0},
		{"a broken expression", []string{"-only", "("}, 0, 0},
		{"an argument", []string{"sqlite"}, 0, 0},
		{"a flag that is none", []string{"-fast"}, 0, 0},
	}
	for _, tt := range tests {
		got, err := parseOptions(tt.args, io.Discard)
		if refused := tt.events == 0; refused != (err != nil) {
			t.Errorf("%s: error %v, want one: %v", tt.name, err, refused)
			continue
		}
		if err == nil && (got.events != tt.events || got.light != tt.light || !got.profile) {
			t.Errorf("%s: %+v, want %d events, %s light, with profiles", tt.name, got, tt.events, tt.light)
		}
	}
	for args, want := range map[string]int{"": 0, "-big": fullFinished, "-big -quick": quickFinished} {
		if got, err := parseOptions(strings.Fields(args), io.Discard); err != nil || got.finished != want {
			t.Errorf("%q: %d finished, %v; want %d", args, got.finished, err, want)
		}
	}
	for value, want := range map[string]bool{"": false, "0": false, "1": true, "yes": true} {
		if got := asksFor(value); got != want {
			t.Errorf("asksFor(%q) = %v, want %v", value, got, want)
		}
	}
}
