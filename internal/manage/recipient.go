package manage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/mail"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const (
	// maxRecipients is how many addresses an account may name: a team, and a list of its own.
	maxRecipients = 20
	// maxNamed is how many addresses an account may add in a day: whoever is named may be a stranger, and gets mails.
	maxNamed = 20
	// testEvery is the least time between two test mails to an address: nobody is to be flooded by a button.
	testEvery = time.Minute
	// testWithin bounds all test mails of a call, so that its answer comes before a browser gives up.
	testWithin = 25 * time.Second
)

// Recipients is who is told by mail what happens to an account's endpoints.
type Recipients struct {
	Rows      []store.Recipient // the addresses that were added
	Told      []string          // who is told now: those, or without any the account's owners and admins
	SendsMail bool              // this server has a mail server
}

// SentMail is one thing that one address was told, or is to be.
type SentMail struct {
	store.Mail
	Title string // what it tells
}

// TestedMail is what became of a test mail.
type TestedMail struct {
	Email   string
	Problem string // in plain words; "" = the mail server took it
}

// ListRecipients says who is told by mail. There are few, so that they come on one page.
func (m *Manager) ListRecipients(ctx context.Context, caller auth.Caller, _ struct{}) (Recipients, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (Recipients, error) {
		rows, err := m.db.ListRecipients(ctx, caller.AccountID)
		if err != nil {
			return Recipients{}, err
		}
		told, err := m.db.MailAddresses(ctx, caller.AccountID)
		if err != nil {
			return Recipients{}, err
		}
		return Recipients{Rows: rows, Told: told, SendsMail: m.mail != nil}, nil
	})
}

// AddRecipient adds an address to the caller's account. *Invalid when it is none, *store.Conflict when it is there
// or twenty were added today, store.ErrLimit when there are twenty.
func (m *Manager) AddRecipient(ctx context.Context, caller auth.Caller, email string) (store.Recipient, error) {
	return change(ctx, m, caller, auth.Manage, "recipient.add", func(ctx context.Context) (store.Recipient, deed, error) {
		if err := mayTell(caller); err != nil {
			return store.Recipient{}, deed{}, err
		}
		var wrong mistakes
		email := wrong.email(email)
		if err := wrong.err(); err != nil {
			return store.Recipient{}, deed{}, err
		}
		row := store.Recipient{AccountID: caller.AccountID, Email: email, By: caller.Actor, CreatedAt: now()}
		if err := m.db.AddRecipient(ctx, row, maxRecipients, maxNamed); err != nil {
			return store.Recipient{}, deed{}, err
		}
		return row, deed{object: email, detail: "is told by mail"}, nil
	})
}

// RemoveRecipient takes an address out of the caller's account. The answer is empty.
func (m *Manager) RemoveRecipient(ctx context.Context, caller auth.Caller, email string) (struct{}, error) {
	return change(ctx, m, caller, auth.Manage, "recipient.remove", func(ctx context.Context) (struct{}, deed, error) {
		if err := mayTell(caller); err != nil {
			return struct{}{}, deed{}, err
		}
		var wrong mistakes
		email := wrong.email(email)
		if wrong.err() != nil {
			return struct{}{}, deed{}, store.ErrNotFound
		}
		if err := m.db.RemoveRecipient(ctx, caller.AccountID, email); err != nil {
			return struct{}{}, deed{}, err
		}
		return struct{}{}, deed{object: email, detail: "is told no more"}, nil
	})
}

// ListMails pages through what the account's people were told by mail, and are to be, of the last week.
func (m *Manager) ListMails(ctx context.Context, caller auth.Caller, page Page) (List[SentMail], error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (List[SentMail], error) {
		return list(page, func(p store.Page) ([]SentMail, string, error) {
			rows, next, err := m.db.ListMails(ctx, caller.AccountID, p)
			sent := make([]SentMail, len(rows))
			for i, row := range rows {
				sent[i] = SentMail{Mail: row, Title: mail.Title(row)}
			}
			return sent, next, err
		})
	})
}

// TestMail sends everybody who is told a test mail now, and answers what became of each. *store.Conflict when this
// server sends no mail, or there is nobody to send one to.
func (m *Manager) TestMail(ctx context.Context, caller auth.Caller, _ struct{}) ([]TestedMail, error) {
	return change(ctx, m, caller, auth.Manage, "mail.test", func(ctx context.Context) ([]TestedMail, deed, error) {
		if err := mayTell(caller); err != nil {
			return nil, deed{}, err
		}
		if m.mail == nil {
			return nil, deed{}, store.Conflictf("this server sends no mail: its operator has not named a mail server (serve --smtp)")
		}
		to, err := m.db.MailAddresses(ctx, caller.AccountID)
		if err != nil {
			return nil, deed{}, err
		}
		if len(to) == 0 {
			return nil, deed{}, store.Conflictf("nobody is told by mail: add an address first")
		}
		account, err := m.db.Account(ctx, caller.AccountID)
		if err != nil {
			return nil, deed{}, err
		}
		done, err := m.testAll(ctx, caller.AccountID, to, account.Name)
		return done, deed{object: caller.AccountID, detail: tested(done)}, err
	})
}

// tested says how many mails of how many were taken.
func tested(done []TestedMail) string {
	taken := 0
	for _, one := range done {
		if one.Problem == "" {
			taken++
		}
	}
	return fmt.Sprintf("taken for %d of %s", taken, counted(len(done), "address", "addresses"))
}

// testAll sends the test mails one after the other, until the mail server is found not to answer.
func (m *Manager) testAll(ctx context.Context, accountID string, to []string, account string) ([]TestedMail, error) {
	ctx, cancel := context.WithTimeout(ctx, testWithin)
	defer cancel()
	var done []TestedMail
	for i, email := range to {
		problem, goesOn, err := m.testOne(ctx, accountID, email, account)
		if err != nil {
			return done, err
		}
		done = append(done, TestedMail{Email: email, Problem: problem})
		if goesOn && ctx.Err() == nil {
			continue
		}
		for _, email := range to[i+1:] {
			done = append(done, TestedMail{Email: email, Problem: "It was not tried: the mail server did not take the one before, or took too long."})
		}
		return done, nil
	}
	return done, nil
}

func (m *Manager) testOne(ctx context.Context, accountID, email, account string) (problem string, goesOn bool, _ error) {
	at, err := m.clock(ctx)
	if err != nil {
		return "", false, err
	}
	err = m.db.TestTurn(ctx, accountID, email, at, at.Add(-testEvery), mail.DailyMails)
	var conflict *store.Conflict
	if errors.As(err, &conflict) {
		return "Not now: " + conflict.Message + ".", true, nil
	}
	if err != nil {
		return "", false, err
	}
	err = m.mail.SendTest(ctx, email, account)
	var p *mail.Problem
	if errors.As(err, &p) {
		return p.Text, p.Letter, nil
	}
	return "", true, err
}

// mayTell keeps members who may not change people from changing who is told: they could silence the owners. An
// API key with the scope may, so they make no such key either.
func mayTell(caller auth.Caller) error {
	if !caller.Gives(auth.Manage) {
		return &Forbidden{Scope: auth.People, Has: caller.Scopes}
	}
	return nil
}
