package catalog

import (
	"errors"
	"fmt"
	"strings"
)

// ValidPattern returns nil if an endpoint may subscribe with p: an exact type name, a prefix such as "scan.*" that
// stands for every type with one or more further words, or "*" for all but the operational types (contract section 4).
// It does not ask whether a type of that name exists. The error is a sentence for the person who wrote the pattern.
func ValidPattern(p string) error {
	if p == "*" {
		return nil
	}
	if p == "" {
		return errors.New("the pattern is empty: name an event type, or use a prefix such as scan.*, or *")
	}
	prefix, wild := strings.CutSuffix(p, ".*")
	if strings.Contains(prefix, "*") {
		return fmt.Errorf("%q: * may stand only alone or as the last word, such as scan.*", p)
	}
	if !wild {
		return checkExact(p)
	}
	if prefix == "" {
		return fmt.Errorf("%q has no word before the dot: write scan.* or *", p)
	}
	if err := checkWords(prefix); err != nil {
		return err
	}
	if segments := strings.Count(prefix, ".") + 1; segments >= maxNameSegments {
		return fmt.Errorf("%q can match nothing: a type name has at most %d words", p, maxNameSegments)
	}
	return nil
}

// checkExact is checkNameForm with the advice that a lone word was probably meant as a prefix.
func checkExact(p string) error {
	if err := checkWords(p); err != nil {
		return err
	}
	if !strings.Contains(p, ".") {
		return fmt.Errorf("%q is not an event type: did you mean %s.*?", p, p)
	}
	return checkNameForm(p)
}

// Match reports whether a valid pattern selects the event type of that name.
func Match(pattern, name string) bool {
	if pattern == "*" {
		return !IsOperational(name)
	}
	if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
		return len(name) > len(prefix) && strings.HasSuffix(prefix, ".") && strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

// MatchAny reports whether one of the patterns selects t. For many events and the same patterns, make a [Matcher].
func MatchAny(patterns []string, t Type) bool {
	for _, p := range patterns {
		if Match(p, t.Name) {
			return true
		}
	}
	return false
}

// Matcher is a set of patterns prepared for many questions. The zero Matcher selects nothing. It may be used by many
// goroutines at once.
type Matcher struct {
	all      bool
	exact    map[string]struct{}
	prefixes []string
}

// NewMatcher prepares patterns that [ValidPattern] accepted. It gives the answers of [MatchAny].
func NewMatcher(patterns []string) Matcher {
	m := Matcher{exact: make(map[string]struct{})}
	for _, p := range patterns {
		prefix, wild := strings.CutSuffix(p, "*")
		switch {
		case p == "*":
			m.all = true
		case wild && strings.HasSuffix(prefix, "."):
			m.prefixes = append(m.prefixes, prefix)
		case !wild:
			m.exact[p] = struct{}{}
		}
	}
	return m
}

// Match reports whether one of the patterns selects the event type of that name.
func (m Matcher) Match(name string) bool {
	if m.all && !IsOperational(name) {
		return true
	}
	if _, ok := m.exact[name]; ok {
		return true
	}
	for _, prefix := range m.prefixes {
		if len(name) > len(prefix) && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
