package web

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// alert is one of the four conditions that an endpoint is watched for.
type alert struct {
	Name   string
	Now    string // lately, as the alert closes by it; of one that did not open, over the last day
	Of     string // which attempts Now counts, and over what time; "" of a state
	Closes string // at which share it closes; "" of a state, and of one that did not open
	Bad    bool
	Since  time.Time // of a bad one
}

// alertsOf shows the three that the health watch opens and closes, and the state.
func alertsOf(e endpointRow, stats manage.Stats) []alert {
	day := func(bad int) delivery.Reading {
		return delivery.Reading{Attempts: stats.Attempts, Bad: bad, Span: manage.DefaultWindow}
	}
	all := []alert{
		watched(e, delivery.AlertFailing, day(stats.Failed)),
		watched(e, delivery.AlertSlow, day(stats.Slow)),
		watched(e, delivery.AlertRetries, day(stats.Retries)),
		{Name: "Disabled", Now: "no"},
	}
	if !e.Receives() {
		all[3] = alert{Name: "Disabled", Now: "yes", Bad: true, Since: e.DisabledAt}
	}
	return all
}

// watched shows one kind of alert, by what the day came to while it is not open.
func watched(e endpointRow, kind delivery.AlertKind, day delivery.Reading) alert {
	for _, a := range e.Alerts {
		if a.Kind == kind {
			now := e.Lately[kind]
			return alert{Name: nameOf(kind), Now: share(now), Of: over(kind, now), Closes: percent(float64(a.Threshold) / 200), Bad: true, Since: a.OpenedAt}
		}
	}
	return alert{Name: nameOf(kind), Now: share(day), Of: over(kind, day)}
}

// share writes a reading: so much of so many attempts.
func share(r delivery.Reading) string {
	if r.Attempts == 0 {
		return "no attempts"
	}
	return percent(r.Value()) + " of " + fmt.Sprint(r.Attempts)
}

// over says which attempts a reading counts as bad, and over what time.
func over(kind delivery.AlertKind, r delivery.Reading) string {
	span := "in " + strings.TrimSuffix(short(cmp.Or(r.Span, delivery.WatchRecent)), " 0 min")
	if r.Attempts == 0 {
		return span
	}
	return badOf(kind) + ", " + span
}

func nameOf(kind delivery.AlertKind) string {
	switch kind {
	case delivery.AlertSlow:
		return "Slow answers"
	case delivery.AlertRetries:
		return "Repeated attempts"
	}
	return "Failing attempts"
}

// badOf says what is the matter with attempts that speak for an alert.
func badOf(kind delivery.AlertKind) string {
	switch kind {
	case delivery.AlertSlow:
		return "took longer than " + short(delivery.SlowAfter)
	case delivery.AlertRetries:
		return "were made because one before had failed"
	}
	return "failed"
}

// judging is the rule of the health watch (delivery.Window) in words.
func judging() string {
	var shares []string
	for _, kind := range delivery.AlertKinds() {
		shares = append(shares, fmt.Sprintf("more than %d %% %s", kind.Threshold(), badOf(kind)))
	}
	recent := short(delivery.WatchRecent)
	return fmt.Sprintf("Twice a minute the attempts of the last hour are judged, and after the endpoint was enabled only those since then; tests, retries by hand, failures on this server's side and deliveries of operational events do not count. "+
		"An alert opens when there were %d attempts or more, and of all of these and of those of the last %s alike, with a bad one among the latter, %s. ", delivery.WatchAttempts, recent, strings.Join(shares, ", or ")) +
		fmt.Sprintf("It closes when of the attempts of the last %s at most half of that share is bad, or when the hour has none any more; in both cases, when the %[1]s have fewer than %d attempts, as many minutes before them count, too, as it takes. ", recent, delivery.WatchAttempts) +
		"The number of an alert that is open is the one by which it closes; without an alert it is of all attempts of 24 hours, and can be high while none opens."
}
