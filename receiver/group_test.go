package receiver

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

func TestCallsThatComeTogetherShareACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		hold := make(chan struct{})
		g := newGroup(func(ins []int) ([]int, error) {
			sizes = append(sizes, len(ins))
			<-hold
			outs := make([]int, len(ins))
			for i, in := range ins {
				outs[i] = in * 2
			}
			return outs, nil
		})
		const calls = 2*maxGroup + 1
		var all sync.WaitGroup
		for i := range calls {
			all.Go(func() {
				if got, err := g.do(i); got != i*2 || err != nil {
					t.Errorf("do(%d): got %d, %v; want its own result", i, got, err)
				}
			})
			synctest.Wait()
		}
		close(hold)
		all.Wait()
		if want := []int{1, maxGroup, maxGroup}; !slices.Equal(sizes, want) {
			t.Errorf("sizes of the commits: got %v, want the first alone and the others together: %v", sizes, want)
		}
	})
}

func TestAnErrorOfACommitIsThatOfItsCallsAndNoOthers(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is full")
	fails := true
	g := newGroup(func(ins []int) ([]int, error) {
		if fails {
			return nil, broken
		}
		return ins, nil
	})
	if _, err := g.do(1); !errors.Is(err, broken) {
		t.Errorf("do while the disk is full: got %v, want %v", err, broken)
	}
	fails = false
	if got, err := g.do(2); got != 2 || err != nil {
		t.Errorf("do after it: got %d, %v; want 2", got, err)
	}
}

func TestAQueueThatIsTooLongTurnsCallsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		g := newGroup(func(ins []int) ([]int, error) {
			<-hold
			return ins, nil
		})
		var all sync.WaitGroup
		for i := range maxQueue + 1 { // one is in the commit, the others wait
			all.Go(func() {
				if _, err := g.do(i); err != nil {
					t.Errorf("do(%d): %v", i, err)
				}
			})
			if i == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		if _, err := g.do(0); !errors.Is(err, errCrowded) {
			t.Errorf("do with a full queue: got %v, want %v", err, errCrowded)
		}
		close(hold)
		all.Wait()
	})
}
