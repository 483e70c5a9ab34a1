package main

import (
	"database/sql"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){programName: main})
}

// TestStories runs one user story a file. See the comment of each helper below for what
// a script may say beside the commands of testscript.
func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("COMPLIANCELAYER_API_KEY", "cl_test_0123456789abcdefghijklmnopqrstuvwxyz")
			env.Setenv("COMPLIANCELAYER_LISTEN", "127.0.0.1:0")
			env.Setenv("COMPLIANCELAYER_RECEIVE_LISTEN", "127.0.0.1:0")
			env.Setenv("COMPLIANCELAYER_DEV", "true")
			env.Setenv("GORACE", "atexit_sleep_ms=20") // with the race detector every command would end a second later
			env.Values["background"] = &background{running: map[string]*process{}}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start":     start,
			"interrupt": interrupt,
			"hangup":    hangUp,
			"free":      free,
			"fill":      fill,
			"until":     repeat,
			"waitfile":  waitFile,
			"capture":   capture,
			"newer":     newer,
		},
	})
}

// storyTime bounds the waiting for one thing; it is reached only by a bug.
const storyTime = 60 * time.Second

// background are the processes of a script.
type background struct {
	mu      sync.Mutex
	running map[string]*process
}

type process struct {
	cmd   *exec.Cmd
	ended chan error
}

// start NAME REGEXP PROGRAM ARGS... runs a program beside the script. What it prints
// goes to NAME.out and NAME.err. The script goes on when one of them matches; what the
// regexp has in parentheses is then $NAME.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: start NAME REGEXP PROGRAM ARGS...")
	}
	name, ready := args[0], regexp.MustCompile(args[1])
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environment(ts)
	var files []string
	for _, stream := range []struct {
		end string
		to  func(*os.File)
	}{{".out", func(f *os.File) { cmd.Stdout = f }}, {".err", func(f *os.File) { cmd.Stderr = f }}} {
		path := ts.MkAbs(name + stream.end)
		f, err := os.Create(path)
		ts.Check(err)
		defer f.Close()
		stream.to(f)
		files = append(files, path)
	}
	ts.Check(cmd.Start())
	p := &process{cmd: cmd, ended: make(chan error, 1)}
	go func() { p.ended <- cmd.Wait() }()
	b := ts.Value("background").(*background)
	b.mu.Lock()
	b.running[name] = p
	b.mu.Unlock()
	ts.Defer(func() { b.stop(name, os.Kill) })
	found := awaitMatch(ts, ready, files, p.ended)
	if len(found) > 1 {
		ts.Setenv(name, found[1])
	}
}

// environment gives a background process what the script's own commands get.
func environment(ts *testscript.TestScript) []string {
	names := []string{"PATH", "HOME", "TMPDIR", "WORK", "GOCOVERDIR", "GORACE"}
	for _, flag := range []string{"API_KEY", "LISTEN", "RECEIVE_LISTEN", "DEV", "SERVER", "SECRET", "DATABASE", "RETRY_SCHEDULE", "SECRET_KEY"} {
		names = append(names, envPrefix+"_"+flag)
	}
	var env []string
	for _, name := range names {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// awaitMatch waits until one of the files matches.
func awaitMatch(ts *testscript.TestScript, ready *regexp.Regexp, files []string, ended <-chan error) []string {
	var found []string
	await(ts, ready.String(), func() bool {
		for _, path := range files {
			text, err := os.ReadFile(path)
			ts.Check(err)
			if found = ready.FindStringSubmatch(string(text)); found != nil {
				return true
			}
		}
		select {
		case err := <-ended:
			ts.Logf("%s", readAll(files))
			ts.Fatalf("the program ended: %v", err)
		default:
		}
		return false
	})
	return found
}

func readAll(files []string) string {
	var all []string
	for _, path := range files {
		text, _ := os.ReadFile(path) // only to say more about a failure
		all = append(all, filepath.Base(path)+":\n"+string(text))
	}
	return strings.Join(all, "\n")
}

// await asks again and again until seen says yes.
func await(ts *testscript.TestScript, what string, seen func() bool) {
	late := time.NewTimer(storyTime)
	defer late.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !seen() {
		select {
		case <-tick.C:
		case <-late.C:
			ts.Fatalf("not seen in %s: %s", storyTime, what)
		}
	}
}

// interrupt NAME sends a started program what Ctrl-C sends; it must end with status 0.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: interrupt NAME")
	}
	b := ts.Value("background").(*background)
	if err := b.stop(args[0], os.Interrupt); err != nil {
		ts.Logf("%s", readAll([]string{ts.MkAbs(args[0] + ".out"), ts.MkAbs(args[0] + ".err")}))
		ts.Fatalf("%s: %v", args[0], err)
	}
}

func (b *background) stop(name string, signal os.Signal) error {
	b.mu.Lock()
	p, ok := b.running[name]
	delete(b.running, name)
	b.mu.Unlock()
	if !ok {
		return nil
	}
	if err := p.cmd.Process.Signal(signal); err != nil {
		return err
	}
	return <-p.ended
}

// hangup NAME sends a started program SIGHUP, which it must live through.
func hangUp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hangup NAME")
	}
	b := ts.Value("background").(*background)
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.running[args[0]]
	if !ok {
		ts.Fatalf("%s does not run", args[0])
	}
	ts.Check(p.cmd.Process.Signal(syscall.SIGHUP))
}

// free NAME sets $NAME to an address of this machine that nobody listens at.
func free(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: free NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	ts.Check(err)
	ts.Check(l.Close())
	ts.Setenv(args[0], l.Addr().String())
}

// fill FILE puts the script's variables where the file has $NAME.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fill FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}

// until REGEXP PROGRAM ARGS... runs a program again and again until it prints that.
func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP PROGRAM ARGS...")
	}
	want := regexp.MustCompile("(?m)" + args[0])
	await(ts, strings.Join(args, " "), func() bool {
		_ = ts.Exec(args[1], args[2:]...) // it may fail at first
		return want.MatchString(ts.ReadFile("stdout"))
	})
}

// waitfile FILE REGEXP waits until a file matches.
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfile FILE REGEXP")
	}
	awaitMatch(ts, regexp.MustCompile("(?m)"+args[1]), []string{ts.MkAbs(args[0])}, nil)
}

// capture NAME FILE REGEXP sets $NAME to what the regexp has in parentheses.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture NAME FILE REGEXP")
	}
	found := regexp.MustCompile("(?m)" + args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) < 2 {
		ts.Fatalf("%s has no %s:\n%s", args[1], args[2], ts.ReadFile(args[1]))
	}
	ts.Setenv(args[0], found[1])
}

// newer DATABASE makes it look like one of a later release.
func newer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: newer DATABASE")
	}
	if !slices.Contains(sql.Drivers(), "sqlite") {
		ts.Fatalf("the program brings no driver called sqlite")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.Exec("insert into goose_db_version (version_id, is_applied) values (9999, 1)")
	ts.Check(err)
	ts.Check(db.Close())
}
