//go:build clock

package crash_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// clockTag is this file's build tag.
const clockTag = "clock"

// jumps are where the clock is set to, one after the other, ahead of what it was at first.
var jumps = []time.Duration{2 * time.Hour, -3 * time.Hour, 0}

// notice is how long a program may take to see that its clock was set: it reads it every ten seconds.
const notice = 11 * time.Second

func TestTheClockIsMovedUnderLoad(t *testing.T) {
	t.Parallel()
	program := buildShiftable(t)
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			moveClockAndAccount(t, database(t), program)
		})
	}
	t.Run("PostgreSQL, retention", func(t *testing.T) {
		t.Parallel()
		checkRetentionGoesByTheServersClock(t, engines["PostgreSQL"](t), program)
	})
}

// faultsOfTheClock are the jumps, for a soak.
func faultsOfTheClock() (all []fault) {
	for name, database := range engines {
		all = append(all, fault{name + ", clock moved", func(t *testing.T) int { moveClockAndAccount(t, database(t), buildShiftable(t)); return 0 }})
	}
	return all
}

func moveClockAndAccount(t *testing.T, database, program string) {
	w := newWorld(t, database, newReceiver(t, "steady", nil), newReceiver(t, "shaky", shaky))
	w.settings.Program = program
	w.settings.Policy.DisableAfter = 0 // so that every retry comes by itself
	c := start(t, w.settings)
	w.setUp(c.api)
	if !isPostgres(database) {
		for _, r := range w.receivers { // SQLite's clock is that of the process, and signatures carry its time
			r.tolerance = 100 * time.Hour
		}
	}
	var moved []time.Time
	for _, ahead := range jumps {
		quiet := w.load(c.api)
		pause(t.Context(), 500*time.Millisecond)
		moved = append(moved, time.Now())
		c.setClock(t, ahead)
		// What is published after the jump must not wait for the time before it to come again.
		acks := len(w.crowd.acknowledged())
		w.await("an event accepted after the clock was set", func() bool { return len(w.crowd.acknowledged()) > acks })
		pause(t.Context(), 300*time.Millisecond)
		quiet()
		if !isPostgres(database) {
			pause(t.Context(), notice)
		}
	}
	w.crowd.settle(t.Context(), c.api)
	w.finish(c.api, finishLimit)
	c.stop(t)
	a := w.settleAccounts(t)
	if isPostgres(database) {
		moved = nil // nothing that the node does goes by its own clock
	}
	a.checkEarly(w, moved)
	if isPostgres(database) && a.byClass[string(delivery.Unknown)]+a.duplicates > 0 {
		t.Errorf("%d attempts are unknown and %d copies came, although the nodes reckon by the server's clock", a.byClass[string(delivery.Unknown)], a.duplicates)
	}
	fault := "the server's clock set forward and back by 2 to 5 hours under load; a jump forward by more than a lease ends the live ones early, so a duplicate is possible"
	if isPostgres(database) {
		fault = "a node's clock set forward and back by 2 to 5 hours under load"
	}
	a.evidence(w, "clock", 5, len(jumps), fault)
}

// checkEarly: by a clock that nobody moved, no retry came before its step, but where the
// program's was set in between.
func (a *account) checkEarly(w *world, moved []time.Time) {
	a.t.Helper()
	looked := 0
	for _, r := range w.receivers {
		before := map[int64]arrival{}
		for _, one := range r.seen(0) {
			last, known := before[one.delivery]
			before[one.delivery] = one
			if !known || last.deed != refused || last.number != one.number-1 || last.number >= len(w.settings.Policy.Schedule) || between(moved, last.at, one.at) {
				continue
			}
			looked++
			if step := w.settings.Policy.Schedule[last.number]; one.at.Sub(last.at) < step {
				a.t.Errorf("%s, delivery %d: attempt %d came %s after the one before, want %s at least", r.name, one.delivery, one.number, one.at.Sub(last.at), step)
			}
		}
	}
	a.t.Logf("%d retries came in their time", looked)
}

func between(moments []time.Time, from, to time.Time) bool {
	for _, m := range moments {
		if m.Add(notice).After(from) && m.Before(to) {
			return true
		}
	}
	return false
}

// A node whose clock is months ahead deletes nothing that is young by the clock of the
// database server.
func checkRetentionGoesByTheServersClock(t *testing.T, database, program string) {
	w := newWorld(t, database, newReceiver(t, "steady", nil))
	c := start(t, w.settings)
	w.setUp(c.api)
	w.crowd.publishOne(t, c.api)
	w.waitWhile(t.Context(), c.api, client.StatusPending, client.StatusSending, client.StatusRetrying)
	c.stop(t)
	s := w.settings
	s.Program, s.Retention, s.Ahead = program, 30*24*time.Hour, 90*24*time.Hour
	ahead := start(t, s)
	w.crowd.publishOne(t, ahead.api)
	w.waitWhile(t.Context(), ahead.api, client.StatusPending, client.StatusSending, client.StatusRetrying)
	ahead.stop(t)
	w.settleAccounts(t)
}

// setClock sets the process's clock ahead of what it was when it started.
func (c *child) setClock(t testing.TB, ahead time.Duration) {
	t.Helper()
	if _, err := fmt.Fprintln(c.input, ahead); err != nil {
		t.Fatalf("set the clock: %v", err)
	}
}

// buildShiftable builds the program under test with a clock that can be set while it
// runs, as far as the machine's can: what measures durations goes on undisturbed.
func buildShiftable(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("find Go: %v", err)
	}
	lib := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	source, err := os.ReadFile(filepath.Join(lib, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const reads = "sec, nsec, mono := runtimeNow()\n"
	shifted := strings.Replace(string(source), "func Now() Time {\n\t"+reads, "func Now() Time {\n\t"+reads+"\tsec += shift.Load()\n", 1)
	if shifted == string(source) {
		t.Fatal("time.Now is not written as this test knows it")
	}
	const setter = "package time\n\nimport \"sync/atomic\"\n\nvar shift atomic.Int64\n\nfunc Shift(seconds int64) { shift.Store(seconds) }\n"
	replace := map[string]string{}
	for name, text := range map[string]string{"time.go": shifted, "shift.go": setter} {
		replace[filepath.Join(lib, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-trimpath", "-tags", "shiftedclock", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, said)
	}
	return program
}
