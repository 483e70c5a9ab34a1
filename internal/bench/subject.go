package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
)

// settleLimit is how long the program may take to write down the outcomes of
// deliveries that have arrived.
const settleLimit = 10 * time.Second

// subject is what a row publishes to: a running program with its endpoints, or
// the receiver itself.
type subject struct {
	address string // host:port
	key     string
	program *child // nil when there is none
	counts  *child // who counts what arrives; nil is the receiver
	api     *client.Client
	db      database

	healthy    string // the endpoint that the receiver is; empty = there are several, or no program
	keepTrying bool   // no endpoint is disabled, however often it fails
}

// newSubject starts what a row needs.
func (b *bench) newSubject(ctx context.Context, r row) (*subject, error) {
	if r.database == "" {
		return &subject{address: b.receiverAddress}, nil
	}
	s := newProgram()
	err := s.start(ctx, b.databases, r.database, alone)
	if err == nil {
		err = s.subscribe(ctx, "http://"+b.receiverAddress+"/", r.load.Types)
	}
	if err != nil {
		return nil, errors.Join(err, s.end())
	}
	return s, nil
}

// newProgram is a subject whose program is still to be started.
func newProgram() *subject { return &subject{key: "cl_" + rand.Text() + rand.Text()} }

// start runs the program on a new database.
func (s *subject) start(ctx context.Context, databases *databases, kind string, where place) (err error) {
	if s.db, err = databases.create(ctx, kind, where); err != nil {
		return err
	}
	return s.run(ctx)
}

// run starts the program on the database that there is.
func (s *subject) run(ctx context.Context) (err error) {
	if s.program, err = startChild(ctx, "program", s.db.dir); err != nil {
		return err
	}
	var address string
	settings := programSettings{Database: s.db.address, KeyFile: filepath.Join(s.db.dir, "bench.key"), APIKey: s.key, KeepTrying: s.keepTrying}
	if err := s.program.ask("serve", settings, &address); err != nil {
		return err
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("read the program's address: %w", err)
	}
	s.address = parsed.Host
	s.api, err = client.New(client.Config{Server: address, APIKey: s.key})
	return err
}

// subscribe makes one endpoint for each type, and those types that there are not yet.
func (s *subject) subscribe(ctx context.Context, target string, types []string) error {
	builtIn, err := s.api.EventType(ctx, singleType)
	if err != nil {
		return fmt.Errorf("read the type of the events: %w", err)
	}
	for _, name := range types {
		if name != singleType {
			if _, err := s.api.CreateEventType(ctx, client.NewEventType{Name: name, Schema: builtIn.Schema, Sample: builtIn.Sample}); err != nil {
				return fmt.Errorf("register a type: %w", err)
			}
		}
		made, err := s.api.CreateEndpoint(ctx, client.NewEndpoint{URL: target, Events: []string{name}})
		if err != nil {
			return fmt.Errorf("make an endpoint: %w", err)
		}
		if len(types) == 1 {
			s.healthy = made.ID
		}
	}
	return nil
}

// stop ends the program and keeps its database.
func (s *subject) stop() error {
	if s.program == nil {
		return nil
	}
	program := s.program
	s.program = nil
	return program.stop()
}

// awaitReady returns when the program says that it can do its work.
func (s *subject) awaitReady(ctx context.Context) error {
	for {
		err := s.api.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("wait until the program is ready: %w", err)
		}
	}
}

// settle returns when the program has written down what became of every delivery
// to the healthy endpoint that was made since then.
func (s *subject) settle(ctx context.Context, since time.Time) error {
	if s.api == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	open := client.DeliveryQuery{
		EndpointID: s.healthy, From: client.At(since.Add(-time.Second)), // PostgreSQL's clock and ours may differ by a moment
		Status: []string{"pending", "sending", "retrying"}, PageQuery: client.PageQuery{Limit: 1},
	}
	for {
		page, err := s.api.Deliveries(ctx, open)
		if err != nil {
			return fmt.Errorf("wait until the outcomes are written: %w", err)
		}
		if len(page.Data) == 0 {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("delivery %s is still %s, %s after the last arrival", page.Data[0].ID, page.Data[0].Status, settleLimit)
		}
	}
}

// log gives the end of what the program has logged.
func (s *subject) log() []byte {
	if s.program == nil {
		return nil
	}
	return s.program.logTail()
}

// end stops the program and removes its database.
func (s *subject) end() error {
	if s.db.dir == "" {
		return nil
	}
	return errors.Join(s.stop(), s.db.remove())
}
