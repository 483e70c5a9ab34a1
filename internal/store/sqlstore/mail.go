package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// queueMails writes mails. The mailbox's row is locked first, so that two nodes do not tell
// it one thing at the same time, in the order of accounts and addresses, so that they never wait in a circle.
func queueMails(ctx context.Context, c conn, mails []store.Mail) error {
	mails = slices.SortedStableFunc(slices.Values(mails), func(a, b store.Mail) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.Email, b.Email))
	})
	for _, m := range mails {
		if err := lockMailbox(ctx, c, m.AccountID, m.Email); err != nil {
			return err
		}
		told, err := toldAlready(ctx, c, m)
		if err != nil {
			return err
		}
		if told {
			continue
		}
		if err := setBack(ctx, c, m); err != nil {
			return err
		}
		n, err := c.exec(ctx, `insert into mails (id, account_id, email, topic, endpoint_id, kind, facts, state, created_at, happened_at)
			values ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $9) on conflict do nothing`,
			m.ID, m.AccountID, m.Email, m.Topic, m.EndpointID, string(m.Kind), string(m.Facts), ms(m.CreatedAt), ms(m.HappenedAt))
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		_, err = c.exec(ctx, `update account_mailboxes set due_at = case when rest_until > $1 then rest_until else $1 end
			where account_id = $2 and email = $3 and letter = '' and (due_at is null or due_at > $1)`, // it may have been put off
			ms(m.CreatedAt), m.AccountID, m.Email)
		if err != nil {
			return err
		}
	}
	return nil
}

// lockMailbox locks a mailbox's row, and makes it first where there is none.
func lockMailbox(ctx context.Context, c conn, accountID, email string) error {
	_, err := c.exec(ctx, `insert into account_mailboxes (account_id, email) values ($1, $2) on conflict (account_id, email) do update set email = excluded.email`, accountID, email)
	return err
}

// ahead is how far ahead a mail lies at least that was written before the clock was put back. One that lies less
// ahead was written at the same time: whoever was first to lock the mailbox had read the clock last.
const ahead = time.Minute

// toldAlready reports whether the mailbox was told what happened later on the topic, or the same not long
// before (index mails_topic). What was written before the clock was put back happened before; what was dropped was not told.
func toldAlready(ctx context.Context, c conn, m store.Mail) (told bool, err error) {
	err = c.row(ctx, `select exists (select 1 from mails where account_id = $1 and email = $2 and topic = $3 and state <> 'dropped' and created_at <= $7
			and (happened_at > $4 or created_at > $5 and created_at < $6))`,
		m.AccountID, m.Email, m.Topic, ms(m.HappenedAt), ms(m.CreatedAt.Add(-m.Again)), ms(m.CreatedAt.Add(m.Again)), ms(m.CreatedAt.Add(ahead))).Scan(&told)
	return told, err
}

// setBack sets the times of what waits for a letter, and was written before the clock was put back, to just before a
// mail that is written now: else a letter would tell it as what happened last (index mails_mailbox).
func setBack(ctx context.Context, c conn, m store.Mail) error {
	rs, err := c.query(ctx, `select id from mails where account_id = $1 and email = $2 and letter = '' and state = 'waiting' and created_at > $3
		order by happened_at desc, created_at desc, id desc`, m.AccountID, m.Email, ms(m.CreatedAt.Add(ahead)))
	ids, err := collect(rs, err, func(r scanner) (id string, err error) { return id, r.Scan(&id) })
	if err != nil {
		return err
	}
	for i, id := range ids {
		if _, err := c.exec(ctx, `update mails set created_at = $1, happened_at = $1 where id = $2`, ms(m.HappenedAt)-int64(i+1), id); err != nil {
			return err
		}
	}
	return nil
}

// fallbackMost bounds the members who are told while an account has no recipients.
const fallbackMost = 50

// MailAddresses gives who is told.
func (s *Store) MailAddresses(ctx context.Context, accountID string) ([]string, error) {
	scan := func(r scanner) (email string, err error) { return email, r.Scan(&email) }
	rs, err := s.reads.query(ctx, `select email from recipients where account_id = $1 order by email`, accountID)
	all, err := collect(rs, err, scan)
	if err != nil || len(all) > 0 {
		return all, reading("read recipients", err)
	}
	rs, err = s.reads.query(ctx, `select email from users where account_id = $1 and (role = '`+ownerRole+`' or role = '`+adminRole+`') order by created_at, id limit $2`,
		accountID, fallbackMost) // index users_account
	all, err = collect(rs, err, scan)
	return all, reading("read members to be told", err)
}

// selectMail reads mails, and of those that wait when their mailbox is due, while nobody has leased it (its primary key).
const selectMail = `select id, account_id, email, topic, endpoint_id, kind, facts, state, problem, created_at, happened_at, ended_at,
	coalesce((select b.due_at from account_mailboxes b where mails.state = 'waiting' and b.account_id = mails.account_id and b.email = mails.email and b.letter = mails.letter and b.token = 0), 0) from mails`

func scanMail(r scanner) (m store.Mail, err error) {
	var facts string
	var created, happened, ended, due int64
	err = r.Scan(&m.ID, &m.AccountID, &m.Email, &m.Topic, &m.EndpointID, &m.Kind, &facts, &m.State, &m.Problem, &created, &happened, &ended, &due)
	m.Facts, m.CreatedAt, m.HappenedAt, m.EndedAt, m.DueAt = []byte(facts), at(created), at(happened), at(ended), at(due)
	return m, err
}

// ListMails pages through an account's mails (index mails_account).
func (s *Store) ListMails(ctx context.Context, accountID string, page store.Page) ([]store.Mail, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	rs, err := s.reads.query(ctx, selectMail+` where account_id = $1 and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4`,
		accountID, after.at, after.text, page.Limit+1)
	found, err := collect(rs, err, scanMail)
	if err != nil {
		return nil, "", reading("list mails", err)
	}
	found, next := cut(found, page.Limit, func(m store.Mail) position { return position{at: ms(m.CreatedAt), text: m.ID} })
	return found, next, nil
}

// DeleteMails removes what is old (index mails_age), and then the mailboxes that nothing is known of (index
// account_mailboxes_idle). What another transaction has locked is left to the next time: so it waits for
// nobody, and nobody for it in a circle.
func (s *Store) DeleteMails(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	for _, query := range []string{
		`delete from mails where id in (select d.id from mails d where d.created_at < $1 order by d.created_at limit $2`,
		`delete from account_mailboxes where (account_id, email) in
			(select d.account_id, d.email from account_mailboxes d where d.due_at is null and d.rest_until < $1 and d.tested_at < $1 order by d.rest_until limit $2`,
	} {
		err := s.write(ctx, "delete old mails", func(ctx context.Context, c conn) (err error) {
			n, err = c.exec(ctx, query+s.engine.lockRows()+")", ms(before), limit)
			return err
		})
		if err != nil || n > 0 {
			return int(n), err
		}
	}
	return 0, nil
}

// AddRecipient adds an address to an account. The account's row is locked, so that there are
// never more than there may be, and counts those of the day.
func (s *Store) AddRecipient(ctx context.Context, r store.Recipient, most, daily int) error {
	return s.write(ctx, "add recipient", func(ctx context.Context, c conn) error {
		if err := lockAccount(ctx, c, r.AccountID, s.engine.lockOwn()); err != nil {
			return err
		}
		var there bool
		var n int
		err := c.row(ctx, `select exists (select 1 from recipients where account_id = $1 and email = $2), count(*) from recipients where account_id = $1`, r.AccountID, r.Email).Scan(&there, &n)
		switch {
		case err != nil:
			return err
		case there:
			return store.Conflictf("this address is told already: %s", r.Email)
		case n >= most:
			return store.ErrLimit
		}
		counted, err := c.exec(ctx, `update accounts set named = case when named_day = $1 then named + 1 else 1 end, named_day = $1 where id = $2 and (named_day <> $1 or named < $3)`,
			day(r.CreatedAt), r.AccountID, daily)
		if err != nil {
			return err
		}
		if counted == 0 {
			return store.Conflictf("this account has added %d addresses today, as many as it may in a day (UTC): add others tomorrow", daily)
		}
		_, err = c.exec(ctx, `insert into recipients (account_id, email, made_by, created_at) values ($1, $2, $3, $4)`, r.AccountID, r.Email, r.By, ms(r.CreatedAt))
		return err
	})
}

// ListRecipients lists an account's.
func (s *Store) ListRecipients(ctx context.Context, accountID string) ([]store.Recipient, error) {
	rs, err := s.reads.query(ctx, `select account_id, email, made_by, created_at from recipients where account_id = $1 order by email`, accountID)
	all, err := collect(rs, err, func(r scanner) (one store.Recipient, err error) {
		var created int64
		err = r.Scan(&one.AccountID, &one.Email, &one.By, &created)
		one.CreatedAt = at(created)
		return one, err
	})
	return all, reading("list recipients", err)
}

// RemoveRecipient takes an address out of an account.
func (s *Store) RemoveRecipient(ctx context.Context, accountID, email string) error {
	return s.write(ctx, "remove recipient", func(ctx context.Context, c conn) error {
		return one(c.exec(ctx, `delete from recipients where account_id = $1 and email = $2`, accountID, email))
	})
}
