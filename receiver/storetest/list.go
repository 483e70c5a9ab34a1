package storetest

import (
	"fmt"
	"slices"

	"github.com/compliancelayer/compliancelayer/receiver"
)

func listChecks() []check {
	return []check{
		{"a list is in the order in which items came, whatever became of them", listOrder},
		{"a list has bodies when the filter has ids, and else none", listBodies},
		{"a filter chooses by lane, id and status, all together", listFilter},
		{"a filter that names nothing chooses nothing", listNothing},
		{"pages give every item once, in order", listPages},
		{"a page has 100 items if it is not told, and at most 1000", listLimits},
		{"an item that comes between two pages is at the end", listBetween},
		{"a place that no page gave is an error", listAfter},
	}
}

// shelf puts one item of each status into two lanes.
func shelf(w *world) {
	for _, lane := range []string{"one", "two"} {
		w.put(in(lane, "waiting"), in(lane, "working"), in(lane, "done"), in(lane, "failed"))
		w.begin(in(lane, "working"), receiver.Begun)
		w.finished(in(lane, "done"), receiver.Done)
		w.finished(in(lane, "failed"), receiver.Failed)
	}
}

func listOrder(w *world) {
	w.put(event("d"), event("a"), event("c"))
	w.put(in("lane", "b"))
	w.finished(event("a"), receiver.Done)
	w.finished(event("d"), receiver.Failed)
	w.record(after(w.begin(event("c"), receiver.Begun), lease))
	w.begin(in("lane", "b"), receiver.Begun)
	w.wantIDs("all", w.list(receiver.Filter{}), "d", "a", "c", "b")
}

func listBodies(w *world) {
	w.put(event("a"), event("b"))
	for _, item := range w.list(receiver.Filter{}) {
		if len(item.Body) > 0 {
			w.t.Errorf("%s comes with its body", item.ID)
		}
		item.Body = event(item.ID).Body
		w.wantSame("without its body", item, event(item.ID))
	}
	for _, item := range w.list(receiver.Filter{IDs: []string{"a", "b"}}) {
		w.wantSame("with its body", item, event(item.ID))
	}
}

func listFilter(w *world) {
	shelf(w)
	both := func(names ...string) []string { return append(slices.Clone(names), names...) }
	all := []string{"waiting", "working", "done", "failed"}
	tests := []struct {
		filter receiver.Filter
		want   []string
	}{
		{receiver.Filter{}, both(all...)},
		{receiver.Filter{Lanes: []string{"two"}}, all},
		{receiver.Filter{Lanes: []string{"two", "none"}}, all},
		{receiver.Filter{Lanes: []string{"two", "one", "two"}}, both(all...)},
		{receiver.Filter{Lanes: []string{""}}, nil},
		{receiver.Filter{IDs: []string{"failed", "done", "failed"}}, both("done", "failed")},
		{receiver.Filter{IDs: []string{"none"}}, nil},
		{receiver.Filter{Statuses: []receiver.Status{receiver.Working}}, both("working")},
		{receiver.Filter{Statuses: []receiver.Status{receiver.Failed, receiver.Waiting}}, both("waiting", "failed")},
		{receiver.Filter{Statuses: []receiver.Status{receiver.Done}, IDs: []string{"done", "failed"}}, both("done")},
		{receiver.Filter{Lanes: []string{"one"}, IDs: []string{"done", "failed"}, Statuses: []receiver.Status{receiver.Failed, receiver.Working}}, []string{"failed"}},
	}
	for _, tt := range tests {
		w.wantIDs(fmt.Sprintf("%+v", tt.filter), w.list(tt.filter), tt.want...)
	}
	for _, item := range w.list(receiver.Filter{}) {
		if item.ID != string(item.Status) {
			w.t.Errorf("%s is %s", item.ID, item.Status)
		}
	}
}

func listNothing(w *world) {
	shelf(w)
	for _, filter := range []receiver.Filter{{Lanes: []string{}}, {IDs: []string{}}, {Statuses: []receiver.Status{}}} {
		w.wantIDs(fmt.Sprintf("%+v", filter), w.list(filter))
	}
}

// pages reads a list to its end.
func (w *world) pages(filter receiver.Filter, limit int) []receiver.Item {
	w.t.Helper()
	var all []receiver.Item
	page := receiver.Page{Limit: limit}
	for {
		items, next, err := w.s.List(w.ctx(), filter, page)
		if err != nil {
			w.t.Fatalf("List: %v", err)
		}
		if all = append(all, items...); next == "" {
			return all
		}
		if len(items) == 0 || len(items) > limit {
			w.t.Fatalf("a page of %d has %d items and is not the last", limit, len(items))
		}
		page.After = next
	}
}

func listPages(w *world) {
	var want []string
	for i, item := range events(24) {
		item.Lane = []string{"", "one", "two"}[i%3]
		w.put(item)
		if i%4 == 0 {
			w.finished(item, receiver.Done)
		}
		want = append(want, item.ID)
	}
	for _, limit := range []int{1, 5, 23, 24, 25} {
		w.wantIDs(fmt.Sprintf("pages of %d", limit), w.pages(receiver.Filter{}, limit), want...)
	}
	var done []string
	for i := 0; i < len(want); i += 4 {
		done = append(done, want[i])
	}
	w.wantIDs("pages of what is done", w.pages(receiver.Filter{Statuses: []receiver.Status{receiver.Done}}, 2), done...)
	w.wantIDs("pages of ids", w.pages(receiver.Filter{IDs: want[3:9]}, 2), want[3:9]...)
}

func listLimits(w *world) {
	w.put(events(1001)...)
	for limit, want := range map[int]int{0: 100, -1: 100, 7: 7, 1000: 1000, 5000: 1000} {
		items, next, err := w.s.List(w.ctx(), receiver.Filter{}, receiver.Page{Limit: limit})
		if err != nil || len(items) != want || next == "" {
			w.t.Errorf("a page of %d: %d items, next %q, error %v; want %d and more to come", limit, len(items), next, err, want)
		}
	}
}

func listBetween(w *world) {
	w.put(events(4)...)
	first, next, err := w.s.List(w.ctx(), receiver.Filter{}, receiver.Page{Limit: 2})
	if err != nil {
		w.t.Fatalf("List: %v", err)
	}
	w.put(event("new"))
	w.record(end(w.begin(first[0], receiver.Begun), "")) // where the first page was
	second, _, err := w.s.List(w.ctx(), receiver.Filter{}, receiver.Page{After: next})
	if err != nil {
		w.t.Fatalf("List: %v", err)
	}
	w.wantIDs("the second page", second, "evt-00002", "evt-00003", "new")
}

func listAfter(w *world) {
	if _, _, err := w.s.List(w.ctx(), receiver.Filter{}, receiver.Page{After: "nowhere"}); err == nil {
		w.t.Error("List from a place that is none: no error")
	}
}
