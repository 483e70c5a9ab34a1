package dispatch

import (
	"log/slog"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// Whatever lanes have taken, one that comes new finds something until its kind
// holds its three quarters or everything is taken.
func TestABoundLeavesSomethingToEachKindAndToANewLane(t *testing.T) {
	t.Parallel()
	for most := range 65 {
		share := most - most/4
		for a := range share + 1 {
			for b := range min(share, most-a) + 1 {
				bd := bound{most: most, held: [2]int{a, b}}
				for k, mine := range bd.held {
					got := bd.left(kind(k), 0)
					if room := mine+got <= share && a+b+got <= most; !room {
						t.Fatalf("of %d with %d and %d held, kind %d may take %d more", most, a, b, k, got)
					}
					if free := mine < share && a+b < most; free != (got > 0) {
						t.Fatalf("of %d with %d and %d held, a new lane of kind %d may take %d", most, a, b, k, got)
					}
					if more := bd.left(kind(k), got); more != 0 {
						t.Fatalf("of %d with %d and %d held, a lane of kind %d may take %d and then %d more", most, a, b, k, got, more)
					}
				}
			}
		}
	}
}

// crowd is a dispatcher with more lanes than are remembered.
func crowd() *Dispatcher {
	d := New(Config{Concurrency: 32, Log: slog.New(slog.DiscardHandler)})
	for i := range maxIdleLanes + 1 {
		d.lane(time.Duration(i).String())
	}
	return d
}

func TestALaneIsNotForgottenBeforeItsRateWouldLetANewOneStart(t *testing.T) {
	t.Parallel()
	d := crowd()
	l := d.lane("ep_1")
	l.setRate(1)
	d.forgetIdle(l)
	if d.lanes["ep_1"] != l {
		t.Error("forgotten right after an attempt: the next event would go out at once, whatever the rate")
	}
	l.rate = rate.NewLimiter(1, 1)
	d.forgetIdle(l)
	if d.lanes["ep_1"] != nil {
		t.Error("remembered although a new lane would be no faster")
	}
}

func TestLanesThatCameBackAfterTheirLastAttemptAreForgotten(t *testing.T) {
	t.Parallel()
	d := crowd()
	busy := d.lane("ep_busy")
	busy.queue = []delivery.Lease{{}}
	d.forgetAllIdle()
	if len(d.lanes) > maxIdleLanes || d.lanes["ep_busy"] != busy {
		t.Errorf("%d lanes are left, the busy one is there: %t; want %d with it", len(d.lanes), d.lanes["ep_busy"] == busy, maxIdleLanes)
	}
}
