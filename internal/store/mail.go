package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// Mails is the outbox: what people are to be told by mail, each row one thing for one
// address, written in the transaction that removes the notice of it. A mailbox is an address as one
// account tells it: what waits there goes into one letter, which keeps its rows and its id until it
// has ended: sent again after a crash, it is the same one. Nothing of one account's mailboxes depends on another's.
// Rows of more than a minute ahead were written before the clock was put back: what is written after happened after them.
type Mails interface {
	// MailAddresses gives who is told in an account: its recipients, or, while it has
	// none, the first 50 of its owners and admins.
	MailAddresses(ctx context.Context, accountID string) ([]string, error)
	// ClaimLetter leases the letter that has been due longest. What waits in its mailbox goes
	// into it, unless it was put together before and has not ended. No two live leases ever exist for
	// one mailbox, whatever nodes do. One that has had its letters of the day waits, and its mails say
	// so, until one of a kind waits there that always goes. ErrNotFound when nothing is due.
	ClaimLetter(ctx context.Context, claim LetterClaim) (Letter, error)
	// HandLetter notes, before the mail server is given a letter, that it may have it from now on, and
	// prolongs the lease until then. ErrLeaseLost when the lease was: another node has the letter.
	HandLetter(ctx context.Context, l Letter, until time.Time) error
	// EndLetter ends a letter: all of its rows are in that state from then on, and nothing
	// goes to its mailbox before `rest`. Unless it was sent, there is an audit row in its
	// account. ErrLeaseLost when the lease was.
	EndLetter(ctx context.Context, l Letter, state MailState, problem string, now, rest time.Time) error
	// PassLetter drops l.Mails, whose address is not told any more, and writes mails that tell others the same,
	// each unless its address was told just that, or what happened later. A letter that has more rows is due again at once; else
	// it has ended, and there is an audit row. ErrLeaseLost when the lease was.
	PassLetter(ctx context.Context, l Letter, mails []Mail, problem string, now time.Time) error
	// PostponeLetter gives the lease back; the letter is due again at a time, and l.Handed is kept with
	// it. ErrLeaseLost when the lease was.
	PostponeLetter(ctx context.Context, l Letter, problem string, until time.Time) error
	// TestTurn takes a mailbox's turn for a test mail, which is no letter and counts as one: *Conflict when
	// it had a turn since the time given, or `daily` letters on the day of now, whatever became of them.
	TestTurn(ctx context.Context, accountID, email string, now, since time.Time, daily int) error
	// AdoptMails makes due what was written before a time, waits, and is in no mailbox that anybody will look at: a
	// node of the release before, which knows other mailboxes, has left it. It answers how many mailboxes are due now.
	AdoptMails(ctx context.Context, now, before time.Time) (int, error)
	// ListMails lists an account's, newest first.
	ListMails(ctx context.Context, accountID string, page Page) ([]Mail, string, error)
	// DeleteMails removes at most limit rows that were written before a time, whatever became of them, and
	// then mailboxes that nothing is known of. It answers how many.
	DeleteMails(ctx context.Context, before time.Time, limit int) (int, error)
}

// Recipients keeps the addresses that an account wants its mails to go to.
type Recipients interface {
	// AddRecipient adds one. *Conflict when it is there or `daily` were added on the day of its
	// CreatedAt, removed ones among them; ErrLimit when there are `most`.
	AddRecipient(ctx context.Context, r Recipient, most, daily int) error
	// ListRecipients lists all of an account's, in order.
	ListRecipients(ctx context.Context, accountID string) ([]Recipient, error)
	RemoveRecipient(ctx context.Context, accountID, email string) error
}

// Recipient is an address that is told by mail what happens to an account's endpoints.
type Recipient struct {
	AccountID string
	Email     string // in lower case
	By        string // who added it, as in the audit
	CreatedAt time.Time
}

// MailState says what became of a mail.
type MailState string

// The states of a mail.
const (
	MailWaiting MailState = "waiting"
	MailSent    MailState = "sent"
	MailRefused MailState = "refused"  // the mail server takes none for that address
	MailGivenUp MailState = "given_up" // it was tried long enough
	MailUnknown MailState = "unknown"  // the mail server was given it and did not say whether it took it
	MailDropped MailState = "dropped"  // the address is not told any more, and others are in its place
)

// Mail is one thing to be told to one address.
type Mail struct {
	ID         string // made of what is told and to whom: telling it twice writes one row
	AccountID  string
	Email      string
	Topic      string // what it is about, to tell it once and never after what happened later
	EndpointID string
	Kind       delivery.Notice
	Facts      json.RawMessage
	CreatedAt  time.Time
	HappenedAt time.Time
	// Again is read when it is written: nothing is, when the same topic was told to the
	// same address so long before. 0 = always.
	Again time.Duration

	// What became of it; only read.
	State   MailState
	EndedAt time.Time
	Problem string // of the last try, in words for the account; "" = none
	// DueAt is when it goes at the earliest, of one that waits and is not being sent: after the rest of its mailbox, or at the
	// next try. Zero = not known: it waits for the letter that is on its way.
	DueAt time.Time
	// Enabled, in a letter, says that its endpoint is enabled when the letter is claimed: one that it tells disabled has been enabled since.
	Enabled bool
}

// LetterClaim asks for a letter.
type LetterClaim struct {
	Now    time.Time
	Until  time.Time       // the end of the lease
	Beyond time.Time       // what is due later was written before the clock was put back: it counts as due
	Most   int             // rows to read of it
	Daily  int             // letters that a mailbox gets on a day, in UTC
	Always delivery.Notice // of this kind a mail is told when it has had them, too, with all that waits
	Later  time.Time       // when to look again at one that has had them
}

// Letter is what one address is told at once by one account.
type Letter struct {
	ID        string // that of its oldest row
	AccountID string
	Email     string
	Mails     []Mail // oldest first, the last ones, as many as were asked for
	Count     int    // all of them
	Attempts  int    // this one included
	Sent      int    // letters of its mailbox that were begun on the day, and test mails, this one included
	Handed    int    // tries before, after which nobody knows whether it arrived
	Token     int64
}
