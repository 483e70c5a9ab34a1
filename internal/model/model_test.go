package model_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/compliancelayer/compliancelayer/internal/evidence"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// parts is how many parts of a run go on side by side, each on a database of its own: a
// history mostly waits for the answer to one statement after the other.
const parts = 4

func TestHistoriesOnSQLite(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp(pgtest.Memory(), "compliancelayer-model-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	drive(t, "SQLite", func(t *testing.T, part int) func() *world {
		n, last := 0, ""
		return func() *world {
			n++
			_ = os.RemoveAll(last)
			last = filepath.Join(dir, fmt.Sprintf("%d-%d", part, n))
			return &world{database: filepath.Join(last, "model.db")}
		}
	})
}

func TestHistoriesOnPostgreSQL(t *testing.T) {
	t.Parallel()
	cluster, err := pgtest.Start(context.Background(), pgtest.Config{Dir: pgtest.Memory()})
	if err != nil {
		t.Fatalf("this test needs PostgreSQL: %v", err)
	}
	t.Cleanup(func() { _ = cluster.Stop() })
	drive(t, "PostgreSQL", func(t *testing.T, _ int) func() *world {
		url, err := cluster.CreateDatabase(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return func() *world { return &world{database: url, shared: true} }
	})
}

// drive drives databases of a kind through as many histories as are asked for.
func drive(t *testing.T, name string, open func(t *testing.T, part int) (begin func() *world)) {
	each := (option[int](historiesFlag) + parts - 1) / parts
	if err := flag.Set("rapid.checks", fmt.Sprint(each)); err != nil {
		t.Fatal(err)
	}
	all := newFindings()
	began := time.Now()
	t.Run("all", func(t *testing.T) {
		found := make([]*findings, parts)
		for part := range parts {
			found[part] = newFindings()
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				drivePart(t, part, open(t, part), found[part])
			})
		}
		t.Cleanup(func() { // when all parts have ended
			for _, f := range found {
				all.add(f)
			}
		})
	})
	all.report(t, name)
	evidence.Write(t, "model-"+strings.ToLower(name), evidence.Row{
		Promise: 2, Fault: fmt.Sprintf("random histories of %d operations or more (%d on average) beside a model", option[int](opsFlag), all.steps/max(all.histories, 1)), On: name,
		Times: all.histories, Of: all.acknowledged, What: "acknowledged events", Lost: all.lost,
		Duplicates: &all.duplicates, Explained: &all.explained,
		Test:    fmt.Sprintf("go test ./internal/model -run %s -args -model.histories=%d -model.ops=%d -model.seed=%d", t.Name(), all.histories, option[int](opsFlag), option[uint64](seedFlag)),
		Seed:    option[uint64](seedFlag),
		Seconds: time.Since(began).Seconds(),
	})
}

func drivePart(t *testing.T, part int, begin func() *world, found *findings) {
	seeded := seed(t, part)
	rapid.Check(t, func(t2 *rapid.T) {
		seeded()
		history := histories(option[int](opsFlag)).Draw(t2, "history")
		w := begin()
		w.findings = found
		if problem := within(t, w, history); problem != "" {
			t2.Fatalf("%s", problem)
		}
		found.histories++
		found.steps += len(history)
	})
}

// seeding is held while rapid.Check, which has a flag for all parts, reads it for one.
var seeding sync.Mutex

// seed lets the next rapid.Check draw what is this part's, unless rapid's own flag says what to
// draw. The function that it gives is called when the check has begun.
func seed(t *testing.T, part int) (begun func()) {
	if givenSeed {
		return func() {}
	}
	seeding.Lock()
	begun = sync.OnceFunc(seeding.Unlock)
	t.Cleanup(begun)
	if err := flag.Set("rapid.seed", fmt.Sprint(option[uint64](seedFlag)+uint64(part)<<32)); err != nil {
		t.Fatal(err)
	}
	return begun
}
