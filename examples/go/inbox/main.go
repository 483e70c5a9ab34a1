// Command inbox is the shortest receiver that loses nothing: it keeps every event in a
// SQLite file before it answers, skips copies, and posts low scores to Slack when there
// is a token, else to its log.
//
//	COMPLIANCELAYER_SECRET=whsec_... LISTEN=127.0.0.1:8090 go run ./inbox
package main

import (
	"context"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/slack"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

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
	store, err := sqlstore.OpenSQLite(ctx, "events.db")
	if err != nil {
		return err
	}
	defer store.Close()
	events, err := receiver.New(receiver.Config{Secrets: secrets, Store: store})
	if err != nil {
		return err
	}

	events.OnScanCompleted(func(_ context.Context, e receiver.Event[receiver.ScanCompleted]) error {
		slog.Info("scan completed", "domain", e.Data.Domain, "score", e.Data.Score, "grade", e.Data.Grade)
		return nil
	})
	events.OnTest(func(_ context.Context, e receiver.Event[receiver.Test]) error {
		slog.Info("it works", "message", e.Data.Message)
		return nil
	})
	if token := os.Getenv("SLACK_TOKEN"); token != "" {
		chat, err := slack.New(slack.Config{Token: token, Channel: "#security-alerts"})
		if err != nil {
			return err
		}
		events.OnOther(chat.Handle) // every other type, alerts among them
	}
	return events.ListenAndServe(ctx, os.Getenv("LISTEN"), nil)
}
