package crash_test

import (
	"testing"
	"time"
)

// fault is a way to break the program, for a soak. run answers how many kills it was.
type fault struct {
	name string
	run  func(t *testing.T) (kills int)
}

// faults are all of them. Each makes its own databases, and accounts for every event.
func faults(kills int) []fault {
	all := []fault{
		{"power cuts", func(t *testing.T) int { tearAndAccount(t, engines["SQLite"](t), kills); return 0 }},
		{"full disk, limit", func(t *testing.T) int { fillAndAccount(t, engines["SQLite"](t), limitFiles(t)); return 0 }},
		{"server crashes", func(t *testing.T) int { crashServer(t, kills/10+1); return kills/10 + 1 }},
		{"node killed", func(t *testing.T) int { killNode(t); return 1 }},
		{"node frozen", func(t *testing.T) int { freezeNode(t); return 0 }},
		{"copies", func(t *testing.T) int { copyUnderLoad(t); return 0 }},
	}
	for name, database := range engines {
		all = append(all,
			fault{name + ", killed at random", func(t *testing.T) int { killAndAccount(t, database(t), kills); return kills }},
			fault{name + ", stopped", func(t *testing.T) int { stopAndAccount(t, database(t)); return 0 }},
		)
	}
	return append(append(all, faultsOfTheClock()...), faultsAtPlaces(kills)...)
}

// TestSoak makes all faults in turn until it has gone on for as long, and has killed as
// often, as it was told, and then ends with the fault that it is at. Told nothing, it makes one short round of kills.
func TestSoak(t *testing.T) {
	t.Parallel()
	const few = 3
	wanted, end := option[int](soakKillsFlag), time.Now().Add(option[time.Duration](soakFlag))
	if wanted == 0 && option[time.Duration](soakFlag) == 0 {
		for name, database := range engines {
			t.Run(name, func(t *testing.T) { killAndAccount(t, database(t), few) })
		}
		return
	}
	kills := 0
	over := func() bool { return t.Failed() || kills >= wanted && time.Now().After(end) }
	for !over() {
		for _, one := range faults(option[int](killsFlag)) {
			if over() {
				break
			}
			t.Run(one.name, func(t *testing.T) { kills += one.run(t) })
			t.Logf("killed %d times so far", kills)
		}
	}
}
