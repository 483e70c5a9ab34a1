//go:build failpoints

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// On tells whether the places are compiled in.
const On = true

// plan is where this process dies.
type plan struct {
	place string // "" = nowhere
	left  atomic.Int64
}

// armed reads the plan once. It belongs to the process, as its environment does.
var armed = sync.OnceValue(func() *plan { return parse(os.Getenv(Env)) })

func parse(text string) *plan {
	place, number, _ := strings.Cut(text, "#")
	visits, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		visits = 1
	}
	p := &plan{place: place}
	p.left.Store(visits)
	return p
}

// Hit ends the process as kill -9 does, if it is to die at this place and this visit. It
// does not return then: nothing is done after it, also in the moment that the signal takes.
func Hit(place string) {
	if p := armed(); place != p.place || p.left.Add(-1) != 0 {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}
