// Command transaction keeps the newest score of each domain in a table. The change of
// the table and the mark that the event is done commit together, so that each event has
// its effect exactly once, whatever crashes.
//
//	COMPLIANCELAYER_SECRET=whsec_... go run ./transaction
package main

import (
	"cmp"
	"context"
	"database/sql"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	_ "modernc.org/sqlite"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

const table = `create table if not exists scores (domain text primary key, score int not null, at text not null, scans int not null default 1)`

// Events come in no order: an older one must not overwrite a newer one.
const upsert = `insert into scores (domain, score, at) values ($1, $2, $3)
	on conflict (domain) do update set
		score = case when excluded.at > at then excluded.score else score end,
		at = max(at, excluded.at),
		scans = scans + 1`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	secrets, err := receiver.ParseSecrets(os.Getenv("COMPLIANCELAYER_SECRET"))
	if err != nil {
		return err
	}
	// The program's own database; for PostgreSQL the driver is pgx and the rest the same.
	db, err := sql.Open("sqlite", "file:scores.db?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, table); err != nil {
		return err
	}
	store, err := sqlstore.New(ctx, db)
	if err != nil {
		return err
	}
	events, err := receiver.New(receiver.Config{Secrets: secrets, Store: store, InTx: true})
	if err != nil {
		return err
	}
	events.OnScanCompleted(func(ctx context.Context, e receiver.Event[receiver.ScanCompleted]) error {
		_, err := e.Tx.ExecContext(ctx, upsert, e.Data.Domain, e.Data.Score, e.CreatedAt.Format("2006-01-02T15:04:05.000Z"))
		return err
	})
	address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8090")
	slog.Info("receiving", "url", "http://"+address+"/webhooks/compliancelayer")
	return events.ListenAndServe(ctx, address, nil)
}
