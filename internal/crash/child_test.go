package crash_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
)

// childEnv names the variable with the settings of a process that is to serve.
const childEnv = "COMPLIANCELAYER_CRASH_CHILD"

// sayAll is what a process logs first when it logs at debug level.
const sayAll = "this log has everything"

// settings are those of app.Config that these tests choose.
type settings struct {
	Database string
	KeyFile  string
	APIKey   string
	Level    slog.Level
	Policy   delivery.Policy
	// Retention is of what has ended; 0 = for ever.
	Retention time.Duration
	// CopyTo has the process copy the database instead of serving it.
	CopyTo string
	// Program is what is started; "" = this one.
	Program string
	// Ahead is what its clock is ahead of the machine's when it starts.
	Ahead time.Duration
	// Die names the place, and the visit to it, that the process does not survive.
	Die string
}

// impatient is a policy in which retries follow within the second. The lease is as short
// as the rules allow: the timeout and the fixed slack of ten seconds.
func impatient() delivery.Policy {
	schedule := delivery.Schedule{0}
	for _, ms := range []int{20, 40, 80, 160, 300, 300, 300} {
		schedule = append(schedule, time.Duration(ms)*time.Millisecond)
	}
	return delivery.Policy{
		Schedule: schedule, Timeout: 2 * time.Second, DisableAfter: 10,
		SpacingFirst: 5 * time.Millisecond, SpacingLongest: 50 * time.Millisecond,
	}
}

// serve is what the process under test does: the whole program, as the command line
// starts it, until SIGTERM. It also ends when the tests that started it are gone.
func serve(text string) error {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if s.Ahead != 0 {
		shiftClock(s.Ahead)
	}
	go obey()
	surviveLimits()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: s.Level}))
	log.Debug(sayAll)
	if s.CopyTo != "" {
		return app.Backup(ctx, s.Database, s.CopyTo, nil)
	}
	a, err := app.Open(ctx, app.Config{
		Listen: "127.0.0.1:0", Database: s.Database, Dev: true, Policy: s.Policy, SecretKeyFile: s.KeyFile, APIKey: s.APIKey, Version: "crash", Log: log,
		Retention: s.Retention,
	})
	if err != nil {
		return err
	}
	fmt.Println(a.URL())
	return a.Serve(ctx)
}

// obey sets the clock as it is told, until those who tell are gone.
func obey() {
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		ahead, err := time.ParseDuration(orders.Text())
		if err != nil {
			break
		}
		shiftClock(ahead)
	}
	os.Exit(3)
}

// child is a running process under test.
type child struct {
	settings settings
	cmd      *exec.Cmd
	input    io.Writer // what it is told to do
	url      string
	api      *client.Client
	log      string // path of what it wrote on standard error
	ready    chan string
	exited   chan struct{}
	err      error // how it ended; read it only after exited
}

// startLimit is how long a process may take to be ready: seconds of work on a machine
// that is busy with other things.
const startLimit = 90 * time.Second

// launch starts a process and does not wait until it serves.
func launch(t testing.TB, s settings) *child {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatalf("write settings: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("find the test program: %v", err)
	}
	program := cmp.Or(s.Program, self)
	log, err := os.CreateTemp(logs(s), "node-*.log")
	if err != nil {
		t.Fatalf("make a log: %v", err)
	}
	defer log.Close()
	c := &child{settings: s, cmd: exec.Command(program), log: log.Name(), ready: make(chan string, 1), exited: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(text), failpoint.Env+"="+s.Die)
	c.cmd.Stderr = log
	if c.input, err = c.cmd.StdinPipe(); err != nil { // closed by the kernel when this process ends
		t.Fatalf("make a pipe: %v", err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("make a pipe: %v", err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatalf("start the program: %v", err)
	}
	go c.follow(out)
	t.Cleanup(c.kill)
	return c
}

// logs is the folder of the logs of a database's processes: that of its key.
func logs(s settings) string { return filepath.Dir(s.KeyFile) }

// follow reads the address that the process prints, and waits for its end.
func (c *child) follow(out io.Reader) {
	line, _ := bufio.NewReader(out).ReadString('\n')
	if url := strings.TrimSpace(line); url != "" {
		c.ready <- url
	}
	c.err = c.cmd.Wait()
	close(c.exited)
}

// start starts a process and waits until it serves.
func start(t testing.TB, s settings) *child {
	t.Helper()
	c := launch(t, s)
	if !c.serves(t, s) {
		t.Fatalf("the program ended at its start: %v\n%s", c.err, c.tail())
	}
	return c
}

// serves waits until the process serves, or has ended.
func (c *child) serves(t testing.TB, s settings) bool {
	t.Helper()
	select {
	case url := <-c.ready:
		api, err := client.New(client.Config{Server: url, APIKey: s.APIKey})
		if err != nil {
			t.Fatalf("talk to the program: %v", err)
		}
		c.url, c.api = url, api
		return true
	case <-c.exited:
	case <-time.After(startLimit):
		t.Fatalf("the program was not ready after %s\n%s", startLimit, c.tail())
	}
	return false
}

// kill ends the process at once, as a power switch does, and waits until it is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	<-c.exited
}

// wasKilled reports whether the kill ended it: a process that had ended by itself
// before was broken by something else.
func (c *child) wasKilled() bool {
	var exit *exec.ExitError
	if !errors.As(c.err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// freeze stops the process where it is, as a paused virtual machine; thaw lets it go on.
func (c *child) freeze(t testing.TB) { c.signal(t, syscall.SIGSTOP) }
func (c *child) thaw(t testing.TB)   { c.signal(t, syscall.SIGCONT) }

func (c *child) signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %v: %v", s, err)
	}
}

// stopLimit is more than a graceful stop may take: the answers to open requests (10 s)
// and the attempts on the wire (the timeout of 2 s and a little).
const stopLimit = 30 * time.Second

// stop asks the process to end and wants it to say that all went well.
func (c *child) stop(t testing.TB) {
	t.Helper()
	c.signal(t, syscall.SIGTERM)
	select {
	case <-c.exited:
	case <-time.After(stopLimit):
		t.Fatalf("the program did not end within %s of SIGTERM\n%s", stopLimit, c.tail())
	}
	if c.err != nil {
		t.Errorf("after SIGTERM the program ended with %v, want exit status 0\n%s", c.err, c.tail())
	}
}

// madeBy reports whether a node's name is of this process.
func (c *child) madeBy(node string) bool {
	return strings.Contains(node, "-"+strconv.Itoa(c.cmd.Process.Pid)+"-")
}

// tail gives the end of what the process wrote on standard error.
func (c *child) tail() string {
	const most = 4 << 10
	text, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	return "its log ends:\n" + string(text[max(0, len(text)-most):])
}

// tellErrors has a test that failed say which errors the process logged, the first few.
func (c *child) tellErrors(t testing.TB) {
	if !t.Failed() {
		return
	}
	text, err := os.ReadFile(c.log)
	if err != nil {
		t.Log(err)
	}
	told := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"level":"ERROR"`) && told < 20 {
			t.Log(line)
			told++
		}
	}
}

// says reports whether the process has logged a text.
func (c *child) says(t testing.TB, text string) bool {
	t.Helper()
	log, err := os.ReadFile(c.log)
	if err != nil {
		t.Fatalf("read the log: %v", err)
	}
	return bytes.Contains(log, []byte(text))
}
