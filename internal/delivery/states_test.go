package delivery_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// none is how the drawings write "no row yet" and "no row any more".
const none = "[*]"

// record is the verb whose edges follow from the rules; the tables below list
// those of the other verbs.
const record = "Record"

// edge is a change of state and the method of store.Store that makes it.
type edge struct{ from, to, verb string }

func (e edge) String() string { return fmt.Sprintf("%s --> %s by %s", e.from, e.to, e.verb) }

// verbs are the methods that make a change of state.
type verbs struct {
	from, to string
	names    []string
}

// What the store does to deliveries beside recording outcomes. The cases of storetest
// that hold it to this are in its files claim, lease, settle, retry, job and
// retention.
var deliveryVerbs = []verbs{
	{none, "pending", []string{"Publish"}},
	{none, "sending", []string{"Publish"}},
	{none, "held", []string{"Publish"}},
	{"pending", "sending", []string{"Claim"}},
	{"pending", "retrying", []string{"Retry"}},
	{"pending", "held", []string{"SetState", "Record", "Claim"}}, // Record: of others, when an outcome disables the endpoint
	{"pending", "discarded", []string{"Discard", "AdvanceJob", "DeleteEndpoint", "DeleteAccount", "Claim"}},
	{"sending", "sending", []string{"Claim"}}, // a lease that is over
	{"sending", "pending", []string{"Return"}},
	{"sending", "retrying", []string{"Return", "Claim"}},
	{"sending", "held", []string{"Claim"}},
	{"sending", "discarded", []string{"Claim"}},
	{"retrying", "sending", []string{"Claim"}},
	{"retrying", "retrying", []string{"Retry"}},
	{"retrying", "held", []string{"SetState", "Record", "Claim"}},
	{"retrying", "discarded", []string{"Discard", "AdvanceJob", "DeleteEndpoint", "DeleteAccount", "Claim"}},
	{"held", "pending", []string{"AdvanceJob"}},
	{"held", "retrying", []string{"AdvanceJob", "Retry"}},
	{"held", "discarded", []string{"Discard", "AdvanceJob", "DeleteEndpoint", "DeleteAccount", "Claim"}},
	{"failed", "retrying", []string{"Retry", "AdvanceJob"}},
	{"failed", "discarded", []string{"Discard", "AdvanceJob"}},
	{"failed", none, []string{"DeleteOld"}},
	{"delivered", "retrying", []string{"Retry", "AdvanceJob"}},
	{"delivered", none, []string{"DeleteOld"}},
	{"discarded", "retrying", []string{"Retry", "AdvanceJob"}},
	{"discarded", none, []string{"DeleteOld"}},
}

var endpointVerbs = []verbs{
	{none, "enabled", []string{"CreateEndpoint"}},
	{none, "disabled", []string{"CreateEndpoint"}},
	{"enabled", "disabled", []string{"SetState"}},
	{"disabled", "enabled", []string{"SetState"}},
	{"enabled", "deleted", []string{"DeleteEndpoint", "DeleteAccount"}},
	{"disabled", "deleted", []string{"DeleteEndpoint", "DeleteAccount"}},
	{"deleted", none, []string{"DeleteOld"}},
}

var alertVerbs = []verbs{
	{none, "open", []string{"OpenAlert"}},
	{"open", "closed", []string{"CloseAlert", "DeleteEndpoint", "DeleteAccount"}},
	{"closed", none, []string{"DeleteOld"}},
}

var laneVerbs = []verbs{{none, "open", []string{"CreateEndpoint", "SetState"}}}

func edgesOf(list []verbs) []edge {
	var all []edge
	for _, v := range list {
		for _, name := range v.names {
			all = append(all, edge{v.from, v.to, name})
		}
	}
	return all
}

func TestTheDrawingsShowWhatTheCodeDoes(t *testing.T) {
	t.Parallel()
	page := readStates(t)
	tests := []struct {
		heading string
		want    []edge
	}{
		{"A delivery", append(edgesOf(deliveryVerbs), recordedStatuses()...)},
		{"An endpoint", append(edgesOf(endpointVerbs), recordedStates()...)},
		{"An alert", edgesOf(alertVerbs)},
		{"The lane of an enabled endpoint", append(edgesOf(laneVerbs), recordedLanes()...)},
	}
	for _, tt := range tests {
		section, ok := page[tt.heading]
		if !ok {
			t.Errorf("docs/states.md has no section %q", tt.heading)
			continue
		}
		if diff := cmp.Diff(sorted(tt.want), sorted(section.drawn)); diff != "" {
			t.Errorf("%s: the drawing differs (-code +drawing):\n%s", tt.heading, diff)
		}
		if diff := cmp.Diff(sorted(section.drawn), sorted(section.listed)); diff != "" {
			t.Errorf("%s: the table differs (-drawing +table):\n%s", tt.heading, diff)
		}
	}
}

func TestEveryVerbIsAMethodOfTheStore(t *testing.T) {
	t.Parallel()
	contract := reflect.TypeFor[store.Store]()
	for _, e := range edgesOf(slices.Concat(deliveryVerbs, endpointVerbs, alertVerbs, laneVerbs)) {
		if _, ok := contract.MethodByName(e.verb); !ok {
			t.Errorf("%s: store.Store has no method %s", e, e.verb)
		}
	}
}

func TestEveryStatusIsDrawn(t *testing.T) {
	t.Parallel()
	drawn := map[string]bool{}
	for _, e := range readStates(t)["A delivery"].drawn {
		drawn[e.to] = true
	}
	for _, status := range delivery.Statuses() {
		if !drawn[string(status)] {
			t.Errorf("nothing in the drawing leads to %s", status)
		}
	}
}

// outcomes calls see with every change that the rules can answer: every class ×
// status code that matters × cycle × place in the schedule × setting.
func outcomes(see func(delivery.Policy, delivery.Change, delivery.Outcome)) {
	for _, onGone := range []bool{false, true} {
		p := delivery.DefaultPolicy()
		p.DisableOnGone = onGone
		for _, class := range delivery.Classes() {
			for _, code := range []int{0, 200, 302, 410, 429, 500, 503} {
				for _, cycle := range []delivery.Cycle{delivery.Automatic, delivery.Manual, delivery.Test} {
					for used := range len(p.Schedule) {
						o := outcome(class, code)
						see(p, delivery.Decide(p, delivery.Lease{Attempt: used + 1, Used: used, Cycle: cycle}, o, 0), o)
					}
				}
			}
		}
	}
}

// recordedStatuses gives what a delivery that is being sent can become by the
// rules, whatever the state of its endpoint is.
func recordedStatuses() []edge {
	var all []edge
	outcomes(func(_ delivery.Policy, c delivery.Change, _ delivery.Outcome) {
		for _, state := range []delivery.State{delivery.Enabled, delivery.Disabled, delivery.Deleted} {
			all = append(all, edge{string(delivery.Sending), string(c.For(state).Status), record})
		}
	})
	return all
}

// healths calls see with every health that an outcome can meet, and what the outcome makes of it.
func healths(see func(before, after delivery.Health, notice delivery.Notice)) {
	outcomes(func(p delivery.Policy, c delivery.Change, o delivery.Outcome) {
		for failures := range p.DisableAfter {
			for streak := failures; streak < p.DisableAfter+delivery.NarrowAfter; streak++ {
				before := delivery.Health{Failures: failures, Streak: streak}
				after, notice := before.After(p, c, o)
				see(before, after, notice)
			}
		}
	})
}

// recordedStates gives the changes of an enabled endpoint's state that outcomes cause.
func recordedStates() []edge {
	var all []edge
	healths(func(_, _ delivery.Health, notice delivery.Notice) {
		if notice == delivery.DisabledIt {
			all = append(all, edge{string(delivery.Enabled), string(delivery.Disabled), record})
		}
	})
	return all
}

// recordedLanes gives the changes of a lane's width that outcomes cause.
func recordedLanes() []edge {
	width := func(h delivery.Health) string {
		if h.Narrow() {
			return "narrow"
		}
		return "open"
	}
	var all []edge
	healths(func(before, after delivery.Health, _ delivery.Notice) {
		if from, to := width(before), width(after); from != to {
			all = append(all, edge{from, to, record})
		}
	})
	return all
}

// sorted gives each edge once, as a line of text.
func sorted(edges []edge) []string {
	lines := make([]string, len(edges))
	for i, e := range edges {
		lines[i] = e.String()
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// section is what docs/states.md says under one heading.
type section struct {
	drawn  []edge // the edges of its drawing
	listed []edge // the rows of its table
}

var drawnEdge = regexp.MustCompile(`^ {4}(\S+) --> (\S+): (.+)$`)

// readStates reads docs/states.md by its headings.
func readStates(t *testing.T) map[string]*section {
	t.Helper()
	text, err := os.ReadFile("../../docs/states.md")
	if err != nil {
		t.Fatal(err)
	}
	page := map[string]*section{}
	current := &section{} // before the first heading
	drawing := false
	for n, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			drawing = line == "```mermaid"
		case drawing && line != "stateDiagram-v2":
			m := drawnEdge.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("docs/states.md:%d: %q is no edge", n+1, line)
			}
			current.drawn = append(current.drawn, split(m[1], m[2], m[3])...)
		case strings.HasPrefix(line, "## "):
			current = &section{}
			page[strings.TrimPrefix(line, "## ")] = current
		case strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| from ") && !strings.HasPrefix(line, "| --"):
			cells := strings.Split(strings.Trim(line, "| "), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i]) // columns are padded
			}
			if len(cells) != 4 || cells[3] == "" {
				t.Fatalf("docs/states.md:%d: a row needs four cells, the last of them a cause", n+1)
			}
			current.listed = append(current.listed, split(cells[0], cells[1], cells[2])...)
		}
	}
	return page
}

// split gives an edge for each of the verbs that a drawing or a table names.
func split(from, to, names string) []edge {
	return edgesOf([]verbs{{from, to, strings.Split(names, ", ")}})
}
