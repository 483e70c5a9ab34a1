package manage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/nearest"
)

// maxPatterns bounds what publishing has to match for one endpoint.
const maxPatterns = 100

// names lists the event types that the account knows: built in, then its own.
func (m *Manager) names(ctx context.Context, accountID string) ([]string, error) {
	own, err := m.db.ListTypes(ctx, accountID)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range catalog.Builtin() {
		names = append(names, t.Name)
	}
	for _, t := range own {
		names = append(names, t.Name)
	}
	return names, nil
}

// MatchEvents prepares patterns to select events with. They are checked as those of an endpoint:
// one that selects no type that the account knows is refused.
func (m *Manager) MatchEvents(ctx context.Context, caller auth.Caller, patterns []string) (catalog.Matcher, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (catalog.Matcher, error) {
		names, err := m.names(ctx, caller.AccountID)
		if err != nil {
			return catalog.Matcher{}, err
		}
		var wrong mistakes
		wrong.events(patterns, names)
		return catalog.NewMatcher(patterns), wrong.err()
	})
}

// events checks what an endpoint subscribes to. A pattern that selects no
// type is refused: it is a slip far more often than it is foresight, and it would never be noticed.
func (m *mistakes) events(patterns, names []string) {
	switch {
	case len(patterns) == 0:
		m.add("events", "is empty; name at least one event type, a prefix such as scan.*, or *")
	case len(patterns) > maxPatterns:
		m.add("events", "has %d entries; the most is %d: use prefixes such as scan.*, or *", len(patterns), maxPatterns)
		return
	}
	for i, p := range patterns {
		field := fmt.Sprintf("events[%d]", i)
		if err := catalog.ValidPattern(p); err != nil {
			m.add(field, "%s", malformed(p, err, names))
			continue
		}
		if slices.Contains(patterns[:i], p) {
			m.add(field, "%s is there twice; leave one out", p)
			continue
		}
		if p != "*" && !slices.ContainsFunc(names, func(name string) bool { return catalog.Match(p, name) }) {
			m.add(field, "%s", unknownType(p, names))
		}
	}
}

// malformed adds what is probably meant to what is wrong, unless that says it already.
func malformed(pattern string, err error, names []string) string {
	if near := meant(pattern, names); near != "" && !strings.Contains(err.Error(), "did you mean") {
		return fmt.Sprintf("%s; did you mean %s?", err, near)
	}
	return err.Error()
}

// unknownType says that there is no such type, and which one may be meant.
func unknownType(pattern string, names []string) string {
	if strings.HasSuffix(pattern, ".*") {
		return fmt.Sprintf("no event type begins with %s%s", strings.TrimSuffix(pattern, "*"), suggestion(pattern, names))
	}
	return fmt.Sprintf("there is no event type %s%s", pattern, suggestion(pattern, names))
}

// suggestion says what a wrong pattern probably means, or where to look.
func suggestion(pattern string, names []string) string {
	if near := meant(pattern, names); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return "; GET /v1/event-types lists them all"
}

// meant gives what a wrong pattern probably means, or "".
func meant(pattern string, names []string) string {
	if strings.HasSuffix(pattern, "*") {
		return nearest.Name(pattern, prefixes(names))
	}
	return nearest.Name(pattern, names)
}

// prefixes gives the first words of names as patterns.
func prefixes(names []string) []string {
	var patterns []string
	for _, name := range names {
		first, _, _ := strings.Cut(name, ".")
		if p := first + ".*"; !slices.Contains(patterns, p) {
			patterns = append(patterns, p)
		}
	}
	return patterns
}
