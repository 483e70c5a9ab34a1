package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	kit "github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// kitReceiver is a program that receives with the receiver kit, in inbox mode with its
// default settings: events are kept in SQLite, and handlers that do nothing but count
// work them off at the same time.
type kitReceiver struct {
	counter
	profiler
	store  *sqlstore.Store // nil until it was started
	stop   context.CancelFunc
	served chan error
}

// kitSettings are what the kit is started with.
type kitSettings struct {
	Path   string `json:"path"` // of the SQLite file
	Secret string `json:"secret"`
}

// kitRole offers the kit's verbs to the process that started this one.
func kitRole(ctx context.Context) (handlers, func() error, error) {
	ctx, stop := context.WithCancel(ctx)
	k := &kitReceiver{stop: stop, served: make(chan error, 1)}
	return handlers{
		"serve":         verb(func(s kitSettings) (string, error) { return k.serve(ctx, s) }),
		"expect":        verb(k.expect),
		"wait":          verb(func(limit time.Duration) (struct{}, error) { return k.waitAndSettle(ctx, limit) }),
		"count":         verb(k.count),
		"profile":       verb(k.profile),
		"write profile": verb(k.writeProfile),
	}, k.end, nil
}

// serve starts the receiver and gives its address.
func (k *kitReceiver) serve(ctx context.Context, s kitSettings) (string, error) {
	secret, err := webhook.ParseSecret(s.Secret)
	if err != nil {
		return "", fmt.Errorf("read the kit's secret: %w", err)
	}
	store, err := sqlstore.OpenSQLite(ctx, s.Path)
	if err != nil {
		return "", fmt.Errorf("open the kit's store: %w", err)
	}
	r, err := kit.New(kit.Config{Secrets: []webhook.Secret{secret}, Store: store, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return "", errors.Join(err, store.Close())
	}
	r.OnScanCompleted(func(_ context.Context, event kit.Event[kit.ScanCompleted]) error {
		k.take(event.Body, time.Now(), event.Try > 1)
		return nil
	})
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", errors.Join(fmt.Errorf("open the kit's receiver: %w", err), store.Close())
	}
	k.store = store
	go func() { k.served <- r.Serve(ctx, listener, nil) }()
	return listener.Addr().String(), nil
}

// waitAndSettle returns when every event was handled and is written down as done, or
// after limit.
func (k *kitReceiver) waitAndSettle(ctx context.Context, limit time.Duration) (struct{}, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, _ = k.wait(limit) // it has no error to give
	for {
		depths, err := k.store.Depths(ctx)
		if err != nil {
			return struct{}{}, fmt.Errorf("wait until the inbox is empty: %w", err)
		}
		if len(depths) == 0 {
			return struct{}{}, nil
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return struct{}{}, fmt.Errorf("wait until the inbox is empty: %w", err)
		}
	}
}

// end stops the receiver and waits for it.
func (k *kitReceiver) end() error {
	k.stop()
	if k.store == nil {
		return nil
	}
	return errors.Join(<-k.served, k.store.Close())
}
