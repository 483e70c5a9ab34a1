package receiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// ListenAndServe listens on address and does the rest in the right order: it serves
// handler, or r itself on every path when handler is nil, works events off, and when
// ctx ends answers the open requests, lets handlers end and returns nil. Mount r in a
// router of your own and call [Receiver.Run] to do the same by other means.
func (r *Receiver) ListenAndServe(ctx context.Context, address string, handler http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen for webhooks: %w", err)
	}
	return r.Serve(ctx, listener, handler)
}

// Serve is ListenAndServe on a listener, which it closes.
func (r *Receiver) Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	if handler == nil {
		handler = r
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: bodyTime,
		ReadTimeout:       2 * bodyTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10, // the sender's are a kilobyte or two; endpoints may add some
		ErrorLog:          slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
	}
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	var worker sync.WaitGroup
	worker.Go(func() { _ = r.Run(working) }) // it has no error to give

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), senderPatience)
		defer cancel()
		err = errors.Join(server.Shutdown(patience), <-served)
	}
	stopWorking()
	worker.Wait()
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("requests were still open after %v: %w", senderPatience, err)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
