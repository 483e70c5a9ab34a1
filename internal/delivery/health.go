package delivery

import "time"

// Health is the memory that an endpoint has of its attempts.
type Health struct {
	Failures     int       // consecutive failed attempts that count toward disabling
	Streak       int       // consecutive failed attempts that narrow the lane, manual ones included
	CountedUntil time.Time // end of the last failure counted; an attempt that started before it overlaps it
	NextAt       time.Time // while narrow: no attempt starts before this
}

// Narrow reports whether the endpoint gets one attempt at a time.
func (h Health) Narrow() bool { return h.Streak >= NarrowAfter }

// Notice is what people are told when an outcome moves an endpoint's health.
type Notice string

// The notices.
const (
	NoNotice     Notice = ""
	Warning      Notice = "warning"  // half-way, or four fifths of the way, to being disabled
	DisabledIt   Notice = "disabled" // this outcome disabled the endpoint
	DeadLettered Notice = "failed"   // a delivery went to the dead letter queue
	AlertOpened  Notice = "alert_opened"
	AlertClosed  Notice = "alert_closed"
)

// Quiet reports that no event is made of a notice whose cause is a delivery that
// itself brought news (NoNotice = an ordinary event). News of news could go round for
// ever among endpoints that fail: so a dead letter that brought any makes no more, and a
// delivery of a warning causes no warning. A disabling is always told: there are no more of them
// than of people who enable. Alerts are told, too: no delivery of news is counted in what they are judged by (Counts).
func (n Notice) Quiet(news Notice) bool {
	switch n {
	case DeadLettered:
		return news != NoNotice
	case Warning:
		return news == Warning
	}
	return false
}

// After gives the health after an attempt, and what to tell people. Attempts
// that overlap in time count once: a failure counts only if its attempt started
// at or after the end of the failure counted last (contract section 2).
func (h Health) After(p Policy, c Change, o Outcome) (Health, Notice) {
	switch c.Effect {
	case Success:
		return Health{}, NoNotice
	case Failure, Narrows:
		return h.failed(p, c, o)
	}
	return h, NoNotice
}

// Believable gives the health without what lies so far ahead of a time that the
// clock must have been put back: it would count no failure, and let the endpoint
// rest, until the clock has caught up.
func (h Health) Believable(p Policy, now time.Time) Health {
	if h.CountedUntil.After(now.Add(p.Lease())) {
		h.CountedUntil = time.Time{}
	}
	if h.NextAt.After(now.Add(p.LongestRest())) {
		h.NextAt = time.Time{}
	}
	return h
}

func (h Health) failed(p Policy, c Change, o Outcome) (Health, Notice) {
	h = h.Believable(p, o.EndedAt)
	counts := !o.StartedAt.Before(h.CountedUntil)
	if counts {
		h.Streak++
		h.CountedUntil = o.EndedAt
	}
	if h.Narrow() {
		h.NextAt = later(h.NextAt, o.EndedAt.Add(p.spacing(h.Streak)))
	}
	if c.Gone {
		return h, DisabledIt
	}
	if !counts || c.Effect != Failure {
		return h, NoNotice
	}
	h.Failures++
	switch {
	case p.DisableAfter > 0 && h.Failures >= p.DisableAfter:
		return h, DisabledIt
	case p.warnsAt(h.Failures):
		return h, Warning
	}
	return h, NoNotice
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
