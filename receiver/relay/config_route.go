package relay

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/compliancelayer/compliancelayer/internal/nearest"
	"github.com/compliancelayer/compliancelayer/receiver"
)

// kinds are the keys of a route's end.
var kinds = []string{"slack", "pagerduty", "jira", "datadog", "webhook", "file", "command"}

// eventTypes are the built-in types; alert.resolved is not one of the sender's, but
// PagerDuty's end of an incident listens to it.
var eventTypes = []string{
	"scan.completed", "alert.triggered", "score.changed", "domain.added", "domain.removed",
	"endpoint.disabled", "endpoint.warning", "endpoint.alert", "delivery.failed", "alert.resolved",
}

var (
	firstWords = []string{"scan", "alert", "score", "domain", "endpoint", "delivery"} // of eventTypes
	severities = []string{"critical", "high", "medium", "low", "info"}
	alertTypes = []string{"score_drop", "critical_issue", "cert_expired", "cert_expiring_soon", "config_change"}
)

// routeName is the form of a route's name: it is a label of metrics and a word of
// command lines.
var routeName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

// routes reads all of them and names those without a name.
func (r *reader) routes(v *value) []Route {
	var routes []Route
	items := r.list(v)
	named := map[string]int{} // the line of each name
	for _, item := range items {
		route, name := r.route(r.object(item))
		if name != nil && route.Name != "" {
			if first := named[route.Name]; first > 0 {
				r.wrong(name, "the name %s is there twice; first in line %d", route.Name, first)
			} else {
				named[route.Name] = name.node.Line
			}
		}
		routes = append(routes, route)
	}
	last := map[string]int{} // the last number of each kind
	for i := range routes {
		if routes[i].Name != "" || routes[i].at.Key == "" { // one that leads nowhere was told
			continue
		}
		kind := routes[i].at.Key[strings.LastIndexByte(routes[i].at.Key, '.')+1:]
		name := freeName(kind, last, named)
		if name != kind {
			r.warn(items[i].node.Line, under(items[i].path, "name"), "it is missing, so the route is %s by its place; give it a name, because what waits for a route belongs to the name", name)
		}
		routes[i].Name = name
	}
	return routes
}

// freeName is that of the kind, with a number from the second on.
func freeName(kind string, last, named map[string]int) string {
	for {
		last[kind]++
		name := kind
		if n := last[kind]; n > 1 {
			name = fmt.Sprintf("%s-%d", kind, n)
		}
		if named[name] == 0 {
			return name
		}
	}
}

// route reads one. Name is where its name is, nil if it has none.
func (r *reader) route(o *object) (route Route, name *value) {
	if name = o.take("name"); name != nil {
		route.Name = r.line(name)
		if route.Name != "" && !routeName.MatchString(route.Name) {
			r.wrong(name, "%s is not a name; write up to 63 of a-z, 0-9, _, . and -, such as slack-security", quoted(route.Name))
			route.Name = ""
		}
	}
	route.Events = o.texts("events", r.pattern)
	if v := o.take("when"); v != nil {
		told, inner := len(r.found), r.object(v)
		if route.When = r.conditions(inner); o.belongs("when", inner) {
			r.found = r.found[:told]
		}
	}
	tests := o.take("tests")
	route.Attempts = o.number("attempts", receiver.DefaultAttempts, 1, mostAttempts)
	route.Backoff = o.span("backoff", receiver.DefaultBackoff, time.Millisecond, mostBackoff)
	route.Timeout = o.span("timeout", DefaultTimeout, time.Millisecond, mostTimeout)
	r.end(o, &route)
	// Tests would wake somebody at night, or leave issues behind.
	route.Tests = route.PagerDuty == nil && route.Jira == nil
	if tests != nil {
		route.Tests = r.yes(tests)
	}
	if route.Events == nil {
		route.Events = defaultEvents(&route)
	}
	o.end()
	return route, name
}

func defaultEvents(route *Route) []string {
	if route.Datadog != nil { // as package datadog does by itself
		return []string{"alert.triggered", "scan.completed"}
	}
	return []string{"*"}
}

// end reads the one end of a route.
func (r *reader) end(o *object, route *Route) {
	for _, kind := range kinds {
		o.take(kind)
	}
	first := ""
	for _, key := range o.keys { // in the order of the file
		v := o.values[key.Value]
		switch {
		case !slices.Contains(kinds, key.Value):
		case first != "":
			r.wrong(v, "the route has %s already; make this a route of its own", first)
		default:
			first = key.Value
			route.at = *r.at(v.node.Line, v.path, "")
			told, inner := len(r.found), r.object(v)
			if r.endOf(first, inner, route); o.belongs(first, inner) {
				r.found = r.found[:told]
			}
		}
	}
	if first == "" && !o.broken && !slices.ContainsFunc(kinds, o.misspelt) {
		r.add(o.line, o.path, "the route leads nowhere; add one of %s", strings.Join(kinds, ", "))
	}
}

// pattern is a pattern of event types.
func (r *reader) pattern(v *value) string {
	text := r.line(v)
	prefix, wild := strings.CutSuffix(text, ".*")
	switch {
	case text == "" || text == "*":
		return text
	case strings.Contains(prefix, "*"):
		r.wrong(v, `%s: * may stand only alone or as the last word, such as "scan.*"`, quoted(text))
		return ""
	case !typeWords.MatchString(prefix) || !wild && !strings.Contains(prefix, "."):
		hint := `; write a type such as scan.completed, or a pattern such as "scan.*" or "*"`
		if slices.Contains(firstWords, prefix) {
			hint = "; did you mean " + prefix + ".*?"
		} else if near := nearest.Name(prefix, eventTypes); near != "" {
			hint = "; did you mean " + near + "?"
		}
		r.wrong(v, "%s is not a type of events%s", quoted(text), hint)
		return ""
	}
	r.judgeType(v, prefix, wild)
	return text
}

// typeWords is the form of types and of their beginnings: words with dots between.
var typeWords = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+){0,7}$`)

// judgeType tells a misspelt type from one that only somebody here knows.
func (r *reader) judgeType(v *value, name string, wild bool) {
	known := eventTypes
	if wild {
		known = firstWords
	}
	if slices.Contains(known, name) {
		return
	}
	if near := misspelling(name, known); near != "" {
		if wild {
			near += ".*"
		}
		r.wrong(v, "%s is not a type of events; did you mean %s?", quoted(v.node.Value), near)
		return
	}
	if !wild {
		r.warn(v.node.Line, v.path, "%s is not a built-in type of events; that is right if it is one of your own", quoted(name))
	}
}

// misspelling finds the known name whose words are all spelt nearly like those of name.
// To compare names as a whole would take scan.deleted for scan.completed.
func misspelling(name string, known []string) string {
	words := strings.Split(name, ".")
	for _, candidate := range known {
		parts := strings.Split(candidate, ".")
		if len(parts) == len(words) && !slices.ContainsFunc(words, func(word string) bool {
			part := parts[0]
			parts = parts[1:]
			return nearest.Name(word, []string{part}) == ""
		}) {
			return candidate
		}
	}
	return ""
}

// alertType is the type of an alert; a sender may know more than are known here.
func (r *reader) alertType(v *value) string {
	text := r.line(v)
	if text == "" || slices.Contains(alertTypes, text) {
		return text
	}
	if near := nearest.Name(text, alertTypes); near != "" {
		r.wrong(v, "%s is not a type of alerts; did you mean %s?", quoted(text), near)
		return ""
	}
	r.warn(v.node.Line, v.path, "%s is not a known type of alerts; there are %s", quoted(text), strings.Join(alertTypes, ", "))
	return text
}

// severity is that of an alert.
func (r *reader) severity(v *value) string { return r.choice(v, severities) }

// conditions reads when.
func (r *reader) conditions(o *object) Conditions {
	c := Conditions{
		Domains:    o.texts("domains", r.domain),
		Severities: o.texts("severity", r.severity),
		AlertTypes: o.texts("alert_types", r.alertType),
	}
	below, least := o.take("score_below"), o.take("score_at_least")
	before := len(r.found)
	if below != nil {
		n := r.number(below, 1, 100) // nothing is below 0
		c.ScoreBelow = &n
	}
	if least != nil {
		n := r.number(least, 0, 100)
		c.ScoreAtLeast = &n
	}
	if below != nil && least != nil && len(r.found) == before && *c.ScoreAtLeast >= *c.ScoreBelow {
		r.wrong(below, "no score is below %d and at least %d", *c.ScoreBelow, *c.ScoreAtLeast)
	}
	if len(o.keys) == 0 && !o.broken {
		r.add(o.line, o.path, "there is no condition; leave the key out")
	}
	o.end()
	return c
}

// domain is a pattern of domains.
func (r *reader) domain(v *value) string {
	text := r.line(v)
	rest := strings.TrimPrefix(text, "*.")
	switch {
	case text == "" || text == "*":
		return text
	case strings.ContainsAny(text, "/:@"):
		r.wrong(v, "%s is more than a domain; write it alone, such as example.com", quoted(text))
		return ""
	case strings.Contains(rest, "*"):
		r.wrong(v, `%s: * may stand only alone or as the first word, such as "*.example.com"`, quoted(text))
		return ""
	}
	plain := plainDomain(rest)
	if len(plain) > 253 || !domainName.MatchString(plain) {
		r.wrong(v, "%s is not a domain such as example.com", quoted(text))
		return ""
	}
	return text[:len(text)-len(rest)] + plain
}

var domainName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$`)

// plainDomain is the one spelling by which domains are compared.
func plainDomain(text string) string {
	text = strings.TrimSuffix(text, ".")
	if ascii, err := idna.Lookup.ToASCII(text); err == nil {
		return ascii
	}
	return strings.ToLower(text) // such as with a word that begins with _
}
