package notify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/mail/mailtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// TestWhatWaitsReachesSomebodyWhenWhoIsToldChanges: the first endpoint is told at once, and the other twelve wait
// for the rest of the mailbox while the account changes who is told.
func TestWhatWaitsReachesSomebodyWhenWhoIsToldChanges(t *testing.T) {
	const n = 12
	remove := func(w *world, email string) { w.must(w.db.RemoveRecipient(w.t.Context(), account, email)) }
	tests := []struct {
		name   string
		before func(w *world)
		change func(w *world)
		want   map[string]int // things told after the change, by address
	}{
		{"the first address is added", nil, func(w *world) { w.tells(account, "support@example.com") }, map[string]int{"support@example.com": n}},
		{"the first address is added, and removed", nil, func(w *world) {
			w.tells(account, "support@example.com")
			remove(w, "support@example.com")
		}, map[string]int{"zoe@example.com": n}},
		{"the only address is removed", func(w *world) { w.tells(account, "ops@example.com") }, func(w *world) { remove(w, "ops@example.com") },
			map[string]int{"zoe@example.com": n}},
		{"one of two is removed", func(w *world) { w.tells(account, "ops@example.com", "oncall@example.com") }, func(w *world) { remove(w, "ops@example.com") },
			map[string]int{"oncall@example.com": n}},
		{"both give way to one", func(w *world) { w.tells(account, "ops@example.com", "oncall@example.com") }, func(w *world) {
			w.tells(account, "support@example.com")
			remove(w, "ops@example.com")
			remove(w, "oncall@example.com")
		}, map[string]int{"support@example.com": n}},
		{"the member who was told loses the role", nil, func(w *world) {
			w.member("ada@example.com", "owner")
			_, err := w.db.UpdateUser(w.t.Context(), account, "usr_zoe@example.com", func(u *store.User) error { u.Role = "viewer"; return nil })
			w.must(err)
		}, map[string]int{"ada@example.com": n}},
		{"the member who was told is removed", nil, func(w *world) {
			w.member("ada@example.com", "owner")
			w.must(w.db.DeleteUser(w.t.Context(), account, "usr_zoe@example.com"))
		}, map[string]int{"ada@example.com": n}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mailed(t, func(w *world, s *mailtest.Server) {
				if tt.before != nil {
					tt.before(w)
				}
				w.policy.DisableAfter = 1
				defer w.post(s)()
				w.endpoint(account, "ep_first", "domain.added")
				w.fail("ep_first", "domain.added", 1)
				w.pass(time.Minute)
				first := len(s.Mails())
				for i := range n {
					w.endpoint(account, fmt.Sprintf("ep_%d", i), "domain.added")
					w.fail(fmt.Sprintf("ep_%d", i), "domain.added", 1)
				}
				w.pass(time.Minute)
				if first == 0 || len(s.Mails()) != first {
					t.Fatalf("%d mails at once, %d before the rest was over", first, len(s.Mails()))
				}
				tt.change(w)
				w.pass(time.Hour)
				got := map[string]int{}
				for _, m := range s.Mails()[first:] {
					got[m.To] += toldBy(m)
				}
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("told %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// More waits than is handed on in one go.
func TestAllThatWaitsIsHandedOn(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		const n = 120
		w.policy.DisableAfter = 1
		s.Break(mailtest.Fault{At: "CONNECT", Close: true})
		defer w.post(s)()
		for i := range n {
			w.endpoint(account, fmt.Sprintf("ep_%d", i), "domain.added")
			w.fail(fmt.Sprintf("ep_%d", i), "domain.added", 1)
		}
		w.pass(2 * time.Minute)
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprintf("ops%02d@example.com", i))
		}
		w.tells(account, want...)
		s.Break(mailtest.Fault{})
		w.pass(3 * time.Hour)
		got := map[string]int{}
		for _, m := range s.Mails() {
			got[m.To] += toldBy(m)
		}
		for _, email := range want {
			if got[email] != n {
				t.Errorf("%s was told %d things, want %d", email, got[email], n)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d addresses were told, want %d", len(got), len(want))
		}
		rows, _, err := w.db.ListAudit(w.t.Context(), account, store.AuditFilter{Action: "mail.dropped"}, store.Page{Limit: 50})
		w.must(err)
		if len(rows) == 0 || slices.ContainsFunc(rows, func(r store.AuditEntry) bool { return !strings.HasPrefix(r.Detail, "zoe@example.com: ") }) {
			t.Errorf("audit: %+v", rows)
		}
	})
}

// Two endpoints are disabled while the mailbox rests, and one of them is enabled before its mail goes.
func TestAMailDoesNotTellDisabledWhatHasBeenEnabledSince(t *testing.T) {
	mailed(t, func(w *world, s *mailtest.Server) {
		w.policy.DisableAfter = 1
		defer w.post(s)()
		disable := func(id string) {
			w.endpoint(account, id, "domain.added")
			w.fail(id, "domain.added", 1)
			w.pass(time.Minute)
		}
		enable := func(id string) {
			_, err := w.db.SetState(w.t.Context(), account, id, delivery.Enabled, delivery.NotDisabled, time.Now())
			w.must(err)
		}
		disable("ep_first")
		disable("ep_well")
		enable("ep_well")
		w.pass(5 * time.Minute)
		disable("ep_bad")
		disable("ep_good")
		enable("ep_good")
		w.pass(5 * time.Minute)
		got := s.Mails()
		if len(got) != 3 {
			t.Fatalf("told:\n%s", subjects(s))
		}
		if m := got[1]; !strings.HasSuffix(m.Subject, "was disabled, and enabled again") || !strings.Contains(m.Text, "It has been enabled since.") ||
			strings.Contains(m.Text, "/recover") || strings.Contains(m.Text, "held:") {
			t.Errorf("of the one alone: %s\n%s", m.Subject, m.Text)
		}
		bad, good, _ := strings.Cut(got[2].Text, "\n2. ")
		if !strings.HasSuffix(got[2].Subject, "was disabled, and 1 more") || strings.Contains(bad, "since") || !strings.Contains(bad, "ep_bad/recover") ||
			!strings.Contains(good, "It has been enabled since.\n") || !strings.Contains(good, "endpoints/ep_good\n") {
			t.Errorf("of both: %s\n%s", got[2].Subject, got[2].Text)
		}
	})
}
