package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// demoCmd tells the whole story in one process: a real server, local receivers, and
// the public client between them. Its flags have variables of their own, because the
// settings of a real server must not lead the demonstration to its database.
type demoCmd struct {
	Once     bool         `help:"End after the story: exit status 0 only if every step was seen."`
	Listen   address      `help:"Address of the server; port 0 = a free one." default:"127.0.0.1:0"`
	Database databaseName `help:"A database to use and keep; left out, one in a temporary folder." placeholder:"PATH|URL"`
}

// Help says what will be seen.
func (d *demoCmd) Help() string {
	return `A server in development mode, a receiver that verifies, an event delivered; a second receiver that fails, its retries in time-lapse up to the dead letter queue, warnings, automatic disabling, held events; then it is mended, enabled, and everything arrives. Each line is printed when it was seen through the API. After that the server stays up until Ctrl-C, with a third endpoint left disabled to be brought back in the dashboard.`
}

// lapse are the rules of delivery in time-lapse: three hours in three seconds. All but the
// times is as it is by default.
func lapse() delivery.Policy {
	p := delivery.DefaultPolicy()
	p.Schedule = delivery.Schedule{0, 200 * time.Millisecond, 400 * time.Millisecond, 600 * time.Millisecond, 800 * time.Millisecond, time.Second}
	p.SpacingFirst, p.SpacingLongest = 20*time.Millisecond, 100*time.Millisecond
	return p
}

// Run starts a server, tells the story with it, and leaves it running.
func (d *demoCmd) Run(ctx context.Context, c *console) (err error) {
	database, remove, err := d.database()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	key := "cl_demo_" + strings.ToLower(rand.Text())
	a, err := app.Open(ctx, app.Config{
		Listen: string(d.Listen), Database: database, Dev: true, Policy: lapse(), APIKey: key, Version: version,
		Log: slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		var taken *app.ListenError
		if errors.As(err, &taken) {
			return listenHint(err, "--listen or COMPLIANCELAYER_DEMO_LISTEN")
		}
		return serveHint(err)
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(serving) }()
	err = d.show(ctx, c, a.URL(), key)
	stop()
	return errors.Join(err, <-ended)
}

// show tells the story and, unless it is told once, waits for Ctrl-C, which is no failure.
func (d *demoCmd) show(ctx context.Context, c *console, url, key string) error {
	s, err := newStory(ctx, c, url, key)
	if err != nil {
		return err
	}
	defer s.close()
	began := time.Now()
	if err := s.tell(ctx); err != nil {
		return d.untold(ctx, err)
	}
	c.say("\nAll of it was seen, in %.1f s.", time.Since(began).Seconds())
	if d.Once {
		return nil
	}
	if err := s.see(ctx, s.leave); err != nil {
		return d.untold(ctx, err)
	}
	s.linger(ctx, key)
	return nil
}

// untold is what comes of a story that broke off. Ctrl-C is no failure where it would have gone on until then.
func (d *demoCmd) untold(ctx context.Context, err error) error {
	if ctx.Err() != nil && !d.Once {
		return nil
	}
	return withHint(err, "%s demo --once   (tells the story again)", programName)
}

// database gives the database and what to do with it at the end.
func (d *demoCmd) database() (database string, remove func() error, err error) {
	if d.Database != "" {
		return string(d.Database), func() error { return nil }, nil
	}
	folder, err := os.MkdirTemp("", "compliancelayer-demo-*")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(folder, "demo.db"), func() error { return os.RemoveAll(folder) }, nil
}

// errUnseen means that a step did not come to pass in time.
var errUnseen = errors.New("not seen in time")

// stepTime is how long a step may take; the longest lasts about four seconds.
const stepTime = 15 * time.Second

// until asks again and again until seen says yes, at most for stepTime.
func until(ctx context.Context, what string, seen func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stepTime, errUnseen)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := seen(ctx)
		if ok && err == nil {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
	}
}
