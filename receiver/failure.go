package receiver

import (
	"errors"
	"time"
)

// Failure is an error of a handler that says what is to come of the event. Any other
// error of a handler counts as an attempt that failed and can be tried again.
type Failure struct {
	// Err is what happened, for people. It is kept with the event: no secrets.
	Err error
	// Permanent: to try again cannot help. The event is failed at once.
	Permanent bool
	// Unavailable: what the handler needs is away, which is not the event's fault.
	// The try does not count as an attempt, and the event waits.
	Unavailable bool
	// Answered goes with Unavailable: the other side answered that it is in trouble,
	// so it may be just this event that it cannot take. After [MaxAnswered] tries the
	// event steps aside; from then on a try counts as an attempt when the other side took
	// another event in between.
	Answered bool
	// After goes with Unavailable: the other side asked to be left alone for so long,
	// as Retry-After does. The pause is no shorter.
	After time.Duration
	// Unsure: the effect may have happened all the same, as after a timeout. The next
	// try is told in [Event.Unsure].
	Unsure bool
}

// MaxAnswered is the number of tries after which an event that the other side
// answers with its own trouble steps aside for those behind it. With pauses of up to a
// minute it is about a quarter of an hour: long enough for a restart over there, and no
// longer than one event that nobody can take should keep the others waiting.
const MaxAnswered = 20

// Permanent marks an error of a handler that comes again however often it is tried.
func Permanent(err error) error { return &Failure{Err: err, Permanent: true} }

// Unavailable marks an error of a handler that says nothing about the event: what it
// needs is away. After is how long that asked to be left alone; 0 for no wish.
func Unavailable(err error, after time.Duration) error {
	return &Failure{Err: err, Unavailable: true, After: after}
}

// Error is that of Err.
func (f *Failure) Error() string {
	if f.Err == nil {
		return "the handler gave no reason"
	}
	return f.Err.Error()
}

// Unwrap gives Err.
func (f *Failure) Unwrap() error { return f.Err }

// failureOf reads what a handler said.
func failureOf(err error) Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		found := *f
		found.Err = err // with what was wrapped around it
		return found
	}
	return Failure{Err: err}
}
