package relay

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

// Facts are what routes ask of an event. What it does not have is the zero value.
type Facts struct {
	Type, Domain, Severity, AlertType string
	Score                             int // see HasScore
	HasScore                          bool
	Test                              bool
}

// FactsOf reads an event.
func FactsOf(event receiver.Event[json.RawMessage]) Facts {
	d := vendor.DataOf(event)
	return Facts{
		Type: d.Type, Domain: d.Domain, Severity: d.Severity, AlertType: d.AlertType,
		Score: d.Score, HasScore: d.HasScore, Test: d.Test,
	}
}

// Route names the routes that an event goes by, in the order of the file.
func (c *Config) Route(f Facts) []string {
	f.Domain = plainDomain(f.Domain)
	var names []string
	for i := range c.Routes {
		if c.Routes[i].takes(f) {
			names = append(names, c.Routes[i].Name)
		}
	}
	return names
}

// takes expects the domain in the spelling of plainDomain.
func (r *Route) takes(f Facts) bool {
	return (r.Tests || !f.Test) &&
		slices.ContainsFunc(r.Events, func(pattern string) bool { return matchesType(pattern, f.Type) }) &&
		r.When.hold(f)
}

// hold reports whether every condition that is set holds.
func (c Conditions) hold(f Facts) bool {
	switch {
	case c.Domains != nil && !slices.ContainsFunc(c.Domains, func(pattern string) bool { return matchesDomain(pattern, f.Domain) }):
		return false
	case c.Severities != nil && (f.Severity == "" || !slices.Contains(c.Severities, strings.ToLower(f.Severity))):
		return false
	case c.AlertTypes != nil && (f.AlertType == "" || !slices.Contains(c.AlertTypes, f.AlertType)):
		return false
	case c.ScoreBelow != nil && (!f.HasScore || f.Score >= *c.ScoreBelow):
		return false
	case c.ScoreAtLeast != nil && (!f.HasScore || f.Score < *c.ScoreAtLeast):
		return false
	}
	return true
}

// matchesType is what the sender does with the patterns of an endpoint.
func matchesType(pattern, name string) bool {
	if pattern == "*" {
		return !operational(name)
	}
	if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
		return len(name) > len(prefix) && strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

// operational events are about the sending itself.
func operational(name string) bool {
	return strings.HasPrefix(name, "endpoint.") || strings.HasPrefix(name, "delivery.")
}

// matchesDomain expects both in the spelling of plainDomain; a pattern is not empty.
func matchesDomain(pattern, domain string) bool {
	if suffix, wild := strings.CutPrefix(pattern, "*"); wild { // "" or .example.com
		return len(domain) > len(suffix) && strings.HasSuffix(domain, suffix)
	}
	return pattern == domain
}
