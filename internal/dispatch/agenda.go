package dispatch

import (
	"container/heap"
	"time"
)

// agenda says when to look at which endpoint again, the earliest first. An
// endpoint stands in it once at the most.
type agenda struct {
	items entries
	of    map[string]*entry
}

type entry struct {
	at    time.Time
	id    string
	place int // in the heap
}

type entries []*entry

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e entries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].place, e[j].place = i, j
}

func (e *entries) Push(x any) {
	one := x.(*entry)
	one.place = len(*e)
	*e = append(*e, one)
}

func (e *entries) Pop() any {
	n := len(*e) - 1
	last := (*e)[n]
	(*e)[n] = nil // the rest of the array must not keep it
	*e = (*e)[:n]
	return last
}

// add notes a time, unless an earlier one is noted already.
func (a *agenda) add(id string, at time.Time) {
	have, ok := a.of[id]
	switch {
	case !ok:
		if a.of == nil {
			a.of = map[string]*entry{}
		}
		a.of[id] = &entry{at: at, id: id}
		heap.Push(&a.items, a.of[id])
	case at.Before(have.at):
		have.at = at
		heap.Fix(&a.items, have.place)
	}
}

// due takes the endpoints whose time has come.
func (a *agenda) due(now time.Time) []string {
	var ids []string
	for len(a.items) > 0 && !a.items[0].at.After(now) {
		one := heap.Pop(&a.items).(*entry)
		delete(a.of, one.id)
		ids = append(ids, one.id)
	}
	return ids
}

// next gives the earliest time.
func (a *agenda) next() (time.Time, bool) {
	if len(a.items) == 0 {
		return time.Time{}, false
	}
	return a.items[0].at, true
}
