package sqlstore

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// FuzzCursor: a cursor is one of ours or refused; one that is read is written as it was; and
// whatever it says, no list has a row of another account's.
func FuzzCursor(f *testing.F) {
	for _, p := range []position{top(), {at: 5, id: 7}, {at: -1, text: "ep_theirs"}, {at: 1, id: 1, text: "acc_theirs"}, {text: "' or 1=1 --"}, {text: "a.b.c"}, {text: "\u202e"}} {
		f.Add(p.String(), p.at, p.id, p.text)
	}
	f.Add("e30=", int64(0), int64(0), "\x00")
	f.Add("MS4yLv8", int64(0), int64(0), "\xff")
	s := twoAccounts(f)
	f.Fuzz(func(t *testing.T, cursor string, at, id int64, text string) {
		made := position{at: at, id: id, text: text}
		for _, c := range []string{cursor, made.String()} {
			p, err := parsePosition(c)
			if err != nil {
				var conflict *store.Conflict
				if !errors.As(err, &conflict) {
					t.Fatalf("parsePosition(%q): %v", c, err)
				}
				continue
			}
			if again, err := parsePosition(p.String()); err != nil || again != p && c != "" {
				t.Fatalf("parsePosition(%q) = %+v, which is written and read as %+v, %v", c, p, again, err)
			}
			onlyOurs(t, s, store.Page{Cursor: c, Limit: 10})
		}
	})
}

// twoAccounts has an endpoint with an event in each of two accounts.
func twoAccounts(f *testing.F) *Store {
	s, err := Open(f.Context(), Config{Database: filepath.Join(f.TempDir(), "test.db")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	for _, account := range []string{"acc_ours", "acc_theirs"} {
		now := time.UnixMilli(5)
		err := errors.Join(
			s.CreateAccount(f.Context(), store.Account{ID: account, Name: account, CreatedAt: now}),
			s.CreateEndpoint(f.Context(), delivery.Endpoint{ID: "ep_" + account, AccountID: account, URL: "https://example.com", State: delivery.Enabled, CreatedAt: now, UpdatedAt: now}, store.Secret{ID: "sec_" + account, EndpointID: "ep_" + account, Role: store.Current, Sealed: []byte{1}, CreatedAt: now}, 10),
		)
		if err != nil {
			f.Fatal(err)
		}
		b := &store.Batch{AccountID: account, Events: []store.NewEvent{{
			ID: account, Type: "domain.added", CreatedAt: now, Body: []byte("{}"),
			Deliveries: []store.NewDelivery{{EndpointID: "ep_" + account, Status: delivery.Failed, Cycle: delivery.Automatic}},
		}}}
		if _, err := s.Publish(f.Context(), b); err != nil {
			f.Fatal(err)
		}
	}
	return s
}

// onlyOurs reads every list of an account.
func onlyOurs(t *testing.T, s *Store, page store.Page) {
	t.Helper()
	const ours = "acc_ours"
	deliveries, _, err1 := s.ListDeliveries(t.Context(), ours, store.DeliveryFilter{}, page)
	events, _, err2 := s.ListEvents(t.Context(), ours, store.EventFilter{}, page)
	endpoints, _, err3 := s.ListEndpoints(t.Context(), ours, page)
	keys, _, err4 := s.ListKeys(t.Context(), ours, page)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatalf("cursor %q: %v", page.Cursor, err)
	}
	foreign := len(keys) > 0
	for _, d := range deliveries {
		foreign = foreign || d.AccountID != ours
	}
	for _, e := range events {
		foreign = foreign || e.AccountID != ours
	}
	for _, e := range endpoints {
		foreign = foreign || e.AccountID != ours
	}
	if foreign {
		t.Fatalf("cursor %q: a row of another account's", page.Cursor)
	}
}
