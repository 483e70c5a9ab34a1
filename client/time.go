package client

import (
	"fmt"
	"time"
)

// TimeLayout is how a time is written: RFC 3339 in UTC with exactly three decimals.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// Time is a moment on the wire. Its zero value is written as null.
type Time struct{ time.Time }

// At makes a Time of t.
func At(t time.Time) Time { return Time{t} }

// AtOrNil makes a *Time of t, nil for the zero time.
func AtOrNil(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t}
}

// MarshalJSON writes t in TimeLayout, cutting off what is finer.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().AppendFormat(make([]byte, 0, len(TimeLayout)+2), `"`+TimeLayout+`"`), nil
}

// UnmarshalJSON reads any RFC 3339 time, and null as the zero time.
func (t *Time) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*t = Time{}
		return nil
	}
	at, err := time.Parse(`"`+time.RFC3339+`"`, string(text))
	if err != nil {
		return fmt.Errorf("a time must be RFC 3339, such as 2026-03-08T12:34:56.789Z: %w", err)
	}
	t.Time = at.UTC()
	return nil
}

// String writes t in TimeLayout, the zero time as "".
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(TimeLayout)
}
