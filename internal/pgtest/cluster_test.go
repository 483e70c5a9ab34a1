package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// orphanDir, when set in the environment, makes this test binary start a
// cluster in that folder and wait to be killed: see
// TestAKilledProcessLeavesNoServerAndNoFiles.
const orphanDir = "PGTEST_ORPHAN_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(orphanDir); dir != "" {
		cluster, err := Start(context.Background(), Config{Dir: dir})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(cluster.URL("postgres"))
		select {}
	}
	os.Exit(Run(m))
}

func TestRestart(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Fast, Immediate} {
		t.Run(string(mode)+" keeps committed rows and loses open transactions", func(t *testing.T) {
			t.Parallel()
			cluster := New(t)
			address := cluster.URL("postgres")
			run(t, address, "create table kept (n integer)")
			run(t, address, "insert into kept values (1)")
			open := connect(t, address)
			if _, err := open.Exec(t.Context(), "begin; insert into kept values (2)"); err != nil {
				t.Fatalf("insert in an open transaction: %v", err)
			}

			if err := cluster.Restart(t.Context(), mode); err != nil {
				t.Fatalf("Restart(%s): %v", mode, err)
			}

			if err := open.Ping(t.Context()); err == nil {
				t.Errorf("a session lived through Restart(%s); want it broken", mode)
			}
			if got := query(t, address, "select string_agg(n::text, ',') from kept"); got != "1" {
				t.Errorf("rows after Restart(%s) = %q, want the committed one, \"1\"", mode, got)
			}
		})
	}
}

func TestImmediateIsACrashAndFastIsNot(t *testing.T) {
	t.Parallel()
	cluster := New(t)
	for _, tt := range []struct {
		mode      Mode
		recovered bool
	}{{Fast, false}, {Immediate, true}} {
		if err := os.Truncate(cluster.logPath(), 0); err != nil {
			t.Fatal(err)
		}
		if err := cluster.Restart(t.Context(), tt.mode); err != nil {
			t.Fatalf("Restart(%s): %v", tt.mode, err)
		}
		log, err := os.ReadFile(cluster.logPath())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(log), "was not properly shut down"); got != tt.recovered {
			t.Errorf("Restart(%s): crash recovery ran = %t, want %t; the log:\n%s", tt.mode, got, tt.recovered, log)
		}
	}
}

func TestDownAndUp(t *testing.T) {
	t.Parallel()
	cluster := New(t)
	address, err := cluster.CreateDatabase(t.Context())
	if err != nil {
		t.Fatalf("CreateDatabase: %v", err)
	}
	for range 2 { // the second call finds nothing to do
		if err := cluster.Down(Fast); err != nil {
			t.Fatalf("Down: %v", err)
		}
	}
	if conn, err := pgx.Connect(t.Context(), address); err == nil {
		t.Errorf("connected to a server that is down: %v", conn.Config().Host)
	}
	for range 2 {
		if err := cluster.Up(t.Context()); err != nil {
			t.Fatalf("Up: %v", err)
		}
	}
	if got := query(t, address, "select 'back'"); got != "back" {
		t.Errorf("the old URL answers %q after Up, want \"back\"", got)
	}
}

func TestStopLeavesNoProcessAndNoFiles(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	cluster, err := Start(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	pid := serverPID(t, cluster)

	for range 2 { // the second call finds nothing to do
		if err := cluster.Stop(); err != nil {
			t.Fatalf("Stop: %v", err)
		}
	}

	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("signal the server after Stop: %v, want %v", err, syscall.ESRCH)
	}
	wantEmpty(t, dir)
	if err := cluster.Up(t.Context()); err == nil {
		t.Error("Up after Stop succeeded, want an error")
	}
}

func TestAKilledProcessLeavesNoServerAndNoFiles(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	self := exec.CommandContext(t.Context(), os.Args[0])
	self.Env = append(os.Environ(), orphanDir+"="+dir)
	output, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("read the child's URL: %q, %v", address, err)
	}
	session := connect(t, strings.TrimSpace(address))

	if err := self.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = self.Wait() // "signal: killed" is what we asked for

	// The session blocks until the server is gone, so this waits without
	// guessing how long that takes; the limit is there for a guard that fails.
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	if _, err := session.WaitForNotification(ctx); err == nil || ctx.Err() != nil {
		t.Fatalf("wait for the session to break: error %v, want the server's end", err)
	}
	// Nothing tells when the files are gone, so look until they are.
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		left, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("left in the folder: %v, want nothing", left)
		case <-again.C:
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	cluster, err := Start(t.Context(), Config{Settings: map[string]string{"max_connections": "17"}})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	tests := map[string]string{
		"fsync":              "on", // the tests rely on durability
		"synchronous_commit": "on",
		"full_page_writes":   "on",
		"shared_buffers":     "128MB",
		"listen_addresses":   "127.0.0.1",
		"max_connections":    "17", // ours wins over the default
	}
	for name, want := range tests {
		if got := query(t, cluster.URL("postgres"), "show "+name); got != want {
			t.Errorf("setting %s = %q, want %q", name, got, want)
		}
	}
}

func TestAWrongPasswordIsRefused(t *testing.T) {
	t.Parallel()
	address := strings.Replace(New(t).URL("postgres"), superuser+":", superuser+":wrong", 1)
	if _, err := pgx.Connect(t.Context(), address); err == nil {
		t.Error("connected with a wrong password; other users of the machine could take over the account")
	}
}

func TestAFailedStartSaysWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name     string
		ctx      context.Context
		settings map[string]string
		want     string
	}{
		{"an unknown setting", t.Context(), map[string]string{"no_such_setting": "1"}, "no_such_setting"},
		{"a context that is over", cancelled, nil, "context canceled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := reachableDir(t)
			_, err := Start(tt.ctx, Config{Dir: dir, Settings: tt.settings})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Start: error %v, want one with %q", err, tt.want)
			}
			wantEmpty(t, dir)
		})
	}
}

// reachableDir is a t.TempDir that the account "postgres" can reach too.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left in the folder: %v (error %v), want nothing", left, err)
	}
}

// serverPID reads the process id of a cluster's server from its lock file.
func serverPID(t *testing.T, c *Cluster) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func connect(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the server may be gone
	return conn
}

func run(t *testing.T, address, statement string) {
	t.Helper()
	if err := execute(t.Context(), address, statement); err != nil {
		t.Fatalf("run %q: %v", statement, err)
	}
}

func query(t *testing.T, address, statement string) string {
	t.Helper()
	var got string
	if err := connect(t, address).QueryRow(t.Context(), statement).Scan(&got); err != nil {
		t.Fatalf("query %q: %v", statement, err)
	}
	return got
}
