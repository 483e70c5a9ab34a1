package manage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// checkSettings checks every setting of in that is not nil and puts its URL into
// the form to store. An error that is no *Invalid is the store's.
func (m *Manager) checkSettings(ctx context.Context, accountID string, in *UpdateEndpoint) error {
	var wrong mistakes
	if in.URL != nil {
		url := m.target(&wrong, *in.URL)
		in.URL = &url
	}
	if in.Events != nil {
		names, err := m.names(ctx, accountID)
		if err != nil {
			return err
		}
		wrong.events(*in.Events, names)
	}
	if in.Description != nil {
		wrong.text("description", *in.Description, 0, maxText)
	}
	if in.Headers != nil {
		wrong.headers(*in.Headers)
	}
	if in.RateLimit != nil {
		wrong.between("rate_limit", *in.RateLimit, 0, delivery.MaxRateLimit, "0 means no limit")
	}
	if in.Concurrency != nil {
		wrong.between("concurrency", *in.Concurrency, 0, delivery.MaxConcurrency, "0 means the server's setting")
	}
	return wrong.err()
}

// target gives a URL in the form to store, or notes why an endpoint may not have it.
func (m *Manager) target(wrong *mistakes, url string) string {
	target, err := m.targets.ParseTarget(url)
	if err != nil {
		wrong.add("url", "%s", err)
		return ""
	}
	return target.String()
}

// CheckURL says what is wrong with a URL before it is made an endpoint's. It asks no name server: where a
// name leads is checked for every connection.
func (m *Manager) CheckURL(ctx context.Context, caller auth.Caller, url string) (string, error) {
	return look(ctx, caller, auth.Manage, func(context.Context) (string, error) {
		var wrong mistakes
		url := m.target(&wrong, url)
		return url, wrong.err()
	})
}

// between checks that a number is within its bounds, both included.
func (m *mistakes) between(name string, value, least, most int, note string) {
	if value < least || value > most {
		m.add(name, "must be between %d and %d; %s", least, most, note)
	}
}

// apply writes the settings that are not nil to e and says what changes, for the audit.
func (in UpdateEndpoint) apply(e *delivery.Endpoint) string {
	var changes []string
	note := func(format string, args ...any) { changes = append(changes, fmt.Sprintf(format, args...)) }
	if in.URL != nil && *in.URL != e.URL {
		note("url %s", hostChange(e.URL, *in.URL))
		e.URL = *in.URL
	}
	if in.Events != nil && !slices.Equal(*in.Events, e.Events) {
		note("events %s → %s", strings.Join(e.Events, ","), strings.Join(*in.Events, ","))
		e.Events = *in.Events
	}
	if in.Description != nil && *in.Description != e.Description {
		note("description %q → %q", e.Description, *in.Description)
		e.Description = *in.Description
	}
	if in.Headers != nil && !slices.Equal(*in.Headers, e.Headers) {
		note("headers %s → %s", headerNames(e.Headers), headerNames(*in.Headers))
		e.Headers = *in.Headers
	}
	if in.RateLimit != nil && *in.RateLimit != e.RateLimit {
		note("rate_limit %d → %d", e.RateLimit, *in.RateLimit)
		e.RateLimit = *in.RateLimit
	}
	if in.Concurrency != nil && *in.Concurrency != e.Concurrency {
		note("concurrency %d → %d", e.Concurrency, *in.Concurrency)
		e.Concurrency = *in.Concurrency
	}
	return strings.Join(changes, "; ")
}

// hostChange says how a URL changes without showing its path and query.
func hostChange(before, after string) string {
	from, to := hostOf(before), hostOf(after)
	if from == to {
		return from + ": path or query changed"
	}
	return from + " → " + to
}

// headerNames lists names only: the values may be passwords.
func headerNames(headers []delivery.Header) string {
	names := make([]string, len(headers))
	for i, h := range headers {
		names[i] = h.Name
	}
	return "[" + strings.Join(names, ",") + "]"
}
