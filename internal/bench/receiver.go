package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// okResponse is all that the receiver ever says to an event.
const okResponse = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// receiver is the endpoint of a measurement: it answers 200 at once and counts. It
// checks no signature, so that it takes as little of the machine as it can.
type receiver struct {
	counter
	listener net.Listener
	hanging  hanging
}

// receiverRole offers a receiver's verbs to the process that started this one.
func receiverRole(ctx context.Context) (handlers, func() error, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("open the receiver: %w", err)
	}
	r := &receiver{listener: listener}
	go r.serve() // ends with the listener
	return handlers{
		"address": verb(func(struct{}) (string, error) { return listener.Addr().String(), nil }),
		"expect":  verb(r.expect),
		"wait":    verb(r.wait),
		"count":   verb(r.count),
		"hang":    verb(func(struct{}) (string, error) { return r.hanging.open(ctx) }),
		"hang up": verb(func(struct{}) (struct{}, error) { return struct{}{}, r.hanging.close() }),
	}, listener.Close, nil
}

func (r *receiver) serve() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return // it was closed
		}
		go r.converse(conn)
	}
}

// converse answers the requests of a connection until it ends. What cannot be
// read counts as a stray; its sender sees the connection close.
func (r *receiver) converse(conn net.Conn) {
	defer conn.Close()
	in := newMessages(conn)
	for {
		head, body, err := in.next()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) { // those end a connection that is no longer needed
				r.strays.Add(1)
			}
			return
		}
		r.take(head, body, time.Now())
		if _, err := conn.Write([]byte(okResponse)); err != nil {
			return // an event without an answer comes again, and is counted then
		}
	}
}

// take counts one request.
func (r *receiver) take(head, body []byte, now time.Time) {
	attempt, numbered := headerValue(head, webhook.AttemptHeader)
	r.counter.take(body, now, numbered && string(attempt) != "1")
}
