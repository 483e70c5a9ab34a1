package receiver

import (
	"errors"
	"log/slog"
	"strings"
	"time"
)

const (
	// maxLost is how often a process may end while it handles an event before the
	// event is taken to be what ends it.
	maxLost = 10
	// suspect is how often it may before the event is worked off alone, since it may be
	// the one.
	suspect = 2
	// maxError bounds what is kept of an error, in bytes: enough for a stack.
	maxError = 4 << 10
)

// decide says what becomes of an event whose try ended with err, and how long its lane
// is to pause if it is ordered. Thrives: since the other side last answered that it is in
// trouble, it took another event.
func decide(l Lane, item Item, err error, thrives bool) (End, time.Duration) {
	end := End{Key: item.Key(), To: Done}
	if err == nil {
		return end, 0
	}
	failure := failureOf(err)
	end.Error, end.Unsure = shorten(err.Error()), item.Unsure || failure.Unsure
	end.To = Waiting
	switch {
	case errors.Is(err, errStopped): // which is not the event's fault
		end.Back, end.Unsure = true, true
		return end, 0
	case failure.Permanent:
		end.To, end.Counts = Failed, true
		return end, 0
	case failure.Unavailable && failure.Answered && item.Tries >= MaxAnswered && !thrives:
		// It may be this event, so it steps aside; or the other side is away for long,
		// and then that is not the event's fault.
		end.Delay = max(maxPause, failure.After)
		return end, 0
	case failure.Unavailable && (!failure.Answered || item.Tries < MaxAnswered):
		pause := max(doubled(l.Backoff, item.Tries), failure.After)
		if l.Ordered {
			end.Back = true
			return end, pause
		}
		end.Delay = pause
		return end, 0
	case item.Failures+1 >= l.Attempts:
		end.To, end.Counts = Failed, true
		return end, 0
	}
	end.Counts, end.Delay = true, doubled(l.Backoff, item.Failures+1)
	return end, 0
}

// doubled is the pause after the n-th try, which begins with first and doubles.
func doubled(first time.Duration, n int) time.Duration {
	pause := first
	for ; n > 1 && pause < maxPause; n-- {
		pause *= 2
	}
	return min(pause, max(maxPause, first))
}

// shorten makes an error fit to be kept: databases refuse some bytes in a text.
func shorten(text string) string {
	if len(text) > maxError {
		text = text[:maxError] + " ..."
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}

// thrives reports whether the other side took an event since it last answered that it is
// in trouble, and notes that it did so again.
func (l *lane) thrives(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if failure, ok := errors.AsType[*Failure](err); !ok || !failure.Answered {
		return false
	}
	thrives := l.done.After(l.refused)
	l.refused = time.Now()
	return thrives
}

// judge logs how a try ended that did not end well, and pauses an ordered lane.
func (l *lane) judge(item Item, end End, err error, pause time.Duration) {
	l.mu.Lock()
	l.pause = time.Time{}
	if err == nil {
		l.done = time.Now()
	}
	if pause > 0 {
		l.pause = time.Now().Add(pause)
	}
	l.mu.Unlock()
	if err == nil {
		l.r.log.Debug("event handled", slog.String("event_id", item.ID), slog.String("lane", l.Name), slog.String("type", item.Type), slog.Int("try", item.Tries))
		return
	}
	attributes := []any{slog.String("event_id", item.ID), slog.String("lane", l.Name), slog.String("type", item.Type), slog.Int("try", item.Tries), slog.String("error", end.Error)}
	if end.To == Failed {
		l.r.log.Error("event failed for good: it is kept, and can be run again", attributes...)
		return
	}
	l.r.log.Warn("event is tried again", append(attributes, slog.Duration("pause", max(pause, end.Delay)))...)
}
