package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// stopLimit is how long a server may take to stop before it is killed. A fast
// shutdown ends with a checkpoint, which takes seconds on a busy disk.
const stopLimit = 30 * time.Second

// server is one run of the postgres program; a cluster that is restarted has
// several, one after the other.
type server struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process has ended
	err    error         // how it ended; read it only after exited
}

// startServer starts cmd with its output appended to the file logPath.
func startServer(cmd *exec.Cmd, logPath string) (*server, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	s := &server{cmd: cmd, exited: make(chan struct{})}
	go func() {
		s.err = cmd.Wait()
		close(s.exited)
	}()
	return s, nil
}

// stop asks the server to end in the given mode and waits until it has. A
// server that has already ended is no error.
func (s *server) stop(mode Mode) error {
	if err := s.cmd.Process.Signal(mode.signal()); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal postgres: %w", err)
	}
	select {
	case <-s.exited:
		return nil
	case <-time.After(stopLimit):
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill postgres: %w", err)
	}
	<-s.exited
	return fmt.Errorf("postgres did not stop within %s and was killed", stopLimit)
}

// serverAccount returns the account that the server must run under: nil, our
// own, unless we are root, whom PostgreSQL refuses. Then it is the one that the
// distribution's package made, or nobody.
func serverAccount() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("running as root, and there is no account \"postgres\" or \"nobody\" to run PostgreSQL under")
}
