package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// program is the process under test: the very program that "serve --dev" starts,
// with its default settings, inside this binary so that profiles can be taken
// without a switch for that in the product.
type program struct {
	cancel context.CancelFunc
	served chan error // nil until it was started
	profiler
}

// programSettings are what differs from row to row.
type programSettings struct {
	Database string `json:"database"`
	KeyFile  string `json:"key_file"`
	APIKey   string `json:"api_key"`
	// KeepTrying is --disable-after 0: an endpoint that fails is not disabled.
	KeepTrying bool `json:"keep_trying"`
}

// programRole offers the program's verbs to the process that started this one.
func programRole(ctx context.Context) (handlers, func() error, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &program{cancel: cancel}
	return handlers{
		"serve":         verb(func(s programSettings) (string, error) { return p.serve(ctx, s) }),
		"profile":       verb(p.profile),
		"write profile": verb(p.writeProfile),
	}, p.end, nil
}

// serve starts the program and gives its address.
func (p *program) serve(ctx context.Context, s programSettings) (string, error) {
	policy := delivery.DefaultPolicy()
	if s.KeepTrying {
		policy.DisableAfter = 0
	}
	a, err := app.Open(ctx, app.Config{
		Listen: "127.0.0.1:0", Database: s.Database, Dev: true, Policy: policy,
		SecretKeyFile: s.KeyFile, APIKey: s.APIKey, Retention: 30 * 24 * time.Hour, Version: "bench",
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return "", fmt.Errorf("open the program: %w", err)
	}
	p.served = make(chan error, 1)
	go func() { p.served <- a.Serve(ctx) }()
	return a.URL(), nil
}

// end stops the program and waits for it.
func (p *program) end() error {
	p.cancel()
	if p.served == nil {
		return nil
	}
	return <-p.served
}
