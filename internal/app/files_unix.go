//go:build unix

package app

import (
	"math"
	"syscall"
)

// openFiles gives how many files this process may have open; 0 = not known. Go
// has raised the limit to the highest allowed when the process began.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), math.MaxInt32)) //nolint:unconvert // signed on some systems
}
