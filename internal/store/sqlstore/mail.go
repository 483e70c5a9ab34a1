package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// queueMails writes mails. The address's row is locked first, so that two nodes do not tell
// it one thing at the same time, in the order of addresses, so that they never wait in a circle.
func queueMails(ctx context.Context, c conn, mails []store.Mail) error {
	mails = slices.SortedStableFunc(slices.Values(mails), func(a, b store.Mail) int { return cmp.Compare(a.Email, b.Email) })
	for _, m := range mails {
		if _, err := c.exec(ctx, `insert into mailboxes (email) values ($1) on conflict (email) do update set email = excluded.email`, m.Email); err != nil {
			return err
		}
		told, err := toldLately(ctx, c, m)
		if err != nil {
			return err
		}
		if told {
			continue
		}
		n, err := c.exec(ctx, `insert into mails (id, account_id, email, topic, endpoint_id, kind, facts, state, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8) on conflict do nothing`,
			m.ID, m.AccountID, m.Email, m.Topic, m.EndpointID, string(m.Kind), string(m.Facts), ms(m.CreatedAt))
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		_, err = c.exec(ctx, `update mailboxes set due_at = case when rest_until > $1 then rest_until else $1 end where email = $2 and due_at is null`, ms(m.CreatedAt), m.Email)
		if err != nil {
			return err
		}
	}
	return nil
}

// toldLately reports whether the same was told to the same address not long before (index
// mails_topic). What lies ahead, because the clock was put back, does not count for longer.
func toldLately(ctx context.Context, c conn, m store.Mail) (told bool, err error) {
	if m.Again == 0 {
		return false, nil
	}
	err = c.row(ctx, `select exists (select 1 from mails where account_id = $1 and email = $2 and topic = $3 and created_at > $4 and created_at < $5)`,
		m.AccountID, m.Email, m.Topic, ms(m.CreatedAt.Add(-m.Again)), ms(m.CreatedAt.Add(m.Again))).Scan(&told)
	return told, err
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

const selectMail = `select id, account_id, email, topic, endpoint_id, kind, facts, state, problem, created_at, ended_at from mails`

func scanMail(r scanner) (m store.Mail, err error) {
	var facts string
	var created, ended int64
	err = r.Scan(&m.ID, &m.AccountID, &m.Email, &m.Topic, &m.EndpointID, &m.Kind, &facts, &m.State, &m.Problem, &created, &ended)
	m.Facts, m.CreatedAt, m.EndedAt = []byte(facts), at(created), at(ended)
	return m, err
}

// ClaimLetter leases the letter that has been due longest. The table has a row an address.
func (s *Store) ClaimLetter(ctx context.Context, claim store.LetterClaim) (store.Letter, error) {
	for {
		var l store.Letter
		if due, err := s.letterDue(ctx, claim); err != nil || !due {
			return l, cmp.Or(err, store.ErrNotFound)
		}
		err := s.write(ctx, "claim letter", func(ctx context.Context, c conn) (err error) {
			l = store.Letter{Token: newToken()}
			err = c.row(ctx, `select email, letter, attempts + 1 from mailboxes where due_at <= $1 or due_at > $2 order by due_at, email limit 1`+s.engine.lockAny(),
				ms(claim.Now), ms(claim.Beyond)).Scan(&l.Email, &l.ID, &l.Attempts)
			if err != nil {
				return err
			}
			if l.ID == "" {
				if l.ID, err = newLetter(ctx, c, l.Email); err != nil || l.ID == "" {
					return err
				}
			}
			_, err = c.exec(ctx, `update mailboxes set letter = $1, attempts = $2, token = $3, due_at = $4 where email = $5`, l.ID, l.Attempts, l.Token, ms(claim.Until), l.Email)
			if err != nil {
				return err
			}
			return readLetter(ctx, c, &l, claim.Most)
		})
		if err != nil || l.ID != "" {
			return l, err
		}
	}
}

// letterDue looks first, so that who finds nothing to do waits for no writer.
func (s *Store) letterDue(ctx context.Context, claim store.LetterClaim) (due bool, err error) {
	err = s.quick.row(ctx, `select exists (select 1 from mailboxes where due_at <= $1 or due_at > $2)`, ms(claim.Now), ms(claim.Beyond)).Scan(&due)
	return due, reading("look for letters", err)
}

// newLetter puts what waits for an address into a letter and gives its id. When nothing waits,
// nobody has to look at the address again, and the id is "" (index mails_waiting).
func newLetter(ctx context.Context, c conn, email string) (id string, err error) {
	err = c.row(ctx, `select id from mails where email = $1 and letter = '' and state = 'waiting' order by created_at, id limit 1`, email).Scan(&id)
	if errors.Is(err, errNoRow) {
		_, err = c.exec(ctx, `update mailboxes set due_at = null where email = $1`, email)
		return "", err
	}
	if err != nil {
		return "", err
	}
	_, err = c.exec(ctx, `update mails set letter = $1 where email = $2 and letter = '' and state = 'waiting'`, id, email)
	return id, err
}

// readLetter reads the rows of a letter (index mails_waiting).
func readLetter(ctx context.Context, c conn, l *store.Letter, most int) error {
	rs, err := c.query(ctx, selectMail+` where email = $1 and letter = $2 and state = 'waiting' order by created_at, id limit $3`, l.Email, l.ID, most)
	if l.Mails, err = collect(rs, err, scanMail); err != nil {
		return err
	}
	return c.row(ctx, `select count(*) from mails where email = $1 and letter = $2 and state = 'waiting'`, l.Email, l.ID).Scan(&l.Count)
}

// EndLetter ends a letter. What came for its address meanwhile is due after the rest.
func (s *Store) EndLetter(ctx context.Context, l store.Letter, state store.MailState, problem string, now, rest time.Time) error {
	return s.write(ctx, "end letter", func(ctx context.Context, c conn) error {
		n, err := c.exec(ctx, `update mailboxes set letter = '', attempts = 0, token = 0, rest_until = $1, due_at = $1 where email = $2 and token = $3`, ms(rest), l.Email, l.Token)
		if err := held(n, err); err != nil {
			return err
		}
		if state != store.MailSent {
			_, err := c.exec(ctx, `insert into audit (account_id, actor, action, object, detail, at)
				select distinct account_id, 'system', cast($1 as text), cast($2 as text), cast($3 as text), cast($4 as bigint) from mails where email = $5 and letter = $2 and state = 'waiting'`,
				"mail."+string(state), l.ID, l.Email+": "+problem, ms(now), l.Email)
			if err != nil {
				return err
			}
		}
		_, err = c.exec(ctx, `update mails set state = $1, problem = $2, ended_at = $3 where email = $4 and letter = $5 and state = 'waiting'`, string(state), problem, ms(now), l.Email, l.ID)
		return err
	})
}

// PostponeLetter gives the lease back.
func (s *Store) PostponeLetter(ctx context.Context, l store.Letter, problem string, until time.Time) error {
	return s.write(ctx, "postpone letter", func(ctx context.Context, c conn) error {
		n, err := c.exec(ctx, `update mailboxes set token = 0, due_at = $1 where email = $2 and token = $3`, ms(until), l.Email, l.Token)
		if err := held(n, err); err != nil {
			return err
		}
		_, err = c.exec(ctx, `update mails set problem = $1 where email = $2 and letter = $3 and state = 'waiting'`, problem, l.Email, l.ID)
		return err
	})
}

// held makes an error of a change that met no row with the lease's token.
func held(n int64, err error) error {
	if err == nil && n == 0 {
		return store.ErrLeaseLost
	}
	return err
}

// TestTurn takes an address's turn for a test mail. A turn that lies ahead was written before
// the clock was put back.
func (s *Store) TestTurn(ctx context.Context, email string, now, since time.Time) error {
	return s.write(ctx, "take turn for test mail", func(ctx context.Context, c conn) error {
		n, err := c.exec(ctx, `insert into mailboxes (email, tested_at) values ($1, $2)
			on conflict (email) do update set tested_at = excluded.tested_at where mailboxes.tested_at <= $3 or mailboxes.tested_at > $2`, email, ms(now), ms(since))
		if err == nil && n == 0 {
			return store.Conflictf("a test mail went to %s just now", email)
		}
		return err
	})
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

// DeleteMails removes what ended, and then the addresses that nothing is known of. Both tables are small.
func (s *Store) DeleteMails(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	err := s.write(ctx, "delete old mails", func(ctx context.Context, c conn) (err error) {
		n, err = c.exec(ctx, `delete from mails where id in (select id from mails where state <> 'waiting' and ended_at < $1 limit $2)`, ms(before), limit)
		if err != nil || n > 0 {
			return err
		}
		n, err = c.exec(ctx, `delete from mailboxes where email in (select email from mailboxes where due_at is null and rest_until < $1 and tested_at < $1 limit $2) and due_at is null`, ms(before), limit)
		return err
	})
	return int(n), err
}

// AddRecipient adds an address to an account. The account's row is locked, so that there are
// never more than there may be.
func (s *Store) AddRecipient(ctx context.Context, r store.Recipient, most int) error {
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
			return store.Conflictf("%s is told already", r.Email)
		case n >= most:
			return store.ErrLimit
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
