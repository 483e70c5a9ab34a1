//go:build unix

package egress

import (
	"errors"
	"syscall"
)

// canPeek: without it nobody could tell a kept connection that was closed from one
// that lives, and a request that meets one costs an attempt.
const canPeek = true

// quiet reports whether nothing has come on a socket, not even its end.
func quiet(socket syscall.RawConn) bool {
	var err error
	failed := socket.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	return failed == nil && errors.Is(err, syscall.EAGAIN)
}
