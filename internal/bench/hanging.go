package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// hanging is an endpoint that takes connections and requests and never answers.
type hanging struct {
	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

// open begins to listen and gives the address.
func (h *hanging) open(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("open the endpoint that hangs: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listener = listener
	go h.serve(listener) // ends with the listener
	return listener.Addr().String(), nil
}

func (h *hanging) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // it was closed
		}
		if !h.keep(listener, conn) {
			_ = conn.Close() // accepted while the endpoint was closed
			return
		}
		go func() { _, _ = io.Copy(io.Discard, conn) }() // until the sender gives up, or close
	}
}

// keep remembers a connection while its listener is open.
func (h *hanging) keep(listener net.Listener, conn net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener != listener {
		return false
	}
	h.conns = append(h.conns, conn)
	return true
}

// close refuses new connections and ends those that wait, so that a program that
// stops does not wait for them.
func (h *hanging) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener == nil {
		return nil
	}
	err := h.listener.Close()
	h.listener = nil
	for _, conn := range h.conns {
		if closing := conn.Close(); !errors.Is(closing, net.ErrClosed) {
			err = errors.Join(err, closing)
		}
	}
	h.conns = nil
	return err
}
