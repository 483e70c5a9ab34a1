package storetest

import (
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func auditChecks() []check {
	return []check{
		{"who did what is kept, newest first", auditKept},
		{"entries of the same time are all kept", auditSameTime},
		{"the audit is narrowed by who, what and when", auditFiltered},
	}
}

func (w *world) audit(limit int) []store.AuditEntry {
	w.t.Helper()
	return pages(w, limit, func(p store.Page) ([]store.AuditEntry, string, error) {
		return w.s.ListAudit(w.ctx(), w.account, store.AuditFilter{}, p)
	}, nil)
}

func auditKept(w *world) {
	var want []store.AuditEntry
	for i := range 7 {
		e := store.AuditEntry{
			AccountID: w.account, Actor: "key_1", Action: "endpoint.update", Object: fmt.Sprintf("ep_%d", i),
			Detail: "url: https://a.example → https://b.example", At: minute(i),
		}
		w.must("add audit", w.s.AddAudit(w.ctx(), e))
		want = append([]store.AuditEntry{e}, want...)
	}
	w.equal("audit", w.audit(3), want)
}

func auditFiltered(w *world) {
	for i := range 12 {
		e := store.AuditEntry{AccountID: w.account, Actor: []string{"key_1", "usr_1", store.System}[i%3], Action: []string{"endpoint.update", "endpoint.create"}[i%2], Object: fmt.Sprintf("ep_%d", i), At: minute(i)}
		w.must("add audit", w.s.AddAudit(w.ctx(), e))
	}
	for _, tt := range []struct {
		name string
		f    store.AuditFilter
		want string
	}{
		{"who", store.AuditFilter{Actor: "usr_1"}, "[ep_10 ep_7 ep_4 ep_1]"},
		{"what", store.AuditFilter{Action: "endpoint.create"}, "[ep_11 ep_9 ep_7 ep_5 ep_3 ep_1]"},
		{"when", store.AuditFilter{From: minute(3), To: minute(6)}, "[ep_5 ep_4 ep_3]"},
		{"since", store.AuditFilter{From: minute(10)}, "[ep_11 ep_10]"},
		{"until", store.AuditFilter{To: minute(2)}, "[ep_1 ep_0]"},
		{"all of them", store.AuditFilter{Actor: store.System, Action: "endpoint.update", From: minute(1), To: minute(9)}, "[ep_8 ep_2]"},
		{"nobody", store.AuditFilter{Actor: "' or 1=1 --"}, "[]"},
	} {
		objects := []string{}
		for _, e := range pages(w, 2, func(p store.Page) ([]store.AuditEntry, string, error) {
			return w.s.ListAudit(w.ctx(), w.account, tt.f, p)
		}, nil) {
			objects = append(objects, e.Object)
		}
		if got := fmt.Sprint(objects); got != tt.want {
			w.t.Errorf("by %s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func auditSameTime(w *world) {
	e := store.AuditEntry{AccountID: w.account, Actor: "system", Action: "check.repeat", At: at(time.Second)}
	for range 10 {
		w.must("add audit", w.s.AddAudit(w.ctx(), e))
	}
	if n := len(w.audit(3)); n != 10 {
		w.t.Errorf("ten equal entries are kept as %d", n)
	}
}
