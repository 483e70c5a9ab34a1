//go:build unix

package sqlstore

import "syscall"

// names counts the hard links of a file; 1 when that cannot be found out.
func names(path string) uint64 {
	var info syscall.Stat_t
	if err := syscall.Stat(path, &info); err != nil {
		return 1
	}
	return uint64(info.Nlink) //nolint:unconvert // it has other types on other systems
}
