package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// The release before has a mailbox an address, and puts what it tells there: what its last node leaves waits
// in no mailbox that is looked at.
func TestMailsLeftByAnOlderNodeAreAdopted(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "test.db") },
		"PostgreSQL": func(t *testing.T) string { t.Helper(); return pgtest.URL(t) },
	} {
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

// Who deletes and who tells lock the same rows, and never wait in a circle.
func TestDeletingMailsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := opened(t, Config{Database: pgtest.URL(t)})
	const n = 40
	mails := make([]store.Mail, n)
	for i := range mails {
		mails[i] = store.Mail{AccountID: "acc_1", Email: fmt.Sprintf("%02d@example.com", (i*7)%n), Topic: "topic", Facts: []byte("{}"), CreatedAt: at(1)}
	}
	done := make(chan error)
	for worker := range 4 {
		go func() {
			var err error
			for round := 0; round < 20 && err == nil; round++ {
				if worker%2 == 0 {
					_, err = s.DeleteMails(t.Context(), at(1000), n)
					continue
				}
				own := append([]store.Mail(nil), mails...)
				for i := range own {
					own[i].ID = fmt.Sprintf("mail_%d_%d_%d", worker, round, i)
				}
				err = s.write(t.Context(), "queue", func(ctx context.Context, c conn) error { return queueMails(ctx, c, own) })
				var l store.Letter
				for err == nil {
					l, err = s.ClaimLetter(t.Context(), store.LetterClaim{Now: at(10), Until: at(20), Beyond: at(1 << 40), Most: 10, Daily: 1 << 30})
					if errors.Is(err, store.ErrNotFound) {
						err = nil
						break
					}
					if err == nil {
						err = s.EndLetter(t.Context(), l, store.MailSent, "", at(10), at(10))
					}
				}
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil && !errors.Is(err, store.ErrLeaseLost) {
			t.Error(err)
		}
	}
}
