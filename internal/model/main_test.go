package model_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// The flags of these tests. A history that failed is driven again by its name and -rapid.seed.
const (
	historiesFlag = "model.histories"
	opsFlag       = "model.ops"
	seedFlag      = "model.seed"
)

// givenSeed reports that -rapid.seed was given: it goes before seedFlag.
var givenSeed bool

func TestMain(m *testing.M) {
	flag.Int(historiesFlag, 8, "how many histories each database is driven through, at least: each of four parts has as many")
	flag.Int(opsFlag, 60, "how many steps a history has, at least")
	flag.Uint64(seedFlag, 1, "what the histories are drawn with; 0 = others each time")
	flag.Parse()
	// A history that fails is printed; a file in the source tree would only be in the way.
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err) // rapid has this flag
	}
	givenSeed = option[uint64]("rapid.seed") != 0
	if option[uint64](seedFlag) == 0 {
		if err := flag.Set(seedFlag, fmt.Sprint(rand.Uint32()|1)); err != nil {
			panic(err)
		}
	}
	os.Exit(pgtest.Run(m))
}

// option reads a flag.
func option[T any](name string) T {
	return flag.Lookup(name).Value.(flag.Getter).Get().(T)
}
