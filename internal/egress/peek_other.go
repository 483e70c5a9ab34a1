//go:build !unix

package egress

import "syscall"

const canPeek = false

func quiet(syscall.RawConn) bool { return false }
