package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// Mails is the outbox: what people are to be told by mail, each row one thing for one
// address, written in the transaction that removes the notice of it. What waits for an
// address goes into one letter, which keeps its rows and its id until it has ended: sent
// again after a crash, it is the same one.
type Mails interface {
	// MailAddresses gives who is told in an account: its recipients, or, while it has
	// none, the first 50 of its owners and admins.
	MailAddresses(ctx context.Context, accountID string) ([]string, error)
	// ClaimLetter leases the letter that has been due longest. What waits for its address goes
	// into it, unless it was put together before and has not ended. No two live leases ever exist for
	// one address, whatever nodes do. ErrNotFound when nothing is due.
	ClaimLetter(ctx context.Context, claim LetterClaim) (Letter, error)
	// EndLetter ends a letter: all of its rows are in that state from then on, and nothing
	// goes to its address before `rest`. Unless it was sent, there is an audit row in every account that it
	// tells of. ErrLeaseLost when the lease was.
	EndLetter(ctx context.Context, l Letter, state MailState, problem string, now, rest time.Time) error
	// PostponeLetter gives the lease back; the letter is due again at a time. ErrLeaseLost when the lease was.
	PostponeLetter(ctx context.Context, l Letter, problem string, until time.Time) error
	// TestTurn takes an address's turn for a test mail, which is no letter: *Conflict when it
	// had one since the time given.
	TestTurn(ctx context.Context, email string, now, since time.Time) error
	// ListMails lists an account's, newest first.
	ListMails(ctx context.Context, accountID string, page Page) ([]Mail, string, error)
	// DeleteMails removes at most limit rows that ended before a time, and answers how many.
	DeleteMails(ctx context.Context, before time.Time, limit int) (int, error)
}

// Recipients keeps the addresses that an account wants its mails to go to.
type Recipients interface {
	// AddRecipient adds one. *Conflict when it is there, ErrLimit when there are `most`.
	AddRecipient(ctx context.Context, r Recipient, most int) error
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
)

// Mail is one thing to be told to one address.
type Mail struct {
	ID         string // made of what is told and to whom: telling it twice writes one row
	AccountID  string
	Email      string
	Topic      string // what it is about, to tell it once
	EndpointID string
	Kind       delivery.Notice
	Facts      json.RawMessage
	CreatedAt  time.Time
	// Again is read when it is written: nothing is, when the same topic was told to the
	// same address so long before. 0 = always.
	Again time.Duration

	// What became of it; only read.
	State   MailState
	EndedAt time.Time
	Problem string // of the last try, in words for the account; "" = none
}

// LetterClaim asks for a letter.
type LetterClaim struct {
	Now    time.Time
	Until  time.Time // the end of the lease
	Beyond time.Time // what is due later was written before the clock was put back: it counts as due
	Most   int       // rows to read of it
}

// Letter is what one address is told at once.
type Letter struct {
	ID       string // that of its oldest row
	Email    string
	Mails    []Mail // oldest first, as many as were asked for
	Count    int    // all of them
	Attempts int    // this one included
	Token    int64
}
