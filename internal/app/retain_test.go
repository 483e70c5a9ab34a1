package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

func TestWhatACrashLeftHeldForADeletedEndpointEndsWithoutARetention(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: settings(dir).Database})
	must(t, err)
	now := time.Now()
	e := delivery.Endpoint{ID: "ep_1", AccountID: store.DefaultAccount, URL: "https://receiver.example/", Events: []string{"*"}, State: delivery.Enabled, CreatedAt: now, UpdatedAt: now}
	must(t, db.CreateEndpoint(t.Context(), e, store.Secret{ID: "sec_1", Role: store.Current, Sealed: []byte("sealed"), CreatedAt: now}, 10))
	_, err = db.DeleteEndpoint(t.Context(), e.AccountID, e.ID, now)
	must(t, err)
	b := &store.Batch{AccountID: e.AccountID, Events: []store.NewEvent{{
		ID: "0195f7c2-0000-7000-8000-000000000001", Type: "domain.added", CreatedAt: now, Body: []byte("{}"),
		Deliveries: []store.NewDelivery{{EndpointID: e.ID, Status: delivery.Held, Cycle: delivery.Automatic}},
	}}}
	done, err := db.Publish(t.Context(), b)
	must(t, err)
	must(t, db.Close())

	w := newWorld(t, func(cfg *Config) { cfg.Database, cfg.Retention = settings(dir).Database, 0 })
	eventually(t, "the delivery is discarded", func() bool {
		d, err := w.db.Delivery(t.Context(), e.AccountID, done[0].Deliveries[0].ID)
		must(t, err)
		return d.Status == delivery.Discarded
	})
}

// Mails waited for ever once the server had no mail server any more.
func TestMailsThatNobodySendsGoWithoutARetention(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: settings(dir).Database})
	must(t, err)
	must(t, db.Close())
	raw, err := sql.Open("sqlite", settings(dir).Database)
	must(t, err)
	now := time.Now().UnixMilli()
	_, err = raw.ExecContext(t.Context(), `insert into mails (id, account_id, email, topic, endpoint_id, kind, facts, state, created_at) values
		('mail_old', 'acc_default', 'zoe@example.com', '', '', 'disabled', '{}', 'waiting', ?), ('mail_young', 'acc_default', 'zoe@example.com', '', '', 'disabled', '{}', 'waiting', ?)`,
		now-(8*24*time.Hour).Milliseconds(), now)
	must(t, err)
	must(t, raw.Close())

	w := newWorld(t, func(cfg *Config) { cfg.Database, cfg.Retention = settings(dir).Database, 0 })
	eventually(t, "the old mail is deleted", func() bool {
		left, _, err := w.db.ListMails(t.Context(), store.DefaultAccount, store.Page{Limit: 10})
		must(t, err)
		if len(left) > 0 && left[0].ID != "mail_young" {
			t.Errorf("left: %+v", left)
		}
		return len(left) == 1
	})
}

// What was to be shown once and was not, because the browser did not come for it, stayed until the retention.
func TestWhatNobodyCameToSeeGoesWithoutARetention(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: settings(dir).Database})
	must(t, err)
	over := store.Reveal{ID: "rev_1", AccountID: store.DefaultAccount, SessionID: "ses_1", Sealed: []byte("sealed"), ExpiresAt: time.Now().Add(-time.Minute)}
	open := over
	open.ID, open.ExpiresAt = "rev_2", time.Now().Add(time.Hour)
	must(t, db.KeepReveal(t.Context(), over))
	must(t, db.KeepReveal(t.Context(), open))
	must(t, db.Close())

	w := newWorld(t, func(cfg *Config) { cfg.Database, cfg.Retention = settings(dir).Database, 0 })
	raw, err := sql.Open("sqlite", settings(dir).Database)
	must(t, err)
	defer raw.Close()
	eventually(t, "what is over is deleted", func() bool {
		var left int
		must(t, raw.QueryRowContext(t.Context(), "select count(*) from reveals where id = 'rev_1'").Scan(&left))
		return left == 0
	})
	if _, err := w.db.TakeReveal(t.Context(), store.DefaultAccount, open.SessionID, open.ID, time.Now()); err != nil {
		t.Errorf("what is not over yet: %v", err)
	}
}

// The first deletion from a long log took hours, and secrets that were to be shown once waited for it.
func TestUpkeepThatTakesHoursHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		a := &App{log: slog.New(slog.DiscardHandler)}
		done := make(chan struct{})
		var rounds int
		go func() {
			defer close(done)
			a.doAll(ctx, []chore{
				{"never done", func(_ context.Context, limit int) (int, error) { return limit, nil }},
				{"done at once", func(context.Context, int) (int, error) { rounds++; return 0, nil }},
			})
		}()
		time.Sleep(3*retainEvery + time.Second)
		synctest.Wait()
		cancel()
		<-done
		if rounds != 4 {
			t.Errorf("beside upkeep that never ends the other had %d turns in half an hour, want 4", rounds)
		}
	})
}

// A node whose clock was ahead by more than the retention deleted the whole log, and the
// dead letters with it.
func TestTheRetentionWentByTheNodesClockAndNotByTheDatabases(t *testing.T) {
	t.Parallel()
	const behind, retention = 90 * 24 * time.Hour, 30 * 24 * time.Hour
	database := serverBehind(t, behind)
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: database})
	must(t, err)
	now, err := db.Clock(t.Context())
	must(t, err)
	if off := time.Since(now) - behind; off.Abs() > time.Hour {
		t.Fatalf("the server's clock is not %s behind, but %s more", behind, off)
	}
	const young, old = "0195f7c2-0000-7000-8000-000000000001", "0195f7c2-0000-7000-8000-000000000002"
	_, err = db.Publish(t.Context(), &store.Batch{AccountID: store.DefaultAccount, Events: []store.NewEvent{
		{ID: young, Type: "domain.added", CreatedAt: now, Body: []byte("{}")},
		{ID: old, Type: "domain.added", CreatedAt: now.Add(-retention - time.Hour), Body: []byte("{}")},
	}})
	must(t, err)
	must(t, db.Close())

	w := newWorld(t, func(cfg *Config) { cfg.Database, cfg.Retention = database, retention })
	eventually(t, "the old event is deleted", func() bool {
		_, err := w.db.Event(t.Context(), store.DefaultAccount, old)
		return errors.Is(err, store.ErrNotFound)
	})
	if _, err := w.db.Event(t.Context(), store.DefaultAccount, young); err != nil {
		t.Errorf("an event that is young by the server's clock: %v", err)
	}
}

// serverBehind makes a database in which the server's clock seems to be behind.
func serverBehind(t *testing.T, behind time.Duration) string {
	t.Helper()
	address := pgtest.URL(t)
	db, err := sql.Open("pgx", address)
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), fmt.Sprintf(`create schema slow; create function slow.clock_timestamp() returns timestamptz language sql as
		$$ select pg_catalog.clock_timestamp() - interval '%d seconds' $$`, behind/time.Second))
	must(t, err)
	u, err := url.Parse(address)
	must(t, err)
	q := u.Query()
	q.Set("search_path", "slow,pg_catalog,public")
	u.RawQuery = q.Encode()
	return u.String()
}
