package relay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// The values that the tests of the rules take all combinations of.
var (
	someTypes      = []string{"scan.completed", "scan.completed.again", "alert.triggered", "order.paid", "endpoint.disabled", "delivery.failed"}
	someDomains    = []string{"", ".example.com", "example.com", "EXAMPLE.com.", "www.example.com", "a.b.example.com", "badexample.com", "example.org"}
	someSeverities = []string{"", "critical", "Critical", "low"}
	someAlertTypes = []string{"", "score_drop", "cert_expired"}
	someScores     = []int{-1, 0, 69, 70, 71, 100} // -1: none
)

// allFacts calls f with every combination.
func allFacts(f func(Facts)) {
	for _, name := range someTypes {
		for _, domain := range someDomains {
			for _, severity := range someSeverities {
				for _, alert := range someAlertTypes {
					for _, score := range someScores {
						for _, test := range []bool{false, true} {
							f(Facts{Type: name, Domain: domain, Severity: severity, AlertType: alert, Score: max(score, 0), HasScore: score >= 0, Test: test})
						}
					}
				}
			}
		}
	}
}

// condition is one that a route may have, as the file says it, and which events it takes,
// written out by hand.
type condition struct {
	yaml  string
	takes func(Facts) bool
}

// conditions are by key; the first of each is the one that says nothing.
var conditions = map[string][]condition{
	"events": {
		{"", func(f Facts) bool { return f.Type != "endpoint.disabled" && f.Type != "delivery.failed" }},
		{`["*"]`, func(f Facts) bool { return f.Type != "endpoint.disabled" && f.Type != "delivery.failed" }},
		{`["scan.*"]`, func(f Facts) bool { return f.Type == "scan.completed" || f.Type == "scan.completed.again" }},
		{`[scan.completed, "endpoint.*"]`, func(f Facts) bool { return f.Type == "scan.completed" || f.Type == "endpoint.disabled" }},
	},
	"domains": {
		{"", func(Facts) bool { return true }},
		{`["*"]`, func(f Facts) bool { return f.Domain != "" }},
		{`[Example.com]`, func(f Facts) bool { return f.Domain == "example.com" || f.Domain == "EXAMPLE.com." }},
		{`["*.example.com"]`, func(f Facts) bool { return f.Domain == "www.example.com" || f.Domain == "a.b.example.com" }},
		{`["*.EXAMPLE.com", example.org]`, func(f Facts) bool {
			return f.Domain == "www.example.com" || f.Domain == "a.b.example.com" || f.Domain == "example.org"
		}},
	},
	"severity": {
		{"", func(Facts) bool { return true }},
		{`[critical]`, func(f Facts) bool { return f.Severity == "critical" || f.Severity == "Critical" }},
		{`[low, high]`, func(f Facts) bool { return f.Severity == "low" }},
	},
	"alert_types": {
		{"", func(Facts) bool { return true }},
		{`[score_drop]`, func(f Facts) bool { return f.AlertType == "score_drop" }},
	},
	"score_below": {
		{"", func(Facts) bool { return true }},
		{`70`, func(f Facts) bool { return f.HasScore && f.Score < 70 }},
		{`1`, func(f Facts) bool { return f.HasScore && f.Score == 0 }},
	},
	"score_at_least": {
		{"", func(Facts) bool { return true }},
		{`0`, func(f Facts) bool { return f.HasScore }},
	},
	"tests": {
		{"", func(Facts) bool { return true }},
		{`false`, func(f Facts) bool { return !f.Test }},
	},
}

var conditionKeys = []string{"events", "tests", "domains", "severity", "alert_types", "score_below", "score_at_least"}

// chosen are the conditions of one route, by the places of conditionKeys.
type chosen [7]int

// file writes a route.
func (c chosen) file() string {
	var outer, when strings.Builder
	for i, key := range conditionKeys {
		value := conditions[key][c[i]].yaml
		switch {
		case value == "":
		case key == "events" || key == "tests":
			fmt.Fprintf(&outer, "    %s: %s\n", key, value)
		default:
			fmt.Fprintf(&when, "      %s: %s\n", key, value)
		}
	}
	text := "  - file: {path: x}\n" + outer.String()
	if when.Len() > 0 {
		text += "    when:\n" + when.String()
	}
	return text
}

// each calls f with every choice of conditions.
func each(f func(chosen)) {
	var c chosen
	for {
		f(c)
		i := 0
		for ; i < len(c); i++ {
			if c[i]++; c[i] < len(conditions[conditionKeys[i]]) {
				break
			}
			c[i] = 0
		}
		if i == len(c) {
			return
		}
	}
}

// TestEveryRouteTakesWhatItSays holds every combination of conditions, as read from a
// file, against what each condition takes by itself, for every combination of facts; and
// that a condition more never makes a route take more.
func TestEveryRouteTakesWhatItSays(t *testing.T) {
	t.Parallel()
	var facts []Facts
	allFacts(func(f Facts) { facts = append(facts, f) })
	takes := map[chosen][]bool{}
	asked := 0
	each(func(c chosen) {
		config := parseGood(t, "secrets: {env: SECRET}\nroutes:\n"+c.file())
		result := make([]bool, len(facts))
		for i, f := range facts {
			result[i] = len(config.Route(f)) == 1
			want := true
			for k, key := range conditionKeys {
				want = want && conditions[key][c[k]].takes(f)
			}
			if asked++; result[i] != want {
				t.Fatalf("the route takes %+v: %t, want %t\n%s", f, result[i], want, c.file())
			}
		}
		takes[c] = result
	})
	for c, result := range takes {
		for k, key := range conditionKeys {
			if key == "events" || c[k] == 0 {
				continue // types are chosen, not narrowed
			}
			less := c
			less[k] = 0
			for i, took := range result {
				if took && !takes[less][i] {
					t.Fatalf("the condition %s makes the route take %+v\n%s", key, facts[i], c.file())
				}
			}
		}
	}
	if asked < 1_000_000 {
		t.Errorf("%d questions were asked, want all", asked)
	}
}

func TestRouteNamesAllInOrder(t *testing.T) {
	t.Parallel()
	config := parseGood(t, `secrets: {env: SECRET}
routes:
  - {name: z, file: {path: z}}
  - {name: a, file: {path: a}, events: [alert.triggered]}
  - {name: m, file: {path: m}, events: ["scan.*"]}
`)
	tests := []struct {
		name string
		want []string
	}{
		{"scan.completed", []string{"z", "m"}},
		{"alert.triggered", []string{"z", "a"}},
		{"endpoint.disabled", nil},
	}
	for _, tt := range tests {
		if got := config.Route(Facts{Type: tt.name}); !slices.Equal(got, tt.want) {
			t.Errorf("Route(%s) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestInternationalDomains(t *testing.T) {
	t.Parallel()
	config := parseGood(t, "secrets: {env: SECRET}\nroutes:\n  - file: {path: x}\n    when: {domains: [\"*.Bücher.example\", _dmarc.example.com]}\n")
	for domain, want := range map[string]bool{
		"www.bücher.example": true, "WWW.BÜCHER.example": true, "www.xn--bcher-kva.example": true, "bücher.example": false, "www.bucher.example": false,
		"_DMARC.example.com": true,
	} {
		if got := len(config.Route(Facts{Type: "scan.completed", Domain: domain})) == 1; got != want {
			t.Errorf("the route takes %s: %t, want %t", domain, got, want)
		}
	}
}

func TestFactsOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, data string
		want       Facts
	}{
		{"an alert", `{"domain":"example.com","severity":"high","alert_type":"score_drop","score":0}`, Facts{Domain: "example.com", Severity: "high", AlertType: "score_drop", HasScore: true}},
		{"a score with a fraction of nothing", `{"score":85.0}`, Facts{Score: 85, HasScore: true}},
		{"no score", `{"score":null,"domain":"example.com"}`, Facts{Domain: "example.com"}},
		{"a score that is a text", `{"score":"85"}`, Facts{}},
		{"facts of other kinds", `{"domain":["a"],"severity":{},"alert_type":null}`, Facts{}},
		{"no object", `[1]`, Facts{}},
		{"nothing", ``, Facts{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.want.Type, tt.want.Test = "x.y", true
			if got := FactsOf(receiver.Event[json.RawMessage]{Type: "x.y", Test: true, Raw: json.RawMessage(tt.data)}); got != tt.want {
				t.Errorf("FactsOf(%s) = %+v, want %+v", tt.data, got, tt.want)
			}
		})
	}
}
