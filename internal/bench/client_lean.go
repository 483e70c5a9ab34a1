package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// leanClient publishes over one connection with as little work as it takes.
type leanClient struct {
	conn    net.Conn
	in      *messages
	compose composer
	head    []byte // of every request, up to the value of Content-Length
	out     []byte // the request that is being written
	body    []byte
	signer  *webhook.Signer // nil: nothing is signed
}

// dialLean opens a connection to whatever the load goes to.
func dialLean(ctx context.Context, l load, compose composer) (*leanClient, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp4", l.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", l.Address, err)
	}
	path := "/v1/events"
	if l.Batch > 0 {
		path += "/batch"
	}
	signer, err := l.signer()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if signer != nil {
		head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: %s\r\n", l.Address)
		return &leanClient{conn: conn, in: newMessages(conn), compose: compose, head: []byte(head), signer: signer}, nil
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: ", path, l.Address, l.Key)
	return &leanClient{conn: conn, in: newMessages(conn), compose: compose, head: []byte(head)}, nil
}

// post makes one call and reads the answer.
func (c *leanClient) post(first, count int, sent time.Time) error {
	c.body = c.compose.append(c.body[:0], first, count, sent)
	c.out = append(c.out[:0], c.head...)
	if c.signer != nil {
		c.sign(first, sent)
	}
	c.out = fmt.Appendf(c.out, "%d\r\n\r\n", len(c.body))
	c.out = append(c.out, c.body...)
	if err := c.conn.SetDeadline(sent.Add(exchangeLimit)); err != nil {
		return err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	head, body, err := c.in.next()
	if err != nil {
		return err
	}
	status, err := statusOf(head)
	if err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return refusal(status, body)
	}
	return nil
}

// sign gives the event an id of its own and writes the headers that the program sends, up
// to the value of Content-Length.
func (c *leanClient) sign(seq int, sent time.Time) {
	id := c.compose.identify(c.body, seq)
	attempt := webhook.Attempt{EventID: id, EventType: singleType, DeliveryID: int64(seq) + 1, Number: 1, At: sent}
	for _, h := range attempt.Headers(c.body, c.signer) {
		c.out = fmt.Appendf(c.out, "%s: %s\r\n", h.Name, h.Value)
	}
	c.out = append(c.out, "Content-Length: "...)
}

// signer is what a load is signed with, nil if it is not.
func (l load) signer() (*webhook.Signer, error) {
	if l.Via != viaSigned {
		return nil, nil
	}
	secret, err := webhook.ParseSecret(l.Key)
	if err != nil {
		return nil, fmt.Errorf("sign what is published: %w", err)
	}
	return webhook.NewSigner(secret)
}

func (c *leanClient) close() { _ = c.conn.Close() } // nothing is on its way any more
