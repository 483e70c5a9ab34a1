package model_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/send"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// node is one process with the whole engine.
type node struct {
	name   string
	w      *world
	disp   *dispatch.Dispatcher
	pub    *publish.Publisher
	man    *manage.Manager
	signer *send.Sender
	stop   context.CancelFunc
	ended  sync.WaitGroup
	began  time.Time

	// World.mu guards these.
	dead      bool
	diesAfter string // the method after whose commit it is killed
	late      []store.Result
	lateBack  []delivery.Lease
}

// scanEvery is how often a node looks at all due times. It is between what the program
// does on SQLite (10 s) and on PostgreSQL (2 s): each look costs real time.
const scanEvery = 5 * time.Second

// start begins a node.
func (w *world) start() (*node, error) {
	w.started++
	n := &node{name: fmt.Sprintf("node-%d", w.started), w: w, began: time.Now()}
	client, err := egress.NewClient(egress.ClientConfig{Policy: w.targets, Resolver: nowhere{}})
	if err != nil {
		return nil, err
	}
	n.signer, err = send.New(send.Config{
		Client: client, Timeout: w.policy.Timeout, Node: n.name, Ahead: func() time.Duration { return n.disp.Ahead() },
	})
	if err != nil {
		return nil, err
	}
	f := &front{Store: w.store, w: w, n: n}
	n.disp = dispatch.New(dispatch.Config{
		Queue: f, Wire: n, Egress: w.targets, Box: w.box, Policy: w.policy, Node: n.name,
		Concurrency: concurrency, Slots: slots, ScanEvery: scanEvery, Log: slog.New(slog.DiscardHandler),
	})
	n.pub = publish.New(publish.Config{Store: f, Lanes: n.disp})
	n.man = manage.New(manage.Config{
		Store: f, Targets: w.targets, Box: w.box, Sender: n.disp, Policy: w.policy, Node: n.name, Logger: slog.New(slog.DiscardHandler),
	})
	var ctx context.Context
	ctx, n.stop = context.WithCancel(context.Background())
	n.ended.Go(func() { _ = n.disp.Run(ctx) }) // it always answers nil
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes = append(w.nodes, n)
	w.troubled()
	return n, nil
}

// hear takes a note as the program does.
func (n *node) hear(note store.Note) {
	switch {
	case note.Kind == store.EndpointChanged && note.ID != "":
		n.disp.Changed(note.ID)
	case note.Kind == store.WorkAdded && note.ID == "":
		n.disp.WakeJobs()
	case note.Kind == store.WorkAdded:
		n.disp.Wake(note.ID)
	}
}

// hearers are the nodes that hear what one of them announces.
func (w *world) hearers(from *node) []*node {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*node
	for _, n := range w.nodes {
		if !n.dead && (n == from || !w.deaf) {
			all = append(all, n)
		}
	}
	return all
}

// nowhere finds no address: the real sender signs a request and gets no further.
type nowhere struct{}

func (nowhere) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// kill ends a node at once: nothing that it still does reaches the store. On SQLite the
// next process opens the file.
func (w *world) kill(n *node) error {
	w.mu.Lock()
	n.dead = true
	w.nodes = without(w.nodes, n)
	w.graves = append(w.graves, n)
	w.troubled()
	w.mu.Unlock()
	n.stop()
	return w.reopen()
}

// end stops a node as a person does, and waits until it has.
func (w *world) end(n *node) error {
	n.stop()
	n.ended.Wait()
	w.mu.Lock()
	w.nodes = without(w.nodes, n)
	w.troubled()
	w.mu.Unlock()
	return w.reopen()
}

// reopen opens the file anew when the process that had it is gone.
func (w *world) reopen() error {
	if w.shared {
		return nil
	}
	if err := w.db.Close(); err != nil {
		return err
	}
	return w.open()
}

func without(all []*node, n *node) []*node {
	var left []*node
	for _, one := range all {
		if one != n {
			left = append(left, one)
		}
	}
	return left
}
