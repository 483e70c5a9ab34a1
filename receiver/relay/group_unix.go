//go:build unix

package relay

import (
	"os/exec"
	"syscall"
)

// ownGroup makes what the program starts end with it.
func ownGroup(program *exec.Cmd) {
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	program.Cancel = func() error { return syscall.Kill(-program.Process.Pid, syscall.SIGKILL) }
}
