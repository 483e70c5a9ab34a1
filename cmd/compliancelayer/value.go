package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// span is a length of time; besides Go's units it takes days: 30d, 1d12h.
type span time.Duration

// UnmarshalText reads a span.
func (s *span) UnmarshalText(text []byte) error {
	d, err := parseSpan(string(text))
	if err != nil {
		return err
	}
	*s = span(d)
	return nil
}

func parseSpan(text string) (time.Duration, error) {
	if strings.HasPrefix(text, "-") {
		return 0, fmt.Errorf("%q must not be negative", text)
	}
	wrong := fmt.Errorf("%q is not a duration; write for example 30s, 15m, 24h or 7d", text)
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		days, rest = "0", text
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || n > 36500 { // a century; more overflows sooner or later
		return 0, wrong
	}
	total := time.Duration(n) * 24 * time.Hour
	if hasDays && rest == "" {
		return total, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || total+d < total { // a sign after the days, or more than a Duration holds
		return 0, wrong
	}
	return total + d, nil
}

// moment is a point in time: RFC 3339, a date, "now", or a span that lies back.
type moment struct{ at time.Time }

// UnmarshalText reads a moment.
func (m *moment) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "now" {
		m.at = time.Now()
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			m.at = t
			return nil
		}
	}
	d, err := parseSpan(s)
	if err != nil {
		return fmt.Errorf("%q is not a time; write for example 2026-03-08T12:00:00Z, 2026-03-08, now, or 2h for two hours ago", s)
	}
	m.at = time.Now().Add(-d)
	return nil
}

// wire is the moment as the API writes it; the zero moment stays out of queries.
func (m moment) wire() client.Time { return client.At(m.at) }

// optional is the moment for fields that may be left out.
func (m moment) optional() *client.Time { return client.AtOrNil(m.at) }

// period is a span of time to look at.
type period struct {
	From moment `help:"Only what was made at this time or later; 2h = two hours ago."`
	To   moment `help:"Only what was made before this time."`
}

// schedule is a retry schedule, such as 0s,1m,5m.
type schedule struct{ steps delivery.Schedule }

// UnmarshalText reads a schedule.
func (s *schedule) UnmarshalText(text []byte) error {
	s.steps = nil
	for i, part := range strings.Split(string(text), ",") {
		d, err := parseSpan(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("retry schedule: step %d: %w", i+1, err)
		}
		s.steps = append(s.steps, d)
	}
	return s.steps.Validate()
}
