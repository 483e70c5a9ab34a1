//go:build !shiftedclock

package crash_test

import "time"

// shiftClock cannot be done in a process whose clock is Go's own.
func shiftClock(time.Duration) { panic("this process was built with a clock that cannot be set") }
