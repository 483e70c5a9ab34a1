package manage

import (
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// The length of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 250 // more is read page by page, so that one call stays short
)

// Page asks for a page of a list.
type Page struct {
	Limit  int    // 1 to MaxLimit; 0 = DefaultLimit
	Cursor string // Next of the page before; "" = the start
}

// List is a page of a list, newest first.
type List[Row any] struct {
	Rows []Row
	Next string // Cursor of the next page; "" = there is no more
}

// page checks p and gives it in the store's form.
func (m *mistakes) page(p Page) store.Page {
	if p.Limit == 0 {
		p.Limit = DefaultLimit
	}
	if p.Limit < 1 || p.Limit > MaxLimit {
		m.add("limit", "must be between 1 and %d; follow next_cursor for more", MaxLimit)
	}
	return store.Page{Limit: p.Limit, Cursor: p.Cursor}
}

// list reads a page of a list that takes no filter.
func list[Row any](page Page, read func(store.Page) ([]Row, string, error)) (List[Row], error) {
	var wrong mistakes
	p := wrong.page(page)
	if err := wrong.err(); err != nil {
		return List[Row]{}, err
	}
	rows, next, err := read(p)
	if err != nil {
		return List[Row]{}, err
	}
	return List[Row]{Rows: rows, Next: next}, nil
}
