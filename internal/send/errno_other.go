//go:build !linux

package send

import "syscall"

// saidByNetwork reports whether a connect failed over what the network said about
// the receiver.
func saidByNetwork(errno syscall.Errno) bool {
	return errno == syscall.EHOSTUNREACH || errno == syscall.EHOSTDOWN
}
