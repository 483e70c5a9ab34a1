package crash_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// disk is a place for a database that can be full.
type disk struct {
	fill func(c *child) // leaves no room
	free func(c *child) // and makes room again
	name string         // in the evidence
	what string         // happens to what is written
}

func TestAFullDiskRefusesWhatComesAndLosesNothing(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		const enough = 24 << 20 // for what this test writes
		dir, small := mountDisk(t, enough)
		if small == nil {
			t.Log("no disk can be mounted here, so that none is filled; the limit below stands in for it")
			return
		}
		fillAndAccount(t, filepath.Join(dir, "data.db"), small)
	})
	t.Run("a limit on the length of files", func(t *testing.T) {
		t.Parallel()
		fillAndAccount(t, engines["SQLite"](t), limitFiles(t))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		const enough = 96 << 20 // an empty database takes 10 MiB
		dir, small := mountDisk(t, enough)
		if small == nil {
			t.Log("no disk can be mounted here, so that PostgreSQL's is not filled")
			return
		}
		fillAndAccount(t, databaseIn(t, dir), small)
	})
}

// fillAndAccount fills the disk under load, again and again.
func fillAndAccount(t *testing.T, database string, small *disk) {
	const times = 3
	w := newWorld(t, database, newReceiver(t, "steady", nil), newReceiver(t, "shaky", shaky))
	c := start(t, w.settings)
	t.Cleanup(func() { c.tellErrors(t) })
	w.setUp(c.api)
	quiet := w.load(c.api)
	for range times {
		pause(t.Context(), w.crowd.upTo(300*time.Millisecond))
		before := w.crowd.refusals()
		small.fill(c)
		w.await("a refusal on a full disk", func() bool { return w.crowd.refusals() > before+publishers })
		pause(t.Context(), w.crowd.upTo(300*time.Millisecond))
		small.free(c)
		acks := len(w.crowd.acknowledged())
		w.await("an event accepted when there is room again", func() bool { return len(w.crowd.acknowledged()) > acks })
	}
	quiet()
	w.crowd.settle(t.Context(), c.api)
	w.finish(c.api, finishLimit)
	c.stop(t)
	a := w.settleAccounts(t)
	checkIntegrity(t, database)
	t.Logf("full %d times; %d calls were refused", times, w.crowd.refusals())
	a.evidence(w, small.name, 1, times, small.what+" under load; what comes is refused with 503, and it goes on by itself when there is room")
}

// await waits until something is so.
func (w *world) await(what string, so func() bool) {
	w.t.Helper()
	for limit := time.Now().Add(startLimit); !so(); pause(w.t.Context(), 10*time.Millisecond) {
		if time.Now().After(limit) {
			w.t.Fatalf("within %s there was not %s", startLimit, what)
		}
	}
}

// mountDisk makes a disk of a size; nil where that is not allowed.
func mountDisk(t testing.TB, size int) (dir string, small *disk) {
	t.Helper()
	dir = t.TempDir()
	if err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=0777", size), "compliancelayer-test", dir).Run(); err != nil {
		return "", nil
	}
	t.Cleanup(func() {
		if said, err := exec.Command("umount", "--lazy", dir).CombinedOutput(); err != nil {
			t.Errorf("unmount: %v\n%s", err, said)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	return dir, &disk{
		name: "full", what: "disk full",
		fill: func(*child) { fill(t, ballast) },
		free: func(*child) {
			if err := os.Remove(ballast); err != nil {
				t.Errorf("make room: %v", err)
			}
		},
	}
}

// fill writes to a file until there is no room left.
func fill(t testing.TB, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4<<10))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
}

// limitFiles has the system refuse a process to write beyond the present end of the
// database's log: what no privilege is needed for.
func limitFiles(t testing.TB) *disk {
	limit := func(c *child, bytes string) {
		said, err := exec.Command("prlimit", "--pid", strconv.Itoa(c.cmd.Process.Pid), "--fsize="+bytes).CombinedOutput()
		if err != nil {
			t.Fatalf("limit the length of files: %v\n%s", err, said)
		}
	}
	return &disk{
		name: "limit", what: "writes refused by a limit on the length of files",
		fill: func(c *child) { limit(c, strconv.FormatInt(size(t, c.settings.Database+"-wal"), 10)+":") },
		free: func(c *child) { limit(c, "unlimited:") },
	}
}

// surviveLimits has a write beyond a limit answered with an error instead of a signal.
func surviveLimits() { signal.Ignore(syscall.SIGXFSZ) }

// databaseIn makes a PostgreSQL database whose tables lie in a folder.
func databaseIn(t testing.TB, dir string) string {
	t.Helper()
	address := pgtest.URL(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(dir, "tables")
	if err := os.Mkdir(place, 0o700); err != nil {
		t.Fatal(err)
	}
	giveTo(t, place, "postgres")
	name := filepath.Base(u.Path)
	u.Path = "/postgres"
	db := openDatabase(t, u.String())
	defer db.Close()
	for _, statement := range []string{
		fmt.Sprintf("create tablespace %s_place location '%s'", name, place),
		fmt.Sprintf("alter database %s set tablespace %s_place", name, name),
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return address
}

// giveTo gives a folder, and the way to it, to the account of the server where there is one.
func giveTo(t testing.TB, path, name string) {
	t.Helper()
	account, err := user.Lookup(name)
	if err != nil || os.Getuid() != 0 {
		return
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, uid, -1); err != nil {
		t.Fatal(err)
	}
	for up := filepath.Dir(path); up != os.TempDir() && len(up) > len(os.TempDir()); up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
