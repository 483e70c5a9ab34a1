package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// superuser is the one account of the server; it may do everything.
	superuser = "postgres"

	// startLimit bounds one start of the server, crash recovery included.
	startLimit = time.Minute

	// logTailBytes is how much of the server's log goes into an error.
	logTailBytes = 2 << 10

	// Ports are drawn from below the range that systems hand out to outgoing
	// connections (from 32768 on Linux), so that none of those can sit on the
	// port while the server restarts.
	lowPort, highPort = 15000, 32000

	// portTries is how often Start draws another port when somebody else took
	// the one it had found free.
	portTries = 5
)

// Memory is a folder in memory, where a sync costs nothing, or empty when this machine has none with
// room enough. What is there outlives a process that is killed, and no power cut.
func Memory() string {
	const folder, enough = "/dev/shm", 4 << 30
	var room syscall.Statfs_t
	if err := syscall.Statfs(folder, &room); err != nil || room.Bavail*uint64(room.Bsize) < enough {
		return ""
	}
	return folder
}

// Config says how to start a cluster. The zero value is fit for tests.
type Config struct {
	// Dir is where the cluster's folder is made; empty means os.TempDir(). The
	// account "postgres" must be able to reach it when we are root.
	Dir string

	// Settings are server settings (names as in postgresql.conf) that add to the
	// defaults or replace them. The defaults are PostgreSQL's own but for
	// shared_buffers 128MB, max_connections 200 and loopback TCP only.
	Settings map[string]string
}

// Mode is a way to stop a server.
type Mode string

// The modes are those of "pg_ctl stop".
const (
	// Fast breaks open sessions off and ends with a checkpoint, as an operator
	// does.
	Fast Mode = "fast"

	// Immediate drops everything at once, as a crash does: committed rows come
	// back from the write-ahead log at the next start.
	Immediate Mode = "immediate"
)

// signal returns the signal that asks the postgres process for this mode.
func (m Mode) signal() os.Signal {
	if m == Immediate {
		return syscall.SIGQUIT
	}
	return syscall.SIGINT
}

// Cluster is a private PostgreSQL server with its data. Its methods may be
// called from several goroutines.
type Cluster struct {
	bin      string // folder of the binaries
	dir      string // holds all files of this cluster, and nothing else
	account  *syscall.Credential
	password string
	settings map[string]string
	guard    *guard
	port     int // fixed once Start has returned

	mu      sync.Mutex
	running *server // nil while the server is down
	stopped bool
}

// Start makes a new cluster and returns when its server answers. ctx bounds the
// start only; the server then runs until Stop or until this process ends. The
// error wraps ErrNotInstalled when the machine has no PostgreSQL.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	bin, err := findBinaries(debianBinaries)
	if err != nil {
		return nil, err
	}
	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, account: account, password: rand.Text(), settings: settings(cfg)}
	if err := c.create(ctx, cfg.Dir); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	if err := c.startOnFreePort(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// settings returns the server's settings, those of cfg included.
func settings(cfg Config) map[string]string {
	all := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
		"shared_buffers":          "128MB",
		"max_connections":         "200",
	}
	maps.Copy(all, cfg.Settings)
	return all
}

// create makes the folder, its guard and the cluster's files in it.
func (c *Cluster) create(ctx context.Context, parent string) (err error) {
	if c.dir, err = os.MkdirTemp(parent, "compliancelayer-pg-"); err != nil {
		return fmt.Errorf("make the cluster's folder: %w", err)
	}
	if c.guard, err = startGuard(c.dir); err != nil {
		return err
	}
	passwordFile := filepath.Join(c.dir, "password")
	if err := os.WriteFile(passwordFile, []byte(c.password), 0o600); err != nil {
		return fmt.Errorf("write the password file: %w", err)
	}
	for _, path := range []string{c.dir, passwordFile} {
		if err := c.own(path); err != nil {
			return err
		}
	}
	// Without a sync only initdb's own last step is left out; the server itself
	// syncs. A password, because on a shared machine the loopback address is
	// open to everybody, and a superuser can run programs.
	cmd := c.command(ctx, "initdb", "--pgdata="+c.data(), "--username="+superuser, "--pwfile="+passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	return nil
}

// own gives path to the account that the server runs under.
func (c *Cluster) own(path string) error {
	if c.account == nil {
		return nil
	}
	if err := os.Chown(path, int(c.account.Uid), int(c.account.Gid)); err != nil {
		return fmt.Errorf("give the cluster's files to the server's account: %w", err)
	}
	return nil
}

// command prepares a PostgreSQL program under the server's account, in its own
// process group (a Ctrl-C in the terminal is for the tests), and without our
// environment, whose PG variables must not steer it.
func (c *Cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + c.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.account}
	return cmd
}

// startOnFreePort starts the server for the first time.
func (c *Cluster) startOnFreePort(ctx context.Context) error {
	var err error
	for range portTries {
		if c.port, err = freePort(ctx); err != nil {
			return err
		}
		if err = c.Up(ctx); err == nil {
			return nil
		}
		if !bytes.Contains(c.logTail(), []byte("Address already in use")) {
			return err
		}
	}
	return err
}

// freePort returns a loopback port that nobody listens on at this moment.
func freePort(ctx context.Context) (int, error) {
	var lastErr error
	for range 100 {
		port := lowPort + mathrand.IntN(highPort-lowPort)
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, listener.Close()
		}
		lastErr = err
	}
	return 0, fmt.Errorf("find a free port: %w", lastErr)
}

// Up starts the server of a cluster that is down, and returns when it answers,
// crash recovery included. It does nothing when the server is up. The port
// stays the same, so URLs handed out before hold.
func (c *Cluster) Up(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return errors.New("start postgres: the cluster has been stopped for good")
	}
	if c.running != nil {
		return nil
	}
	args := []string{"-D", c.data(), "-p", strconv.Itoa(c.port)}
	for _, name := range slices.Sorted(maps.Keys(c.settings)) {
		args = append(args, "-c", name+"="+c.settings[name])
	}
	// The server outlives the call, so its process must not end with ctx.
	cmd := c.command(context.WithoutCancel(ctx), "postgres", args...)
	started, err := startServer(cmd, c.logPath())
	if err != nil {
		return err
	}
	if err := c.awaitReady(ctx, started); err != nil {
		return errors.Join(err, started.stop(Immediate))
	}
	c.running = started
	return nil
}

// awaitReady returns when the server accepts a session, or says why it does not.
func (c *Cluster) awaitReady(ctx context.Context, s *server) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("postgres ended while it started: %w\n%s", s.err, c.logTail())
		case <-ctx.Done():
			return fmt.Errorf("wait for postgres: %w\n%s", errors.Join(ctx.Err(), err), c.logTail())
		case <-again.C:
		}
	}
}

// Down stops the server and keeps its data, for tests of a database that is out
// of reach. It does nothing when the server is down.
func (c *Cluster) Down(mode Mode) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return nil
	}
	err := c.running.stop(mode)
	c.running = nil
	return err
}

// Restart stops the server in the given mode and starts it again. Open sessions
// break; ctx bounds the start.
func (c *Cluster) Restart(ctx context.Context, mode Mode) error {
	if err := c.Down(mode); err != nil {
		return err
	}
	return c.Up(ctx)
}

// Stop ends the server and removes all its files. Further calls do nothing.
func (c *Cluster) Stop() error {
	err := c.Down(Fast)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	c.stopped = true
	if c.dir != "" {
		err = errors.Join(err, os.RemoveAll(c.dir))
	}
	if c.guard != nil {
		err = errors.Join(err, c.guard.release())
	}
	return err
}

// URL returns the address of a database of this server, for a superuser. The
// database "postgres" always exists. The text holds a password.
func (c *Cluster) URL(database string) string {
	address := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, c.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return address.String()
}

// CreateDatabase makes a new, empty database and returns its URL.
func (c *Cluster) CreateDatabase(ctx context.Context) (string, error) {
	return createDatabase(ctx, c.URL("postgres"))
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) logPath() string { return filepath.Join(c.dir, "postgres.log") }

// logTail returns the end of the server's log; empty when it cannot be read,
// since it only ever adds to another error.
func (c *Cluster) logTail() []byte {
	content, err := os.ReadFile(c.logPath())
	if err != nil {
		return nil
	}
	return content[max(0, len(content)-logTailBytes):]
}
