package apifuzz_test

import (
	"flag"
	"os"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// The flags of these tests.
const (
	requestsFlag = "apifuzz.requests"
	seedFlag     = "apifuzz.seed"
)

func TestMain(m *testing.M) {
	flag.Int(requestsFlag, 1000, "how many requests each database gets")
	flag.Uint64(seedFlag, 0, "decides the requests; 0 = others each time")
	flag.Parse()
	os.Exit(pgtest.Run(m))
}

// option reads a flag of TestMain.
func option[T any](name string) T {
	return flag.Lookup(name).Value.(flag.Getter).Get().(T)
}
