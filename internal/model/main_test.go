package model_test

import (
	"flag"
	"os"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// The flags of these tests. The seed is rapid's: -rapid.seed.
const (
	historiesFlag = "model.histories"
	opsFlag       = "model.ops"
)

func TestMain(m *testing.M) {
	flag.Int(historiesFlag, 8, "how many histories each database is driven through")
	flag.Int(opsFlag, 60, "how many steps a history has, at least")
	flag.Parse()
	// A history that fails is printed; a file in the source tree would only be in the way.
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err) // rapid has this flag
	}
	// A few histories are only there to be sure that everything runs, and are the same each time; many are to find something.
	if seed := flag.Lookup("rapid.seed"); option(historiesFlag) < enough && seed.Value.String() == "0" {
		if err := seed.Value.Set("1"); err != nil {
			panic(err)
		}
	}
	os.Exit(pgtest.Run(m))
}

// option reads a flag of TestMain.
func option(name string) int {
	return flag.Lookup(name).Value.(flag.Getter).Get().(int)
}

// memory is a folder where syncing costs nothing, if the machine has one: how long a sync
// takes is not what these tests are about.
func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}
