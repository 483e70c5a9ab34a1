package receiver

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Status says where an item stands.
type Status string

// The statuses of an item.
const (
	Waiting Status = "waiting" // for its turn, until DueAt
	Working Status = "working" // under a lease, until DueAt
	Done    Status = "done"    // kept so that copies are known
	Failed  Status = "failed"  // for good; kept until somebody runs it again or removes it
)

// Item is one event in one lane of an inbox. Lane and ID together name it.
type Item struct {
	Lane       string // which worker it is for; "" when there is only one
	ID         string // the event's
	Type       string
	DeliveryID int64
	Body       []byte // as it was received
	ReceivedAt time.Time

	Status   Status
	Tries    int       // leases that it had: runs of the handler, or turns that it had to give back
	Failures int       // of them, those in which it ended with an error that counts
	Lost     int       // of them, those that ran out
	Unsure   bool      // an earlier try may have had its effect
	DueAt    time.Time // when somebody must look at it again; zero when it is done or failed
	EndedAt  time.Time // when it was done or failed; else zero
	Error    string    // what the last try that did not end well said
	Token    string    // of the lease, while working
}

// Key names the item.
func (i Item) Key() Key { return Key{i.Lane, i.ID} }

// Key names an item.
type Key struct{ Lane, ID string }

// End is how a try ended, as it is written while its lease holds.
type End struct {
	Key    Key
	Token  string
	To     Status        // Waiting, Done or Failed; "" forgets the item, as if it had never come
	Delay  time.Duration // with Waiting: until its next turn
	Back   bool          // with Waiting: it keeps its place in the order of arrival; Delay is 0
	Counts bool          // the try is one more of Failures
	Unsure bool          // the effect may have happened
	Error  string

	// Overran is how many leases ran out although the handler went on: they are taken
	// off Lost.
	Overran int
}

// Standing is what Begin found.
type Standing string

// What Begin finds.
const (
	Begun Standing = "begun" // the item is leased to the caller
	Busy  Standing = "busy"  // somebody else has it under a lease
	Ended Standing = "ended" // it is done
)

// Filter chooses items. Its zero value chooses all.
type Filter struct {
	Lanes    []string // nil = all
	IDs      []string // nil = all
	Statuses []Status // nil = all
}

// Page is a part of a list.
type Page struct {
	Limit int    // 0 = 100, at most 1000
	After string // Next of the page before; "" = from the start
}

// Depth is how many items of a lane have a status.
type Depth struct {
	Lane   string
	Status Status // Waiting, Working or Failed; what is done is not counted
	Count  int
	Oldest time.Time // when the oldest of them was received
}

// ErrLeaseLost means that the lease of a token is over, and somebody else may have the item.
var ErrLeaseLost = errors.New("the lease of the event is lost")

// Store keeps items. Every method is safe for use by many goroutines and many
// processes at once; what it says has happened is on disk. Time is the store's own, so
// that processes with different clocks agree: a lease begins when the store grants it.
// Package storetest holds a store against this contract.
type Store interface {
	// Put keeps items as Waiting, due at once, and tells of each whether it is new. One
	// whose key is known, or comes twice in items, stays as it is. All are kept, or
	// none and there is an error. Of each item, Lane, ID, Type, DeliveryID and Body are
	// read.
	Put(ctx context.Context, items []Item) (fresh []bool, err error)

	// Begin leases one item, which it keeps first if it is not known, whatever its
	// DueAt. An item that is Failed begins anew: its counts are 0. One whose lease ran
	// out is taken over, as in Claim. The item is as it stands; it is leased only when
	// the standing is Begun.
	Begin(ctx context.Context, item Item, lease time.Duration) (Item, Standing, error)

	// Claim leases up to most items of a lane that are due: those that have been due
	// longest, of the same moment those that came first. They are given in the order
	// in which they came. Each has one more of
	// Tries and a token of its own. A Working item whose lease ran out is due: it has
	// one more of Lost, and is Unsure. Next is how long it is until another item of the
	// lane is due: 0 when one is already, negative when there is none at all.
	Claim(ctx context.Context, lane string, most int, lease time.Duration) (claimed []Item, next time.Duration, err error)

	// Record writes how tries ended. Each end is written if its token still holds, and
	// lost[i] is true of those whose token does not; all are written, or none and there
	// is an error.
	Record(ctx context.Context, ends []End) (lost []bool, err error)

	// List gives items in the order in which they came, without their bodies unless
	// the filter has IDs. Next is "" after the last.
	List(ctx context.Context, filter Filter, page Page) (items []Item, next string, err error)

	// Rerun makes Failed and Done items that the filter chooses Waiting, due at once,
	// with counts of 0, and those that are Waiting due at once. Working ones stay. A
	// Done item is run again only when the filter names it by its id and by the status
	// Done. It tells how many it changed.
	Rerun(ctx context.Context, filter Filter) (int, error)

	// Purge removes up to most items that were done longer than done ago, or failed
	// longer than failed ago; 0 keeps them for ever. It tells how many it removed.
	// What was made to wait, or was leased, later than now, because the clock has been set
	// back since, is due as much earlier from then on.
	Purge(ctx context.Context, done, failed time.Duration, most int) (int, error)

	// Depths counts what is not done, by lane and status.
	Depths(ctx context.Context) ([]Depth, error)
}

// Tx is what a handler may do within a transaction of a [TxStore]: a [sql.Tx] without
// its end.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// TxStore is a store whose database handlers may use too.
type TxStore interface {
	Store
	// EndInTx writes an end and runs fn in one transaction: both are kept, or neither.
	// It fails with ErrLeaseLost, without a run of fn, when the token does not hold,
	// and with the error of fn, which is wrapped at most.
	EndInTx(ctx context.Context, end End, fn func(Tx) error) error
}
