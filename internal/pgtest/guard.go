package pgtest

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// guardScript waits until the pipe on its standard input is closed, which the
// kernel does when this process ends, even by SIGKILL. Then it stops the server
// of the folder $1 and removes the folder. After an orderly Stop there is
// nothing left to do.
const guardScript = `
cat >/dev/null
if pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null; then
	n=0
	while kill -0 "$pid" 2>/dev/null && [ "$n" -lt 100 ]; do
		n=$((n + 1))
		sleep 0.1
	done
fi
rm -rf "$1"
`

// guard is a small shell that outlives this process for a moment, to clean up
// behind it. A parent death signal would not do: it is bound to a thread and
// not to the process, it removes no folder, and only Linux has it.
type guard struct {
	cmd  *exec.Cmd
	pipe io.Closer
}

// startGuard starts the guard of the cluster in dir. It gets its own process
// group, so that a Ctrl-C in the terminal does not end it before its work.
func startGuard(dir string) (*guard, error) {
	// No context may end it: it has to be there last.
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", guardScript, "sh", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make the guard's pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	return &guard{cmd: cmd, pipe: pipe}, nil
}

// release lets the guard do what is left to do and waits for its end.
func (g *guard) release() error {
	if err := g.pipe.Close(); err != nil {
		return fmt.Errorf("release the guard: %w", err)
	}
	if err := g.cmd.Wait(); err != nil {
		return fmt.Errorf("wait for the guard: %w", err)
	}
	return nil
}
