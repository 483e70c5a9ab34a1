package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func recipientChecks() []check {
	return []check{
		{"an address is added once, kept and removed", recipientKept},
		{"an account has no more addresses than it may", recipientMost},
		{"an account adds no more addresses in a day than it may", recipientDaily},
		{"its addresses are told, and without any its owners and admins", recipientTold},
		{"a deleted account tells nobody", recipientDeleted},
	}
}

func recipientKept(w *world) {
	r := recipientOf(w.account)
	w.must("add", w.s.AddRecipient(w.ctx(), r, 2, many))
	w.wantConflict("add it twice", w.s.AddRecipient(w.ctx(), r, 2, many))
	got, err := w.s.ListRecipients(w.ctx(), w.account)
	w.must("list", err)
	w.equal("recipients", got, []store.Recipient{r})
	w.must("remove", w.s.RemoveRecipient(w.ctx(), w.account, r.Email))
	w.wantError("remove it twice", w.s.RemoveRecipient(w.ctx(), w.account, r.Email), store.ErrNotFound)
	w.wantError("add to no account", w.s.AddRecipient(w.ctx(), recipientOf("acc_missing"), 2, many), store.ErrNotFound)
}

func recipientMost(w *world) {
	const most = 3
	var added atomic.Int32
	w.atOnce(10, func(int) error {
		err := w.s.AddRecipient(w.ctx(), recipientOf(w.account), most, many)
		if err == nil {
			added.Add(1)
		}
		if errors.Is(err, store.ErrLimit) {
			return nil
		}
		return err
	})
	if n := added.Load(); n != most {
		w.t.Errorf("%d were added, want %d", n, most)
	}
}

func recipientDaily(w *world) {
	const daily = 3
	add := func(after time.Duration) error {
		r := recipientOf(w.account)
		r.CreatedAt = time.Date(2026, time.March, 8, 0, 0, 0, 0, time.UTC).Add(after)
		err := w.s.AddRecipient(w.ctx(), r, many, daily)
		if err == nil {
			w.must("remove", w.s.RemoveRecipient(w.ctx(), w.account, r.Email)) // which gives nothing back
		}
		return err
	}
	var added atomic.Int32
	w.atOnce(10, func(i int) error {
		err := add(time.Duration(i) * time.Hour)
		if err == nil {
			added.Add(1)
		}
		if errors.Is(err, store.ErrConflict) {
			return nil
		}
		return err
	})
	if n := added.Load(); n != daily {
		w.t.Errorf("%d were added, want %d", n, daily)
	}
	w.wantConflict("one more just before midnight", add(24*time.Hour-time.Millisecond))
	w.must("one on the next day", add(24*time.Hour))
	w.must("one by another account", newWorld(w.t, w.s).s.AddRecipient(w.ctx(), recipientOf(newWorld(w.t, w.s).account), many, daily))
}

func recipientTold(w *world) {
	told := func(want ...string) {
		w.t.Helper()
		got, err := w.s.MailAddresses(w.ctx(), w.account)
		w.must("read who is told", err)
		slices.Sort(want)
		slices.Sort(got)
		w.equal("who is told", got, want)
	}
	told()
	owner, admin := w.newUser("owner"), w.newUser("admin")
	w.newUser("developer")
	w.newUser("viewer")
	told(owner.Email, admin.Email)
	r := recipientOf(w.account)
	w.must("add", w.s.AddRecipient(w.ctx(), r, many, many))
	told(r.Email)
	w.must("remove", w.s.RemoveRecipient(w.ctx(), w.account, r.Email))
	told(owner.Email, admin.Email)
}

func recipientDeleted(w *world) {
	w.newUser("owner")
	w.must("add", w.s.AddRecipient(w.ctx(), recipientOf(w.account), many, many))
	w.must("delete the account", w.s.DeleteAccount(w.ctx(), w.account, at(0)))
	got, err := w.s.MailAddresses(w.ctx(), w.account)
	w.must("read who is told", err)
	w.equal("who is told", got, []string(nil))
}

func trespassMails() map[string]trespass {
	return map[string]trespass{
		"MailAddresses": func(w *world, _ victim) error {
			list, err := w.s.MailAddresses(w.ctx(), w.account)
			return nothing(len(list), err)
		},
		"ListMails": func(w *world, _ victim) error {
			list, _, err := w.s.ListMails(w.ctx(), w.account, store.Page{Limit: 10})
			return nothing(len(list), err)
		},
		"ListRecipients": func(w *world, _ victim) error {
			list, err := w.s.ListRecipients(w.ctx(), w.account)
			return nothing(len(list), err)
		},
		"RemoveRecipient": func(w *world, v victim) error {
			theirs, err := v.s.ListRecipients(v.ctx(), v.account)
			if err != nil || len(theirs) == 0 {
				return fmt.Errorf("the victim has %d recipients: %w", len(theirs), err)
			}
			return notFound(w.s.RemoveRecipient(w.ctx(), w.account, theirs[0].Email))
		},
	}
}

func newEmail() string { return newID("") + "@example.com" }

func recipientOf(account string) store.Recipient {
	return store.Recipient{AccountID: account, Email: newEmail(), By: "usr_check", CreatedAt: at(0)}
}
