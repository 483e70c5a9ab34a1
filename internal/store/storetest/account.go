package storetest

import (
	"crypto/sha256"
	"errors"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func accountChecks() []check {
	return []check{
		{"the default account exists and stays", accountDefault},
		{"an account is kept as it was made", accountKept},
		{"the list has every account once", accountList},
		{"a deleted account is hidden, its keys ended and its endpoints deleted", accountDeleted},
		{"a key is found by its hash and kept as it was made", keyKept},
		{"a key's hash is taken once", keyTwice},
		{"a revoked key is found with the time of its end", keyRevoked},
		{"two keys that revoke each other at once do not both end", keysRevokeEachOther},
		{"the use of a key is noted to the minute", keyTouched},
		{"of the set-up links the newest makes the first key, once", setUpOnce},
		{"set-up links offered and used by many at once make one key", setUpAtOnce},
		{"there is no set-up beside a key", setUpDone},
		{"a link is given once", linkOnce},
		{"a link is used up with its session, or not at all", linkWhole},
		{"a link used by many at once is given once", linkOnceAtOnce},
		{"a link is not given for another purpose or after its end", linkRefused},
	}
}

func accountDefault(w *world) {
	got, err := w.s.Account(w.ctx(), store.DefaultAccount)
	w.must("read the default account", err)
	if got.ID != store.DefaultAccount || got.Name == "" {
		w.t.Errorf("the default account: got %+v", got)
	}
	w.wantConflict("delete the default account", w.s.DeleteAccount(w.ctx(), store.DefaultAccount, at(0)))
	_, err = w.s.Account(w.ctx(), store.DefaultAccount)
	w.must("read the default account again", err)
}

func accountKept(w *world) {
	want := store.Account{ID: newID("acc_"), Name: "Größe & Söhne", CreatedAt: at(time.Second)}
	w.must("create account", w.s.CreateAccount(w.ctx(), want))
	got, err := w.s.Account(w.ctx(), want.ID)
	w.must("read account", err)
	w.equal("account", got, want)
	w.wantError("create it again", w.s.CreateAccount(w.ctx(), want), store.ErrConflict)
	_, err = w.s.Account(w.ctx(), newID("acc_"))
	w.wantError("read no account", err, store.ErrNotFound)
}

// accountIDs counts how often each id comes in the list of accounts.
func (w *world) accountIDs() map[string]int {
	w.t.Helper()
	seen := make(map[string]int)
	for _, a := range pages(w, 5, func(p store.Page) ([]store.Account, string, error) { return w.s.ListAccounts(w.ctx(), p) }, nil) {
		seen[a.ID]++
	}
	return seen
}

func accountList(w *world) {
	want := []string{store.DefaultAccount, w.account}
	for range 12 {
		want = append(want, w.newAccount(at(0)))
	}
	seen := w.accountIDs()
	for _, id := range want {
		if seen[id] != 1 {
			w.t.Errorf("account %s comes %d times in the list", id, seen[id])
		}
	}
}

func accountDeleted(w *world) {
	endpoint := w.newEndpoint()
	pending := w.inStatus(endpoint, delivery.Pending)
	key := keyOf(w.account)
	w.must("create key", w.s.CreateKey(w.ctx(), key))
	w.must("delete account", w.s.DeleteAccount(w.ctx(), w.account, at(time.Hour)))

	_, err := w.s.Account(w.ctx(), w.account)
	w.wantError("read the account", err, store.ErrNotFound)
	if n := w.accountIDs()[w.account]; n != 0 {
		w.t.Errorf("the list has the deleted account")
	}
	got, err := w.s.KeyByHash(w.ctx(), key.Hash)
	w.must("read its key", err)
	if !got.RevokedAt.Equal(at(time.Hour)) {
		w.t.Errorf("its key was revoked at %s, want %s", got.RevokedAt, at(time.Hour))
	}
	_, err = w.s.Endpoint(w.ctx(), w.account, endpoint)
	w.wantError("read its endpoint", err, store.ErrNotFound)
	if got := w.claimed(endpoint, at(2*time.Hour), 10); len(got.Leases) > 0 {
		w.t.Errorf("the deleted account's delivery %d is still sent: %+v", pending, got.Leases)
	}
	w.wantError("delete it again", w.s.DeleteAccount(w.ctx(), w.account, at(2*time.Hour)), store.ErrNotFound)
}

// keyOf describes a live key of an account.
func keyOf(account string) store.Key {
	id := newID("key_")
	return store.Key{
		ID: id, AccountID: account, Name: "of a check", Prefix: "cl_" + id[4:8], Hash: sha256.Sum256([]byte(id)),
		Scopes: []string{"publish", "read"}, CreatedAt: at(0),
	}
}

func keyKept(w *world) {
	plain, ending := keyOf(w.account), keyOf(w.account)
	plain.Scopes = nil
	ending.ExpiresAt, ending.Name = at(time.Hour), "ends"
	for _, want := range []store.Key{plain, ending} {
		w.must("create key", w.s.CreateKey(w.ctx(), want))
		got, err := w.s.KeyByHash(w.ctx(), want.Hash)
		w.must("read key", err)
		w.equal("key", got, want)
		got, err = w.s.Key(w.ctx(), w.account, want.ID)
		w.must("read key by its id", err)
		w.equal("key by its id", got, want)
	}
	_, err := w.s.KeyByHash(w.ctx(), sha256.Sum256([]byte(newID("no key"))))
	w.wantError("read no key", err, store.ErrNotFound)
	list, next, err := w.s.ListKeys(w.ctx(), w.account, store.Page{Limit: 10})
	w.must("list keys", err)
	if len(list) != 2 || next != "" {
		w.t.Errorf("the list has %d keys and next %q, want 2 and no more", len(list), next)
	}
}

func keyTwice(w *world) {
	key := keyOf(w.account)
	w.must("create key", w.s.CreateKey(w.ctx(), key))
	same := keyOf(newWorld(w.t, w.s).account)
	same.Hash = key.Hash
	w.wantConflict("create another key of this hash", w.s.CreateKey(w.ctx(), same))
	got, err := w.s.KeyByHash(w.ctx(), key.Hash)
	w.must("read key", err)
	w.equal("key", got, key)
}

func keyRevoked(w *world) {
	key, other := keyOf(w.account), keyOf(w.account)
	w.must("create key", w.s.CreateKey(w.ctx(), key))
	w.must("create another", w.s.CreateKey(w.ctx(), other))
	w.must("revoke", w.s.RevokeKey(w.ctx(), w.account, key.ID, "", at(time.Hour)))
	_ = w.s.RevokeKey(w.ctx(), w.account, key.ID, other.ID, at(2*time.Hour)) // it ended already; whether that is an error is not promised
	key.RevokedAt = at(time.Hour)
	for _, want := range []store.Key{key, other} {
		got, err := w.s.KeyByHash(w.ctx(), want.Hash)
		w.must("read key", err)
		w.equal("key", got, want)
	}
	w.wantError("revoke no key", w.s.RevokeKey(w.ctx(), w.account, newID("key_"), "", at(0)), store.ErrNotFound)
}

func keysRevokeEachOther(w *world) {
	for range 10 {
		keys := []store.Key{keyOf(w.account), keyOf(w.account)}
		for _, k := range keys {
			w.must("create key", w.s.CreateKey(w.ctx(), k))
		}
		var ended atomic.Int32
		w.atOnce(2, func(i int) error {
			err := w.s.RevokeKey(w.ctx(), w.account, keys[1-i].ID, keys[i].ID, at(time.Hour))
			if err == nil {
				ended.Add(1)
			}
			if errors.Is(err, store.ErrConflict) {
				return nil
			}
			return err
		})
		if ended.Load() != 1 {
			w.t.Errorf("of two keys that revoke each other %d ended, want 1", ended.Load())
		}
	}
}

func keyTouched(w *world) {
	key := keyOf(w.account)
	w.must("create key", w.s.CreateKey(w.ctx(), key))
	now := at(5*time.Minute + 30*time.Second)
	w.must("touch", w.s.TouchKey(w.ctx(), key.ID, now))
	got, err := w.s.KeyByHash(w.ctx(), key.Hash)
	w.must("read key", err)
	if late := now.Sub(got.LastUsedAt); late < 0 || late >= time.Minute {
		w.t.Errorf("used at %s, noted as %s", now, got.LastUsedAt)
	}
}

// linkOf describes a link of an account that ends in an hour.
func linkOf(account string) store.Link {
	return store.Link{Hash: sha256.Sum256([]byte(newID("link"))), AccountID: account, Purpose: "portal", ExpiresAt: at(time.Hour)}
}

// setUpLink describes a set-up link of an account that ends in an hour.
func setUpLink(account string) store.Link {
	l := linkOf(account)
	l.Purpose = "setup"
	return l
}

func setUpOnce(w *world) {
	older, link := setUpLink(w.account), setUpLink(w.account)
	w.must("offer", w.s.OfferSetup(w.ctx(), older))
	w.must("offer again", w.s.OfferSetup(w.ctx(), link))
	key := keyOf(w.account)
	w.wantError("use the older link", w.s.SetUp(w.ctx(), older.Hash, key, at(0)), store.ErrNotFound)
	w.wantError("use it after its end", w.s.SetUp(w.ctx(), link.Hash, key, link.ExpiresAt), store.ErrNotFound)
	portal := linkOf(w.account)
	w.must("create a portal link", w.s.CreateLink(w.ctx(), portal))
	w.wantError("use the portal link", w.s.SetUp(w.ctx(), portal.Hash, key, at(0)), store.ErrNotFound)
	w.must("use it", w.s.SetUp(w.ctx(), link.Hash, key, justBefore(link.ExpiresAt)))
	got, err := w.s.Key(w.ctx(), w.account, key.ID)
	w.must("read the key", err)
	w.equal("key", got, key)
	w.wantConflict("use it again", w.s.SetUp(w.ctx(), link.Hash, keyOf(w.account), at(0)))
	w.wantConflict("offer another", w.s.OfferSetup(w.ctx(), setUpLink(w.account)))
}

func setUpAtOnce(w *world) {
	var made atomic.Int32
	links := make([]store.Link, 10)
	w.atOnce(len(links), func(i int) error {
		links[i] = setUpLink(w.account)
		return w.s.OfferSetup(w.ctx(), links[i])
	})
	w.atOnce(3*len(links), func(i int) error {
		err := w.s.SetUp(w.ctx(), links[i%len(links)].Hash, keyOf(w.account), at(0))
		if err == nil {
			made.Add(1)
		}
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
			return nil
		}
		return err
	})
	if made.Load() != 1 {
		w.t.Errorf("%d first keys were made, want 1", made.Load())
	}
}

func setUpDone(w *world) {
	link := setUpLink(w.account)
	w.must("offer", w.s.OfferSetup(w.ctx(), link))
	key := keyOf(w.account)
	w.must("create a key", w.s.CreateKey(w.ctx(), key))
	w.wantConflict("use the link", w.s.SetUp(w.ctx(), link.Hash, keyOf(w.account), at(0)))
	w.must("revoke the key", w.s.RevokeKey(w.ctx(), w.account, key.ID, "", at(0)))
	w.wantConflict("use it after the key ended", w.s.SetUp(w.ctx(), link.Hash, keyOf(w.account), at(0)))
	w.wantConflict("offer another", w.s.OfferSetup(w.ctx(), link))
}

func linkOnce(w *world) {
	want, other := linkOf(w.account), linkOf(w.account)
	w.must("create link", w.s.CreateLink(w.ctx(), want))
	w.must("create another", w.s.CreateLink(w.ctx(), other))
	n := sessionOf(w.account)
	got, err := w.s.UseLink(w.ctx(), want.Hash, "portal", at(time.Minute), func(l store.Link) store.Session {
		w.equal("link", l, want)
		return n
	})
	w.must("use link", err)
	w.equal("session", got, n)
	found, err := w.s.SessionByHash(w.ctx(), n.Hash, at(time.Minute))
	w.must("read its session", err)
	n.Account = accountName
	w.equal("session as it is kept", found, n)
	w.wantError("use it again", w.useLink(want.Hash, "portal", at(time.Minute)), store.ErrNotFound)
	w.must("use the other", w.useLink(other.Hash, "portal", at(time.Minute)))
}

// linkWhole: where no session can begin, the link stays good.
func linkWhole(w *world) {
	link, n := linkOf(w.account), sessionOf(w.account)
	w.must("create link", w.s.CreateLink(w.ctx(), link))
	w.must("create another", w.s.CreateLink(w.ctx(), linkOf(w.account)))
	taken := w.newSession(w.newUser("admin"))
	n.ID = taken.ID
	if _, err := w.s.UseLink(w.ctx(), link.Hash, "portal", at(0), func(store.Link) store.Session { return n }); err == nil {
		w.t.Error("a session began with the id of another")
	}
	w.must("use the link after that", w.useLink(link.Hash, "portal", at(0)))
}

// useLink uses a link up, and answers the error.
func (w *world) useLink(hash [32]byte, purpose string, now time.Time) error {
	_, err := w.s.UseLink(w.ctx(), hash, purpose, now, func(l store.Link) store.Session { return sessionOf(l.AccountID) })
	return err
}

func linkOnceAtOnce(w *world) {
	link := linkOf(w.account)
	w.must("create link", w.s.CreateLink(w.ctx(), link))
	var given atomic.Int32
	w.atOnce(20, func(int) error {
		err := w.useLink(link.Hash, "portal", at(0))
		if err == nil {
			given.Add(1)
		}
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if given.Load() != 1 {
		w.t.Errorf("20 uses at once got the link %d times", given.Load())
	}
}

func linkRefused(w *world) {
	link := linkOf(w.account)
	w.must("create link", w.s.CreateLink(w.ctx(), link))
	w.wantError("use it for another purpose", w.useLink(link.Hash, "setup", at(0)), store.ErrNotFound)
	w.wantError("use it after its end", w.useLink(link.Hash, "portal", justAfter(link.ExpiresAt)), store.ErrNotFound)
	w.wantError("use no link", w.useLink(linkOf(w.account).Hash, "portal", at(0)), store.ErrNotFound)
	w.must("use it before its end", w.useLink(link.Hash, "portal", justBefore(link.ExpiresAt)))
}
