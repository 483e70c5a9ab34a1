package main

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAFigureSaysWhetherItsPromiseIsKept(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		f    figure
		want string
	}{
		{"nothing is promised", plain("a", 12.345, 1), "12.3"},
		{"kept", promised("a", 1.99, 2, 2), "1.99"},
		{"just kept", promised("a", 2, 2, 2), "2.00"},
		{"missed", promised("a", 2.01, 2, 2), "! 2.01"},
		{"too little to be measured", plain("a", 0, 1), "0.0"},
	}
	for _, tt := range tests {
		if got := tt.f.String(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestASectionNamesItsFiguresAndPromisesOnce(t *testing.T) {
	t.Parallel()
	all := []finding{
		{Section: "x", Title: "broken", Error: "refused"},
		{Section: "x", Title: "one", Figures: []figure{plain("p99", 3, 0), promised("ratio", 1, 2, 1)}, OtherLoad: 0.5},
		{Section: "x", Title: "two", Figures: []figure{plain("p99", 9, 0), promised("ratio", 3, 2, 1)}, Lost: 1, Duplicates: 2, Strays: 3},
		{Section: "y", Title: "elsewhere", Figures: []figure{plain("other", 1, 0)}},
	}
	var out bytes.Buffer
	printSection(&out, "x", all)
	var got [][]string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Fields(line))
	}
	want := [][]string{
		{}, {"x", "p99", "ratio", "bad", "events", "other"}, {"promised", "at", "most", "2.0"},
		{"broken", "failed:", "refused"}, {"one", "3", "1.0", "0", "!", "50%"}, {"two", "9", "!", "3.0", "6", "0%"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("section (-want +got):\n%s", diff)
	}
	out.Reset()
	if printSection(&out, "z", all); out.Len() > 0 {
		t.Errorf("a section without findings says %q", out.String())
	}
}

func TestOneBadEventOfASectionSpoilsTheReport(t *testing.T) {
	t.Parallel()
	missed := finding{Figures: []figure{promised("a", 3, 2, 0)}}
	for _, tt := range []struct {
		name string
		f    finding
		want bool
	}{
		{"a promise that was missed is the reader's to judge", missed, true},
		{"lost", finding{Lost: 1}, false}, {"twice", finding{Duplicates: 1}, false}, {"from nowhere", finding{Strays: 1}, false},
		{"not measured", finding{Error: "refused"}, false},
	} {
		if got := (&report{Findings: []finding{tt.f}}).clean(); got != tt.want {
			t.Errorf("%s: clean = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestRoundsGiveTheirMedian(t *testing.T) {
	t.Parallel()
	alone := &neighbour{name: "alone", p50: []float64{1, 1, 9}, p99: []float64{4, 90, 5}, longest: []float64{7, 8, 90}}
	dead := &neighbour{name: "dead", title: "beside a dead one", p50: []float64{2, 2, 2}, p99: []float64{12, 1, 15}, longest: []float64{20, 1, 2}}
	got := newFinding(sqlite, isolation, dead.name, dead.title)
	got.Figures = dead.figures(alone)
	want := []figure{plain("p50 ms", 2, 2), plain("p99 ms", 12, 2), plain("max ms", 2, 1), promised("p99 to alone", 2.4, 2, 2)}
	if diff := cmp.Diff(want, got.Figures, cmp.AllowUnexported(figure{})); diff != "" || got.Name != "sqlite-isolation-dead" {
		t.Errorf("%s: figures (-want +got):\n%s", got.Name, diff)
	}
}

func TestSizesAreComparedToTheSmallest(t *testing.T) {
	t.Parallel()
	few := &size{cpu: []float64{0.2}, claims: []float64{1}}
	many := &size{name: "many", cpu: []float64{0.3, 0.22, 0.1}, claims: []float64{3}, ready: []float64{6}, startMiB: 301, loadMiB: 300}
	missed := map[string]bool{}
	for _, f := range many.figures(few) {
		missed[f.Name] = missed[f.Name] || f.Missed
	}
	want := map[string]bool{
		"delivered /s": false, "CPU s per 1000": false, "in database": false, "CPU to few": false, "2,000 due, s": false, "due to few": true, "their CPU s": false,
		"ready, s": true, "first sent, s": false, "start MiB": true, "load MiB": false, "idle CPU %": false,
	}
	if diff := cmp.Diff(want, missed); diff != "" {
		t.Errorf("missed promises (-want +got):\n%s", diff)
	}
}

func TestIdleUseIsAShareOfOneCore(t *testing.T) {
	t.Parallel()
	began := time.Unix(100, 0)
	got := newIdleUse(reading{at: began, program: time.Second, database: time.Second},
		reading{at: began.Add(20 * time.Second), program: 1100 * time.Millisecond, database: 1300 * time.Millisecond})
	if want := (idleUse{program: 0.5, database: 1.5}); !near(got.program, want.program) || !near(got.database, want.database) {
		t.Errorf("newIdleUse = %+v, want %+v", got, want)
	}
	if busy := newIdleUse(reading{at: began}, reading{at: began.Add(time.Second), machine: time.Hour}); busy.others != 1 {
		t.Errorf("others used %v of the machine, want all", busy.others)
	}
	if got := newIdleUse(reading{at: began}, reading{at: began}); got != (idleUse{}) {
		t.Errorf("in no time: %+v", got)
	}
}

func TestTheInboxIsHeldToWhatItAims(t *testing.T) {
	t.Parallel()
	kit := load{Via: viaSigned}
	light := kit
	light.Rate = inboxRate
	bare := &intake{load: load{Via: viaNetHTTP}, accepted: []float64{100}, p99: []float64{99}}
	tests := []struct {
		name   string
		of     *intake
		missed string
	}{
		{"the ceiling", bare, ""},
		{"quick enough", &intake{load: kit, accepted: []float64{5000, 4999, 5001}, p99: []float64{99}}, ""},
		{"too slow", &intake{load: kit, accepted: []float64{4999, 4999, 5001}, p99: []float64{99}}, "accepted /s"},
		{"answers in time", &intake{load: light, accepted: []float64{500}, p99: []float64{20, 20, 21}}, ""},
		{"answers too late", &intake{load: light, accepted: []float64{500}, p99: []float64{20, 21, 21}}, "answer p99 ms"},
	}
	for _, tt := range tests {
		got := ""
		for _, f := range tt.of.figures(bare) {
			if f.Missed {
				got += f.Name
			}
		}
		if got != tt.missed {
			t.Errorf("%s: missed %q, want %q", tt.name, got, tt.missed)
		}
	}
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }

func TestEverySectionIsMeasured(t *testing.T) {
	t.Parallel()
	var got []string
	for _, s := range sections() {
		got = append(got, s.name)
	}
	want := []string{"sqlite-isolation", "postgres-isolation", "sqlite-growth", "postgres-growth", "sqlite-idle", "postgres-idle", "sqlite-inbox"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
	for finished, want := range map[int]int{0: 2, 5: 3} {
		b := bench{opts: options{waiting: 10, finished: finished}}
		if got := len(b.sizes()); got != want {
			t.Errorf("%d sizes with %d finished, want %d", got, finished, want)
		}
	}
}

func TestTheHangingEndpointTakesEverythingAndAnswersNothing(t *testing.T) {
	t.Parallel()
	var h hanging
	if err := h.close(); err != nil {
		t.Fatalf("close what was never open: %v", err)
	}
	address, err := h.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(bytes.Repeat([]byte("POST / HTTP/1.1\r\n\r\n"), 1000)); err != nil {
		t.Errorf("write a request: %v", err)
	}
	if err := h.close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if text, err := io.ReadAll(conn); len(text) > 0 {
		t.Errorf("it said %q, %v", text, err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("it still takes connections after close")
	}
}

func TestAPauseEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := pause(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("pause: %v after %s", err, time.Since(began))
		}
	})
}
