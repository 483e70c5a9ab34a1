//go:build unix

package relay

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// shell is a command of the shell, which finds its folder in $DIR.
func shell(t *testing.T, script string) (c *commandSink, dir string) {
	t.Helper()
	dir = t.TempDir()
	return &commandSink{run: []string{"/bin/sh", "-c", script}, env: []string{"DIR=" + dir}, timeout: ample}, dir
}

func TestACommandGetsTheEventAndNoSecret(t *testing.T) {
	// Not parallel: it sets the environment.
	t.Setenv("RELAY_TEST_SECRET", signingSecret)
	c, dir := shell(t, `cat > "$DIR/in"; env > "$DIR/env"`)
	c.env = append(c.env, "TICKET_TOKEN=token")
	event := unsure(anEvent("a"))
	event.Body = append(event.Body, strings.Repeat(" ", 1<<20)...) // more than a pipe holds
	if err := c.Handle(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, filepath.Join(dir, "in")); got != string(event.Body) {
		t.Errorf("it got %d bytes, want the body as it is, %d", len(got), len(event.Body))
	}
	env := strings.Split(contents(t, filepath.Join(dir, "env")), "\n")
	for _, want := range []string{
		"TICKET_TOKEN=token", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "COMPLIANCELAYER_EVENT_ID=a",
		"COMPLIANCELAYER_EVENT_TYPE=scan.completed", "COMPLIANCELAYER_EVENT_TEST=false", "COMPLIANCELAYER_TRY=2", "COMPLIANCELAYER_UNSURE=true",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("its environment has no %s:\n%s", want, strings.Join(env, "\n"))
		}
	}
	if got := strings.Join(env, "\n"); strings.Contains(got, "RELAY_TEST_SECRET") || strings.Contains(got, signingSecret) {
		t.Errorf("its environment has the relay's secret:\n%s", got)
	}
}

func TestTheStatusOfACommandSaysWhatBecomesOfTheEvent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script           string
		unavailable, permanent bool
		want                   string // "": no error
	}{
		{"done", "exit 0", false, false, ""},
		{"done without a look at the input", "exec <&-; exit 0", false, false, ""},
		{"done with something left running", "sleep 1000 & echo $! > $DIR/pid; exit 0", false, false, ""},
		{"later", "echo away >&2; exit 75", true, false, "status 75: away"},
		{"of no use", "exit 65", false, true, "status 65"},
		{"an attempt", "exit 1", false, false, "status 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, dir := shell(t, tt.script)
			event := anEvent("a")
			event.Body = append(event.Body, strings.Repeat(" ", 1<<20)...)
			err := c.Handle(t.Context(), event)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			f := failureIn(err)
			if f == nil {
				f = &receiver.Failure{}
			}
			if f.Unavailable != tt.unavailable || f.Permanent != tt.permanent || f.Unsure {
				t.Errorf("got %+v, want unavailable %v, permanent %v", f, tt.unavailable, tt.permanent)
			}
			if _, err := os.Stat(filepath.Join(dir, "pid")); err == nil {
				endPID(t, filepath.Join(dir, "pid"))
			}
		})
	}
}

// endPID ends the process whose id a file has.
func endPID(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Kill(pidIn(t, path), syscall.SIGKILL); err != nil {
		t.Errorf("end what was left running: %v", err)
	}
}

func pidIn(t *testing.T, path string) (pid int) {
	t.Helper()
	for _, digit := range strings.TrimSpace(contents(t, path)) {
		pid = pid*10 + int(digit-'0')
	}
	return pid
}

func TestACommandThatIsMissingIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"/no/such/program", "no-such-program-anywhere", t.TempDir()} {
		err := (&commandSink{run: []string{program}, timeout: ample}).Handle(t.Context(), anEvent("a"))
		if f := failureIn(err); f == nil || !f.Unavailable || f.Unsure || !strings.Contains(err.Error(), "start "+program) {
			t.Errorf("%s gives %#v, want that it is unavailable", program, err)
		}
	}
}

func TestOfACommandsErrorsTheEndIsKept(t *testing.T) {
	t.Parallel()
	c, _ := shell(t, `i=0; while [ $i -lt 20000 ]; do echo "a long way from the end" >&2; i=$((i+1)); done; echo the reason >&2; exit 3`)
	err := c.Handle(t.Context(), anEvent("a"))
	if err == nil || !strings.HasSuffix(err.Error(), "the reason") || len(err.Error()) > maxSaid+100 {
		t.Errorf("got %.200v, want the last %d bytes", err, maxSaid)
	}
}

// The end of a secret that was cut in two was left in the error.
func TestNoPartOfASecretIsInTheErrorOfACommand(t *testing.T) {
	t.Parallel()
	const secret, longer = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123ABCDEFGHIJKLMNOPQRSTUVWXYZ456789"
	c := &commandSink{env: []string{"TOKEN=" + secret, "LONGER=" + longer, "FLAG=yes"}}
	for _, shown := range []string{secret, longer, secret + longer, longer + secret, secret + secret[:3] + longer} {
		for after := range maxSaid + 2*len(longer) {
			said := &tail{most: maxSaid + len(longer)}
			text := strings.Repeat("-", 3*maxSaid) + shown + strings.Repeat("+", after)
			if n, err := said.Write([]byte(text)); n != len(text) || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
			got := said.words(c.secrets())
			rest := strings.ReplaceAll(got, redacted, "")
			if strings.ContainsAny(rest, "EFXYZ456789") || !strings.HasSuffix(got, strings.Repeat("+", min(after, maxSaid-len(longer)))) {
				t.Fatalf("%d bytes after %s it says %.100q", after, shown, got)
			}
		}
	}
}

// The same through a program: its trace shows the secret across the cut.
func TestATracedCommandShowsNoSecret(t *testing.T) {
	t.Parallel()
	c, _ := shell(t, fmt.Sprintf(`echo "$TOKEN" >&2; printf '%%%ds' . >&2; exit 1`, maxSaid-5))
	c.env = append(c.env, "TOKEN=token-of-tickets")
	if err := c.Handle(t.Context(), anEvent("a")); err == nil || strings.Contains(err.Error(), "kets") || !strings.HasSuffix(err.Error(), ".") {
		t.Errorf("got %v, want its last words without the end of the token", err)
	}
}

// What a program started is ended with it. The pipe ends when the last process that has
// it open does.
func TestACommandThatTakesTooLongIsEndedWithAllThatItStarted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		ended   bool // by whoever waits for it, and not by its own time
		want    string
	}{
		{"its time is over", 300 * time.Millisecond, false, "did not end within 300ms"},
		{"the relay ends", ample, true, "was stopped"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, dir := shell(t, `exec 3> "$DIR/pipe"; sleep 1000 & echo begun >&3; wait`)
			c.timeout = tt.timeout
			pipe := filepath.Join(dir, "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			got := make(chan error, 1)
			go func() { got <- c.Handle(ctx, anEvent("a")) }()
			open, err := os.Open(pipe)
			if err != nil {
				t.Fatal(err)
			}
			defer open.Close()
			begun := make([]byte, len("begun\n"))
			if _, err := open.Read(begun); err != nil || string(begun) != "begun\n" {
				t.Fatalf("it said %q, %v", begun, err)
			}
			if tt.ended {
				cancel()
			}
			if n, err := open.Read(begun); n != 0 || err == nil { // it waits for the last of them
				t.Errorf("read %d, %v, want the end", n, err)
			}
			err = <-got
			if f := failureIn(err); f == nil || !f.Unsure || f.Unavailable || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %#v (%v), want an attempt without a known end, and %q", err, err, tt.want)
			}
		})
	}
}
