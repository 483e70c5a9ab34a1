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
	}
}

func (w *world) audit(limit int) []store.AuditEntry {
	w.t.Helper()
	return pages(w, limit, func(p store.Page) ([]store.AuditEntry, string, error) {
		return w.s.ListAudit(w.ctx(), w.account, p)
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

func auditSameTime(w *world) {
	e := store.AuditEntry{AccountID: w.account, Actor: "system", Action: "check.repeat", At: at(time.Second)}
	for range 10 {
		w.must("add audit", w.s.AddAudit(w.ctx(), e))
	}
	if n := len(w.audit(3)); n != 10 {
		w.t.Errorf("ten equal entries are kept as %d", n)
	}
}
