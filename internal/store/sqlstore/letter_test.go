package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// The release before has a mailbox an address, and puts what it tells there: what its last node leaves waits
// in no mailbox that is looked at.
func TestMailsLeftByAnOlderNodeAreAdopted(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := opened(t, Config{Database: database(t)})
			add := `insert into mails (id, account_id, email, topic, endpoint_id, kind, facts, state, letter, created_at)
				values ('mail_%[1]d', 'acc_%[2]d', 'zoe@example.com', 'topic_%[1]d', 'ep_1', 'disabled', '{}', '%[3]s', '%[4]s', %[1]d)`
			alter(t, s, fmt.Sprintf(add, 1, 1, "waiting", ""), fmt.Sprintf(add, 2, 1, "waiting", "mail_2"), fmt.Sprintf(add, 3, 2, "waiting", "mail_2"),
				fmt.Sprintf(add, 4, 1, "sent", "mail_4"), fmt.Sprintf(add, 1000, 1, "waiting", ""))
			claim := store.LetterClaim{Now: at(2000), Until: at(3000), Beyond: at(1 << 40), Most: 10, Daily: 10}
			if l, err := s.ClaimLetter(t.Context(), claim); !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("before: %+v, %v", l, err)
			}
			for i, want := range []int{2, 0} {
				if n, err := s.AdoptMails(t.Context(), at(2000), at(1000)); err != nil || n != want {
					t.Fatalf("look %d: %d mailboxes are due, %v; want %d", i, n, err, want)
				}
			}
			got := map[string]int{}
			for range 2 {
				l, err := s.ClaimLetter(t.Context(), claim)
				must(t, err)
				got[l.AccountID] = l.Count
				must(t, s.EndLetter(t.Context(), l, store.MailSent, "", at(2000), at(2000)))
			}
			if got["acc_1"] != 3 || got["acc_2"] != 1 {
				t.Errorf("letters of %v things, want 3 of acc_1, the young one with them, and 1 of acc_2", got)
			}
		})
	}
}

// Who deletes and who tells lock the same rows: deleting waits for nobody, so that they never wait in a circle.
func TestDeletingMailsPassesOverWhatIsLocked(t *testing.T) {
	t.Parallel()
	s := opened(t, Config{Database: pgtest.URL(t)})
	alter(t, s,
		"insert into account_mailboxes (account_id, email) values ('acc_1', 'a@example.com'), ('acc_1', 'b@example.com'), ('acc_1', 'c@example.com')",
		`insert into mails (id, account_id, email, topic, endpoint_id, kind, facts, state, created_at)
			select 'mail_' || n, 'acc_1', 'b@example.com', '', '', 'disabled', '{}', 'sent', n from generate_series(1, 3) n`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // only who waits for the other comes to its end
	defer cancel()
	deleted := func() (total int) {
		for {
			n, err := s.DeleteMails(ctx, at(1000), 10)
			must(t, err)
			if n == 0 {
				return total
			}
			total += n
		}
	}
	must(t, s.write(ctx, "tell", func(ctx context.Context, c conn) error {
		if err := queueMails(ctx, c, []store.Mail{{ID: "mail_4", AccountID: "acc_1", Email: "b@example.com", CreatedAt: at(2000)}}); err != nil {
			return err
		}
		if _, err := c.exec(ctx, "update mails set problem = 'x' where id = 'mail_2'"); err != nil {
			return err
		}
		if n := deleted(); n != 4 {
			t.Errorf("%d rows were deleted beside those that are locked, want 4", n)
		}
		return nil
	}))
	if n := deleted(); n != 1 {
		t.Errorf("%d rows were deleted when nothing is locked, want 1: the mailbox is in use", n)
	}
}
