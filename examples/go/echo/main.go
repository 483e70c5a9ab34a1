// Command echo mounts the receiver in Echo (github.com/labstack/echo), which serves it
// with a server of its own: the workers are run beside it, and stopped after it.
//
//	COMPLIANCELAYER_SECRET=whsec_... go run ./echo
package main

import (
	"cmp"
	"context"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/labstack/echo/v5"

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
	events.OnScanCompleted(func(_ context.Context, e receiver.Event[receiver.ScanCompleted]) error {
		slog.Info("scan completed", "domain", e.Data.Domain, "score", e.Data.Score)
		return nil
	})

	e := echo.New()
	e.POST("/webhooks/compliancelayer", echo.WrapHandler(events))

	working, stopWorking := context.WithCancel(context.Background())
	var worker sync.WaitGroup
	worker.Go(func() { _ = events.Run(working) })
	address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8090")
	slog.Info("receiving", "url", "http://"+address+"/webhooks/compliancelayer")
	server := echo.StartConfig{Address: address, HideBanner: true, GracefulTimeout: 30 * time.Second}
	err = server.Start(ctx, e)
	stopWorking() // after the last request was answered
	worker.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
