// Command inbox is the shortest receiver that loses nothing: it keeps every event in a
// SQLite file before it answers, skips copies, logs scans and tests, and posts all but
// scans to Slack when there is a token, whose bot is in the channel.
//
//	COMPLIANCELAYER_SECRET=whsec_... go run ./inbox
//	COMPLIANCELAYER_SECRET=whsec_... SLACK_TOKEN=xoxb-... SLACK_CHANNEL=C0123456789 go run ./inbox
package main

import (
	"cmp"
	"context"
	"log"
	"log/slog"
	"net/http"
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
	var chat *slack.Sink // nil: there is none
	if token := os.Getenv("SLACK_TOKEN"); token != "" {
		config := slack.Config{Token: token, Channel: os.Getenv("SLACK_CHANNEL")}
		if config.API = os.Getenv("SLACK_API"); config.API != "" {
			config.HTTP = &http.Client{} // one that goes to this machine, too
		}
		if chat, err = slack.New(config); err != nil {
			return err
		}
		events.OnOther(chat.Handle) // every other type, alerts among them
	}
	events.OnTest(func(ctx context.Context, e receiver.Event[receiver.Test]) error {
		slog.Info("it works", "message", e.Data.Message)
		if chat == nil {
			return nil
		}
		return chat.Handle(ctx, e.Untyped())
	})
	address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8090")
	slog.Info("receiving", "url", "http://"+address+"/webhooks/compliancelayer")
	return events.ListenAndServe(ctx, address, nil)
}
