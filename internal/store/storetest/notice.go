package storetest

import (
	"slices"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// noticeChecks are alone: notices are listed over all accounts.
func noticeChecks() []check {
	return []check{
		{"the oldest come first, at most as many as asked for", noticeOldest},
		{"a notice is removed when it has been told", noticeDelete},
	}
}

func (w *world) listNotices(limit int) []store.NoticeRow {
	w.t.Helper()
	rows, err := w.s.ListNotices(w.ctx(), limit)
	w.must("list notices", err)
	return rows
}

func noticeOldest(w *world) {
	for i := range 5 {
		w.end(lastStep(), w.lease(w.newEndpoint()), delivery.ServerError, minute(i))
	}
	all := w.listNotices(1000)
	if len(w.notices()) != 5 {
		w.t.Fatalf("five dead letters made %d notices", len(w.notices()))
	}
	if !slices.IsSortedFunc(all, func(a, b store.NoticeRow) int { return a.CreatedAt.Compare(b.CreatedAt) }) {
		w.t.Errorf("the list is not oldest first")
	}
	w.equal("the first three", w.listNotices(3), all[:3])
}

func noticeDelete(w *world) {
	for range 2 {
		w.inStatus(w.newEndpoint(), delivery.Failed)
	}
	rows := w.notices()
	if len(rows) != 2 {
		w.t.Fatalf("two dead letters made %d notices", len(rows))
	}
	for range 2 { // the second time it is missing
		w.must("delete notice", w.s.DeleteNotice(w.ctx(), rows[0].ID))
		w.equal("notices", w.notices(), rows[1:])
	}
}
