package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// day gives the number of the day, in UTC, that letters and addresses are counted by.
func day(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// ClaimLetter leases the letter that has been due longest. The table has a row a mailbox (index account_mailboxes_due).
func (s *Store) ClaimLetter(ctx context.Context, claim store.LetterClaim) (store.Letter, error) {
	for {
		var l store.Letter
		if due, err := s.letterDue(ctx, claim); err != nil || !due {
			return l, cmp.Or(err, store.ErrNotFound)
		}
		err := s.write(ctx, "claim letter", func(ctx context.Context, c conn) (err error) {
			l = store.Letter{Token: newToken()}
			err = c.row(ctx, `select account_id, email, letter, attempts + 1, handed, case when day = $3 then sent else 0 end from account_mailboxes
				where due_at <= $1 or due_at > $2 order by due_at, account_id, email limit 1`+s.engine.lockAny(),
				ms(claim.Now), ms(claim.Beyond), day(claim.Now)).Scan(&l.AccountID, &l.Email, &l.ID, &l.Attempts, &l.Handed, &l.Sent)
			if err != nil {
				return err
			}
			if l.ID == "" {
				if l.ID, err = newLetter(ctx, c, claim, l); err != nil || l.ID == "" {
					return err
				}
				l.Sent++
			}
			_, err = c.exec(ctx, `update account_mailboxes set letter = $1, attempts = $2, token = $3, due_at = $4, day = $5, sent = $6 where account_id = $7 and email = $8`,
				l.ID, l.Attempts, l.Token, ms(claim.Until), day(claim.Now), l.Sent, l.AccountID, l.Email)
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
	err = s.quick.row(ctx, `select exists (select 1 from account_mailboxes where due_at <= $1 or due_at > $2)`, ms(claim.Now), ms(claim.Beyond)).Scan(&due)
	return due, reading("look for letters", err)
}

// newLetter puts what waits in a mailbox into a letter and gives its id (index mails_mailbox). The id is "" when
// nobody has to look at the mailbox: nothing waits there, or it has had its letters of the day and nothing that always goes.
func newLetter(ctx context.Context, c conn, claim store.LetterClaim, l store.Letter) (id string, err error) {
	err = c.row(ctx, `select id from mails where account_id = $1 and email = $2 and letter = '' and state = 'waiting' order by created_at, id limit 1`, l.AccountID, l.Email).Scan(&id)
	if errors.Is(err, errNoRow) {
		_, err = c.exec(ctx, `update account_mailboxes set due_at = null where account_id = $1 and email = $2`, l.AccountID, l.Email)
		return "", err
	}
	if err != nil {
		return "", err
	}
	if l.Sent >= claim.Daily {
		var goes bool
		err = c.row(ctx, `select exists (select 1 from mails where account_id = $1 and email = $2 and letter = '' and state = 'waiting' and kind = $3)`, l.AccountID, l.Email, string(claim.Always)).Scan(&goes)
		if err != nil {
			return "", err
		}
		if !goes {
			return "", putOff(ctx, c, claim, l)
		}
	}
	_, err = c.exec(ctx, `update mails set letter = $1, problem = '' where account_id = $2 and email = $3 and letter = '' and state = 'waiting'`, id, l.AccountID, l.Email)
	return id, err
}

// putOff makes a mailbox that has had its letters of the day wait, and says so where people look.
func putOff(ctx context.Context, c conn, claim store.LetterClaim, l store.Letter) error {
	_, err := c.exec(ctx, `update account_mailboxes set due_at = $1 where account_id = $2 and email = $3`, ms(claim.Later), l.AccountID, l.Email)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `update mails set problem = $1 where account_id = $2 and email = $3 and letter = '' and state = 'waiting'`,
		"As many mails to this address were begun today as one gets in a day (UTC), test mails and those that failed among them. What waits is told in one mail on the next day, or when an endpoint is disabled.", l.AccountID, l.Email)
	return err
}

// readLetter reads the last rows of a letter (index mails_mailbox).
func readLetter(ctx context.Context, c conn, l *store.Letter, most int) error {
	rs, err := c.query(ctx, selectMail+` where account_id = $1 and email = $2 and letter = $3 and state = 'waiting' order by created_at desc, id desc limit $4`, l.AccountID, l.Email, l.ID, most)
	if l.Mails, err = collect(rs, err, scanMail); err != nil {
		return err
	}
	slices.Reverse(l.Mails)
	if err := readEnabled(ctx, c, l); err != nil {
		return err
	}
	return c.row(ctx, `select count(*) from mails where account_id = $1 and email = $2 and letter = $3 and state = 'waiting'`, l.AccountID, l.Email, l.ID).Scan(&l.Count)
}

// readEnabled finds out of which of a letter's endpoints it is not true any more that they are disabled.
func readEnabled(ctx context.Context, c conn, l *store.Letter) error {
	rs, err := c.query(ctx, `select distinct e.id from mails m join endpoints e on e.id = m.endpoint_id and e.account_id = m.account_id
		where m.account_id = $1 and m.email = $2 and m.letter = $3 and m.state = 'waiting' and e.state = 'enabled'`, l.AccountID, l.Email, l.ID)
	ids, err := collect(rs, err, func(r scanner) (id string, err error) { return id, r.Scan(&id) })
	if err != nil {
		return err
	}
	enabled := make(map[string]bool, len(ids))
	for _, id := range ids {
		enabled[id] = true
	}
	for i := range l.Mails {
		l.Mails[i].Enabled = enabled[l.Mails[i].EndpointID]
	}
	return nil
}

// HandLetter notes that the mail server may have it.
func (s *Store) HandLetter(ctx context.Context, l store.Letter, until time.Time) error {
	return s.write(ctx, "hand letter over", func(ctx context.Context, c conn) error {
		return held(c.exec(ctx, `update account_mailboxes set handed = $1, due_at = $2 where account_id = $3 and email = $4 and token = $5`,
			l.Handed+1, ms(until), l.AccountID, l.Email, l.Token))
	})
}

// PassLetter hands on what a letter has. All mailboxes are locked first, in the order in which queueMails locks them.
func (s *Store) PassLetter(ctx context.Context, l store.Letter, mails []store.Mail, problem string, now time.Time) error {
	emails := []string{l.Email}
	for _, m := range mails {
		emails = append(emails, m.Email)
	}
	slices.Sort(emails)
	return s.write(ctx, "hand letter on", func(ctx context.Context, c conn) error {
		for _, email := range slices.Compact(slices.Clone(emails)) {
			if err := lockMailbox(ctx, c, l.AccountID, email); err != nil {
				return err
			}
		}
		err := held(c.exec(ctx, `update account_mailboxes set token = 0, due_at = $1 where account_id = $2 and email = $3 and token = $4`, ms(now), l.AccountID, l.Email, l.Token))
		if err != nil {
			return err
		}
		for _, m := range l.Mails {
			_, err := c.exec(ctx, `update mails set state = 'dropped', problem = $1, ended_at = $2 where id = $3 and state = 'waiting'`, problem, ms(now), m.ID)
			if err != nil {
				return err
			}
		}
		if err := passMails(ctx, c, mails); err != nil {
			return err
		}
		return endPassed(ctx, c, l, problem, now)
	})
}

// passMails writes those mails of which their addresses do not know already: facts have the moment, so that
// the same ones are of the same notice (index mails_topic).
func passMails(ctx context.Context, c conn, mails []store.Mail) error {
	for _, m := range mails {
		var known bool
		err := c.row(ctx, `select exists (select 1 from mails where account_id = $1 and email = $2 and topic = $3 and kind = $4 and facts = $5 and state <> 'dropped')`,
			m.AccountID, m.Email, m.Topic, string(m.Kind), string(m.Facts)).Scan(&known)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		if err := queueMails(ctx, c, []store.Mail{m}); err != nil {
			return err
		}
	}
	return nil
}

// endPassed ends a letter of which nothing is left. Nothing was sent, so that its mailbox need not rest.
func endPassed(ctx context.Context, c conn, l store.Letter, problem string, now time.Time) error {
	n, err := c.exec(ctx, `update account_mailboxes set letter = '', attempts = 0, handed = 0 where account_id = $1 and email = $2
		and not exists (select 1 from mails where account_id = $1 and email = $2 and letter = $3 and state = 'waiting')`, l.AccountID, l.Email, l.ID) // index mails_mailbox
	if err != nil || n == 0 {
		return err
	}
	return insertAudit(ctx, c, store.AuditEntry{AccountID: l.AccountID, Actor: store.System, Action: "mail." + string(store.MailDropped), Object: l.ID, Detail: l.Email + ": " + problem, At: now})
}

// EndLetter ends a letter. What came for its mailbox meanwhile is due after the rest.
func (s *Store) EndLetter(ctx context.Context, l store.Letter, state store.MailState, problem string, now, rest time.Time) error {
	return s.write(ctx, "end letter", func(ctx context.Context, c conn) error {
		err := held(c.exec(ctx, `update account_mailboxes set letter = '', attempts = 0, handed = 0, token = 0, rest_until = $1, due_at = $1 where account_id = $2 and email = $3 and token = $4`,
			ms(rest), l.AccountID, l.Email, l.Token))
		if err != nil {
			return err
		}
		if state != store.MailSent {
			if err := insertAudit(ctx, c, store.AuditEntry{AccountID: l.AccountID, Actor: store.System, Action: "mail." + string(state), Object: l.ID, Detail: l.Email + ": " + problem, At: now}); err != nil {
				return err
			}
		}
		_, err = c.exec(ctx, `update mails set state = $1, problem = $2, ended_at = $3 where account_id = $4 and email = $5 and letter = $6 and state = 'waiting'`,
			string(state), problem, ms(now), l.AccountID, l.Email, l.ID)
		return err
	})
}

// PostponeLetter gives the lease back.
func (s *Store) PostponeLetter(ctx context.Context, l store.Letter, problem string, until time.Time) error {
	return s.write(ctx, "postpone letter", func(ctx context.Context, c conn) error {
		err := held(c.exec(ctx, `update account_mailboxes set token = 0, handed = $1, due_at = $2 where account_id = $3 and email = $4 and token = $5`,
			l.Handed, ms(until), l.AccountID, l.Email, l.Token))
		if err != nil {
			return err
		}
		_, err = c.exec(ctx, `update mails set problem = $1 where account_id = $2 and email = $3 and letter = $4 and state = 'waiting'`, problem, l.AccountID, l.Email, l.ID)
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

// TestTurn takes a mailbox's turn for a test mail. A turn that lies ahead was written before
// the clock was put back.
func (s *Store) TestTurn(ctx context.Context, accountID, email string, now, since time.Time, daily int) error {
	return s.write(ctx, "take turn for test mail", func(ctx context.Context, c conn) error {
		var tested int64
		var sent int
		err := c.row(ctx, `insert into account_mailboxes (account_id, email) values ($1, $2) on conflict (account_id, email) do update set email = excluded.email
			returning tested_at, case when day = $3 then sent else 0 end`, accountID, email, day(now)).Scan(&tested, &sent)
		switch {
		case err != nil:
			return err
		case tested > ms(since) && tested <= ms(now):
			return store.Conflictf("a test mail went to %s a moment ago; wait a little", email)
		case sent >= daily:
			return store.Conflictf("%d mails to %s were begun today (UTC), those that failed among them, and test mails are not sent after %d", sent, email, daily)
		}
		_, err = c.exec(ctx, `update account_mailboxes set tested_at = $1, day = $2, sent = $3 where account_id = $4 and email = $5`, ms(now), day(now), sent+1, accountID, email)
		return err
	})
}

// AdoptMails takes over what a node of the release before has left, in transactions of their own: mails are
// locked after their mailbox everywhere else. What waits is little (index mails_mailbox).
func (s *Store) AdoptMails(ctx context.Context, now, before time.Time) (int, error) {
	err := s.write(ctx, "take mails out of lost letters", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `update mails set letter = '' where id in (select d.id from mails d where d.state = 'waiting' and d.letter <> '' and d.created_at < $1
			and not exists (select 1 from account_mailboxes b where b.account_id = d.account_id and b.email = d.email and b.letter = d.letter)`+s.engine.lockRows()+`)`, ms(before))
		return err
	})
	if err != nil {
		return 0, err
	}
	var n int64
	err = s.write(ctx, "adopt mails", func(ctx context.Context, c conn) (err error) {
		n, err = c.exec(ctx, `insert into account_mailboxes (account_id, email, due_at)
			select distinct m.account_id, m.email, cast($1 as bigint) from mails m where m.state = 'waiting' and m.letter = '' and m.created_at < $2
				and not exists (select 1 from account_mailboxes b where b.account_id = m.account_id and b.email = m.email and b.due_at is not null)
			order by m.account_id, m.email
			on conflict (account_id, email) do update set due_at = excluded.due_at where account_mailboxes.due_at is null`, ms(now), ms(before))
		return err
	})
	return int(n), err
}
