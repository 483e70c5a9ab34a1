//go:build !unix

package relay

import "os/exec"

// ownGroup does nothing: where there are no groups of processes, only the program
// itself is ended.
func ownGroup(*exec.Cmd) {}
