// Package redistest gives tests a real Redis: a private server, started from the
// redis-server installed on the machine, in a temporary folder, on a Unix socket in it.
//
// The server keeps what it answers (appendonly yes, appendfsync always), because the
// tests are there to prove promises about durability. It is gone when the process that
// started it is gone, however that one ended: a guard waits for the end and cleans up.
//
// It never skips: without Redis a test fails and says what to install. It never touches
// a server that it did not start, unless [EnvURL] names one. It needs a Unix, and
// imports nothing of this project.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// EnvURL names an environment variable: the URL of an existing server whose keys tests
// may make and remove, for those that ask for no server of their own. It has to keep
// what it answers.
const EnvURL = "COMPLIANCELAYER_TEST_REDIS"

// startLimit bounds one start of the server, the reading of its file included.
const startLimit = time.Minute

// guardScript waits until the pipe on its standard input is closed, which the kernel
// does when this process ends, even by SIGKILL. Then it ends the server of the folder
// $1 and removes the folder. After an orderly stop there is no server any more.
const guardScript = `
cat >/dev/null
if pid=$(cat "$1/pid" 2>/dev/null) && [ -n "$pid" ]; then
	kill -KILL "$pid" 2>/dev/null
fi
rm -rf "$1"
`

// Server is a private Redis server with its data.
type Server struct {
	program string
	dir     string
	args    []string
	guard   *exec.Cmd
	pipe    io.Closer

	mu      sync.Mutex
	running *exec.Cmd // nil while the server is down
}

// URL returns the address of a server that a test shares with others, so its keys need
// names of their own: the one that [EnvURL] names, else a private one that lives as
// long as the test.
func URL(t testing.TB) string {
	t.Helper()
	if external := os.Getenv(EnvURL); external != "" {
		return external
	}
	return New(t).URL()
}

// New starts a server that belongs to this test alone, which may kill and restart it.
// Args are settings as on the command line of redis-server, such as "--appendfsync",
// "no"; they replace those that make it durable.
func New(t testing.TB, args ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("this test needs Redis: there is no redis-server in PATH; install it with \"apt-get install redis-server\" "+
			"(Debian, Ubuntu) or \"brew install redis\" (macOS), or set %s to the URL of a server that tests may use", EnvURL)
	}
	// Not t.TempDir: the path of a socket has about a hundred bytes.
	dir, err := os.MkdirTemp("", "compliancelayer-redis-")
	if err != nil {
		t.Fatalf("make the folder of a Redis: %v", err)
	}
	s := &Server{program: program, dir: dir, args: args}
	if err := s.startGuard(); err != nil {
		t.Fatalf("start the guard of a Redis: %v", errors.Join(err, os.RemoveAll(dir)))
	}
	t.Cleanup(func() {
		s.Kill()
		if err := errors.Join(s.pipe.Close(), s.guard.Wait()); err != nil {
			t.Errorf("release the guard of a Redis: %v", err)
		}
	})
	if err := s.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// startGuard starts the guard, in its own process group, so that a Ctrl-C in the
// terminal does not end it before its work.
func (s *Server) startGuard() (err error) {
	// No context may end it: it has to be there last.
	s.guard = exec.CommandContext(context.Background(), "/bin/sh", "-c", guardScript, "sh", s.dir)
	s.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.pipe, err = s.guard.StdinPipe(); err != nil {
		return err
	}
	return s.guard.Start()
}

// URL returns the server's address.
func (s *Server) URL() string { return "unix://" + s.socket() }

func (s *Server) socket() string { return filepath.Join(s.dir, "socket") }

// Up starts a server that is down, and returns when it answers, with all that its file
// holds. It does nothing when the server is up.
func (s *Server) Up(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return nil
	}
	args := append([]string{
		"--dir", s.dir, "--port", "0", "--unixsocket", s.socket(), "--unixsocketperm", "700",
		"--pidfile", filepath.Join(s.dir, "pid"), "--logfile", filepath.Join(s.dir, "log"),
		"--save", "", "--appendonly", "yes", "--appendfsync", "always",
	}, s.args...)
	// The server outlives the call, so its process must not end with ctx.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	s.running = cmd
	if err := s.awaitReady(ctx); err != nil {
		s.kill()
		log, _ := os.ReadFile(filepath.Join(s.dir, "log")) // it may not have come to that
		return fmt.Errorf("wait for redis-server: %w\n%s", err, log)
	}
	return nil
}

// awaitReady returns when the server has read its file and answers.
func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket(), MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		// The client logs each connection that it cannot make, so look first.
		_, err := os.Stat(s.socket())
		if err == nil {
			if err = client.Ping(ctx).Err(); err == nil {
				return nil
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// Kill ends the server as kill -9 does, and returns when it is gone.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
}

func (s *Server) kill() {
	if s.running == nil {
		return
	}
	_ = s.running.Process.Kill() // it may be dead already
	_ = s.running.Wait()         // which says that it was killed
	_ = os.Remove(s.socket())    // which it left behind
	s.running = nil
}
