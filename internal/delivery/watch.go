package delivery

import (
	"slices"
	"time"
)

// The health watch (contract section 2, "Health"). What it is not: it disables nothing and
// holds nothing up; it says what people would see who looked at the numbers all day.
const (
	// WatchWindow is how far back an endpoint is judged: long enough to hold WatchAttempts of a
	// quiet one, short enough to be about today's trouble and not this morning's.
	WatchWindow = time.Hour
	// WatchRecent is the end of the window by which trouble must still be going on when an alert
	// opens, and be over when it closes. So an outage of ten minutes is over after a quarter of an
	// hour and not after one and a quarter, and what is over opens no alert again.
	WatchRecent = 15 * time.Minute
	// WatchAttempts is how many attempts say anything about an endpoint: at 10 %, it takes three failures.
	// One that is called less often is watched by its failures in a row (Health).
	WatchAttempts = 20
	// SlowAfter is how long an attempt may take that is not slow: the public documentation says 10 s.
	SlowAfter = 10 * time.Second
)

// AlertKind is what an endpoint is watched for. The fourth of the public documentation, that it
// was disabled, is its state, and told as DisabledIt.
type AlertKind string

// The kinds of alert.
const (
	AlertFailing AlertKind = "failing" // attempts fail
	AlertSlow    AlertKind = "slow"    // attempts take longer than SlowAfter
	AlertRetries AlertKind = "retries" // deliveries need several attempts
)

// AlertKinds gives all of them.
func AlertKinds() []AlertKind { return []AlertKind{AlertFailing, AlertSlow, AlertRetries} }

// Threshold gives the percentage of the attempts above which an alert of this kind opens. It
// closes at half of that, so that what lies about the threshold does not open and close for ever.
//
//   - failing, 10 %: the public documentation says so.
//   - slow, 5 %: 95 of 100 attempts within 10 s, the number that is shown everywhere as p95. A lone slow
//     answer, of a receiver that just woke up, is none.
//   - retries, 20 %: the documentation says "many". A failure makes a retry, so at 10 % it would only
//     repeat what failing says; at 20 % one delivery in four needs more than its first attempt.
func (k AlertKind) Threshold() int {
	switch k {
	case AlertSlow:
		return 5
	case AlertRetries:
		return 20
	}
	return 10
}

// Counts are the attempts that an endpoint is watched by. Left out are tests and manual retries,
// which count toward nothing; failures on our side; and deliveries of operational events: if news
// counted, an alert could be the cause of another endpoint's, and that one's of the first, for ever.
type Counts struct {
	Attempts int
	Failed   int
	Retries  int // those made because one before failed (Lease.Again)
	Slow     int // those that took longer than SlowAfter, whether they were answered or not
}

// CountsOf gives what an attempt adds to the counts; nothing unless it counts.
func CountsOf(l Lease, a Attempt, operational bool) Counts {
	if a.Cycle != Automatic || a.Class.Ours() || operational {
		return Counts{}
	}
	return Counts{
		Attempts: 1,
		Failed:   one(a.Class != OK),
		Retries:  one(l.Again()),
		Slow:     one(a.EndedAt.Sub(a.StartedAt) > SlowAfter),
	}
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// Add adds other counts.
func (c *Counts) Add(o Counts) {
	c.Attempts += o.Attempts
	c.Failed += o.Failed
	c.Retries += o.Retries
	c.Slow += o.Slow
}

// bad gives how many of the attempts speak for an alert.
func (c Counts) bad(k AlertKind) int {
	switch k {
	case AlertSlow:
		return c.Slow
	case AlertRetries:
		return c.Retries
	}
	return c.Failed
}

// above reports whether more than a percentage of the attempts are bad; of none, none are.
func (c Counts) above(k AlertKind, percent int) bool { return 100*c.bad(k) > percent*c.Attempts }

// Minute is what was counted of an endpoint in a minute.
type Minute struct {
	At time.Time // its start
	Counts
}

// Window is what an endpoint is judged by.
type Window struct {
	whole, recent Counts
	recentSpan    time.Duration
	late          Counts // of the last WatchRecent, however few
}

// NewWindow sums up the minutes, oldest first, that lie within WatchWindow before `until`. Those that
// began before `since` are left out: when an endpoint is enabled again, it starts anew. A `since` that is still
// to come is of a clock that was put back, and leaves nothing out. The recent part is the last WatchRecent, or as
// much more as it takes to have WatchAttempts.
func NewWindow(minutes []Minute, since, until time.Time) Window {
	if since.After(until) {
		since = time.Time{}
	}
	since = later(since, until.Add(-WatchWindow))
	w := Window{recentSpan: WatchRecent}
	for _, m := range slices.Backward(minutes) {
		if m.At.Before(since) || !m.At.Before(until) {
			continue
		}
		w.whole.Add(m.Counts)
		age := until.Sub(m.At)
		if age <= WatchRecent {
			w.late.Add(m.Counts)
		}
		if age <= WatchRecent || w.recent.Attempts < WatchAttempts {
			w.recent.Add(m.Counts)
			w.recentSpan = max(w.recentSpan, age)
		}
	}
	return w
}

// Changes says which alerts open and which of the open ones close.
func (w Window) Changes(open []AlertKind) (opens, closes []AlertKind) {
	for _, k := range AlertKinds() {
		isOpen := slices.Contains(open, k)
		switch {
		case !isOpen && w.ill(k):
			opens = append(opens, k)
		case isOpen && w.well(k):
			closes = append(closes, k)
		}
	}
	return opens, closes
}

// ill reports trouble that is large enough and still going on: something was bad in the last WatchRecent itself. Else
// a watch that comes back after a while, or few attempts that went well, would tell of what has ended.
func (w Window) ill(k AlertKind) bool {
	return w.late.bad(k) > 0 && w.whole.Attempts >= WatchAttempts && w.whole.above(k, k.Threshold()) && w.recent.above(k, k.Threshold())
}

// well reports that lately at most half of the threshold was bad. Without attempts
// there is nothing left to say: an alert does not outlive what it tells of.
func (w Window) well(k AlertKind) bool {
	return 200*w.recent.bad(k) <= k.Threshold()*w.recent.Attempts
}

// CloseReason is why an alert closed.
type CloseReason string

// The reasons. An alert that is open has none.
const (
	ClosedWell       CloseReason = "well"        // attempts go well again
	ClosedNoAttempts CloseReason = "no_attempts" // nothing was attempted: nobody knows whether it would go well
	ClosedDeleted    CloseReason = "deleted"     // the endpoint was deleted
)

// Why gives the reason for which an alert closes by this reading.
func (r Reading) Why() CloseReason {
	if r.Attempts == 0 {
		return ClosedNoAttempts
	}
	return ClosedWell
}

// Reading is what an alert was opened, or closed, by.
type Reading struct {
	Attempts int
	Failed   int
	Bad      int // attempts that speak for the alert; of failing, those that Failed
	Span     time.Duration
}

// Value gives the share of the attempts that were bad, 0 to 1.
func (r Reading) Value() float64 {
	if r.Attempts == 0 {
		return 0
	}
	return float64(r.Bad) / float64(r.Attempts)
}

// Opening reads what an alert of this kind opens by.
func (w Window) Opening(k AlertKind) Reading { return w.whole.reading(k, WatchWindow) }

// Closing reads what it closes by.
func (w Window) Closing(k AlertKind) Reading { return w.recent.reading(k, w.recentSpan) }

func (c Counts) reading(k AlertKind, span time.Duration) Reading {
	return Reading{Attempts: c.Attempts, Failed: c.Failed, Bad: c.bad(k), Span: span}
}
