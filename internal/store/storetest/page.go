package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func pageChecks() []check {
	return []check{
		{"a list has no gap and no repetition while rows are added", pageWhileAdding},
		{"a filtered list has no gap and no repetition while rows are added", pageFilteredWhileAdding},
		{"a cursor that is malformed is a conflict", pageMalformed},
		{"every list ends", pageEnds},
	}
}

// lister reads a page of ids; add puts one more row into the list.
type lister struct {
	name string
	list func(w *world, page store.Page) ([]string, string, error)
	add  func(w *world)
}

// idsOf turns a page of rows into one of ids.
func idsOf[T any](id func(T) string) func([]T, string, error) ([]string, string, error) {
	return func(rows []T, next string, err error) ([]string, string, error) {
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = id(row)
		}
		return ids, next, err
	}
}

func decimal(id delivery.ID) string { return fmt.Sprint(int64(id)) }

// listers gives every list of an account. All rows of a list are made at the
// same time, so that only a total order keeps them apart.
func listers() []lister {
	events := idsOf(func(e store.Event) string { return e.ID })
	deliveries := idsOf(func(d delivery.Delivery) string { return decimal(d.ID) })
	endpoints := idsOf(func(e store.EndpointView) string { return e.ID })
	jobs := idsOf(func(j store.Job) string { return j.ID })
	keys := idsOf(func(k store.Key) string { return k.ID })
	audit := idsOf(func(e store.AuditEntry) string { return e.Object })
	return []lister{
		{"events", func(w *world, p store.Page) ([]string, string, error) {
			return events(w.s.ListEvents(w.ctx(), w.account, store.EventFilter{}, p))
		}, func(w *world) { w.publish(eventAt(at(0))) }},
		{"deliveries", func(w *world, p store.Page) ([]string, string, error) {
			return deliveries(w.s.ListDeliveries(w.ctx(), w.account, store.DeliveryFilter{}, p))
		}, func(w *world) {
			id := w.newEndpoint()
			w.publish(eventAt(at(0), heldFor(id)), eventAt(at(0), pendingTo(id)))
		}},
		{"endpoints", func(w *world, p store.Page) ([]string, string, error) {
			return endpoints(w.s.ListEndpoints(w.ctx(), w.account, p))
		}, func(w *world) { w.newEndpoint() }},
		{"jobs", func(w *world, p store.Page) ([]string, string, error) {
			return jobs(w.s.ListJobs(w.ctx(), w.account, p))
		}, func(w *world) {
			j := jobOf(w.account, store.JobRetry, store.DeliveryFilter{})
			j.State = store.JobDone // so that nobody takes it up
			w.must("create job", w.s.CreateJob(w.ctx(), j))
		}},
		{"keys", func(w *world, p store.Page) ([]string, string, error) {
			return keys(w.s.ListKeys(w.ctx(), w.account, p))
		}, func(w *world) { w.must("create key", w.s.CreateKey(w.ctx(), keyOf(w.account))) }},
		{"audit", func(w *world, p store.Page) ([]string, string, error) {
			return audit(w.s.ListAudit(w.ctx(), w.account, store.AuditFilter{}, p))
		}, func(w *world) {
			e := store.AuditEntry{AccountID: w.account, Actor: "system", Action: "check.add", Object: newID(""), At: at(0)}
			w.must("add audit", w.s.AddAudit(w.ctx(), e))
		}},
	}
}

// wantSteady reads a list whose rows are there, in small pages, adding rows
// between them: each row that was there at the start comes once.
func wantSteady(w *world, l lister) {
	w.t.Helper()
	list := func(p store.Page) ([]string, string, error) { return l.list(w, p) }
	want := pages(w, 1000, list, nil)
	added := 0
	got := pages(w, 3, list, func() {
		if added < 10 {
			added++
			l.add(w)
		}
	})
	seen := make(map[string]int)
	for _, id := range got {
		seen[id]++
	}
	for _, id := range want {
		if seen[id] != 1 {
			w.t.Errorf("%s: a row that was there from the start came %d times", l.name, seen[id])
		}
		delete(seen, id)
	}
	for _, n := range seen {
		if n > 1 {
			w.t.Errorf("%s: a row that was added came %d times", l.name, n)
		}
	}
}

func pageWhileAdding(w *world) {
	for _, l := range listers() {
		for range 17 {
			l.add(w)
		}
		wantSteady(w, l)
	}
}

func pageFilteredWhileAdding(w *world) {
	one, two := w.newEndpoint(), w.newEndpoint()
	add := func(w *world) {
		w.publish(eventAt(at(0), heldFor(one), heldFor(two)), eventAt(at(0), pendingTo(one)), eventAt(at(time.Second), heldFor(one)))
	}
	for range 10 {
		add(w)
	}
	ids := idsOf(func(d delivery.Delivery) string { return decimal(d.ID) })
	for _, f := range []store.DeliveryFilter{
		{EndpointID: one},
		{EndpointID: one, Statuses: []delivery.Status{delivery.Held}},
		{Statuses: []delivery.Status{delivery.Held, delivery.Pending}},
		{Types: []string{"scan.completed"}, From: at(0), To: at(time.Hour)},
	} {
		wantSteady(w, lister{
			name: fmt.Sprintf("deliveries of %+v", f),
			list: func(w *world, p store.Page) ([]string, string, error) {
				return ids(w.s.ListDeliveries(w.ctx(), w.account, f, p))
			},
			add: add,
		})
	}
}

func pageMalformed(w *world) {
	endpoint := w.newEndpoint()
	w.inStatus(endpoint, delivery.Held)
	for _, cursor := range []string{"not a cursor", "%%%", "é", "' or 1=1 --", "\x00"} {
		page := store.Page{Limit: 5, Cursor: cursor}
		_, _, err := w.s.ListEvents(w.ctx(), w.account, store.EventFilter{}, page)
		w.wantConflict(fmt.Sprintf("list events after %q", cursor), err)
		_, _, err = w.s.ListDeliveries(w.ctx(), w.account, store.DeliveryFilter{}, page)
		w.wantConflict(fmt.Sprintf("list deliveries after %q", cursor), err)
	}
}

func pageEnds(w *world) {
	for _, l := range listers() {
		empty := newWorld(w.t, w.s)
		ids, next, err := l.list(empty, store.Page{Limit: 5})
		w.must("list nothing", err)
		if len(ids) > 0 || next != "" {
			w.t.Errorf("%s of an account that has none: got %v, next %q", l.name, ids, next)
		}
		l.add(empty)
		ids, next, err = l.list(empty, store.Page{Limit: 5})
		w.must("list the only page", err)
		if len(ids) == 0 || next != "" || len(slices.Compact(ids)) != len(ids) {
			w.t.Errorf("%s of an account with one page: got %v, next %q, want no further page", l.name, ids, next)
		}
	}
}
