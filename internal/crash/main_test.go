package crash_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// The flags of these tests.
const (
	killsFlag     = "crash.kills"
	imagesFlag    = "crash.images"
	seedFlag      = "crash.seed"
	soakFlag      = "soak.time"
	soakKillsFlag = "soak.kills"
)

// atOnce is how many of these tests run at the same time, however few processors
// there are: most of the time they wait for leases to end.
const atOnce = 12

// TestMain is also the program under test: a process that finds settings in its
// environment serves with them instead of testing.
func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Int(killsFlag, 50, "how often the program is killed on each database; with the tag failpoints two thirds of it at named places")
	flag.Int(imagesFlag, 20, "of how many power cuts an image is taken")
	flag.Uint64(seedFlag, 0, "decides the moments and the load; 0 = another one each time")
	flag.Duration(soakFlag, 0, "how long TestSoak goes on, at least")
	flag.Int(soakKillsFlag, 0, "how often TestSoak kills, at least; with neither it makes one short round")
	flag.Parse()
	if err := flag.Set("test.parallel", fmt.Sprint(atOnce)); err != nil {
		panic(err) // the testing package has this flag
	}
	os.Exit(pgtest.Run(m))
}

// option reads a flag of TestMain.
func option[T any](name string) T {
	return flag.Lookup(name).Value.(flag.Getter).Get().(T)
}
