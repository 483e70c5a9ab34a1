// Command chi mounts the receiver in a router of chi (github.com/go-chi/chi), beside the
// program's own pages, and runs the workers itself.
//
//	COMPLIANCELAYER_SECRET=whsec_... go run ./chi
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

	"github.com/go-chi/chi/v5"

	"github.com/compliancelayer/compliancelayer/receiver"
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
	events.OnAlertTriggered(func(_ context.Context, e receiver.Event[receiver.AlertTriggered]) error {
		slog.Info("alert", "severity", e.Data.Severity, "domain", e.Data.Domain, "title", e.Data.Title)
		return nil
	})

	router := chi.NewRouter()
	router.Get("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("my program\n")) })
	router.Mount("/webhooks/compliancelayer", events)
	address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8090")
	slog.Info("receiving", "url", "http://"+address+"/webhooks/compliancelayer")
	return events.ListenAndServe(ctx, address, router)
}
