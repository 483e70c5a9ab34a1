package store

import (
	"errors"
	"fmt"
)

// The errors that callers may tell apart with errors.Is. Driver errors are
// translated to these by code; anything else is a fault of ours.
var (
	// ErrNotFound: no such row in this account.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the row exists with other content, or is in a state that
	// forbids the change. Conflict carries the words.
	ErrConflict = errors.New("conflict")
	// ErrDisabled: the endpoint does not receive; test it, then enable it.
	ErrDisabled = errors.New("endpoint is disabled")
	// ErrLimit: the account has as many of these as it may have.
	ErrLimit = errors.New("limit reached")
	// ErrStale: the subscriptions were changed since they were read. Read them
	// again and repeat; nothing was written.
	ErrStale = errors.New("subscriptions changed")
	// ErrFull: the disk or the database is full. Nothing was written.
	ErrFull = errors.New("storage is full")
	// ErrUnavailable: the database cannot be reached now.
	ErrUnavailable = errors.New("database unavailable")
	// ErrSlow: the database was given up on while it looked for an answer. Less to look
	// through helps.
	ErrSlow = fmt.Errorf("%w: it takes too long", ErrUnavailable)
	// ErrNewer: the database was made by a newer release of the program.
	ErrNewer = errors.New("database is newer than this program")
	// ErrInUse: another process serves this SQLite file.
	ErrInUse = errors.New("database is in use")
	// ErrWrongKey: the database was made with another encryption key.
	ErrWrongKey = errors.New("wrong encryption key")
	// ErrLeaseLost: another node has taken the work over. Nothing was written.
	ErrLeaseLost = errors.New("lease lost")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
)

// Conflict is an ErrConflict with a plain sentence for the caller and, for a
// batch, the index of the offending item.
type Conflict struct {
	Index   int    // in Batch.Events; 0 elsewhere
	Message string // plain words, safe to show to the account
}

// Error gives the plain sentence.
func (c *Conflict) Error() string { return c.Message }

// Unwrap makes errors.Is(err, ErrConflict) true.
func (c *Conflict) Unwrap() error { return ErrConflict }

// Conflictf makes a Conflict of item 0.
func Conflictf(format string, args ...any) error {
	return &Conflict{Message: fmt.Sprintf(format, args...)}
}
