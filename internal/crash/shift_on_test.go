//go:build shiftedclock

package crash_test

import "time"

// shiftClock sets the clock of this process ahead. buildShiftable gives time its Shift.
func shiftClock(ahead time.Duration) { time.Shift(int64(ahead / time.Second)) }
