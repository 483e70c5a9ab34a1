package egress

import (
	"bufio"
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"syscall"
	"time"
)

// lean makes exchanges over HTTP/1.1 at about half of what net/http's transport takes
// for one: writing the request and reading the answer is done by whoever waits for it, where the
// transport has two goroutines for each connection, and hands everything from one to
// the other. What goes over the wire, net/http still writes and reads.
//
// Without a goroutine that reads meanwhile, an early answer is heard when the request
// is written. So lean only takes requests that the kernel's buffer takes at once,
// and hosts that speak HTTP/1.1: all without TLS, and with TLS those that answered so.
type lean struct {
	dialer *dialer
	tls    *tls.Config   // offers nothing but HTTP/1.1
	within time.Duration // a handshake takes no longer
	kept   kept
	spoken *spoken
}

// longestLean is the longest body of a request that, with its head, surely fits into the
// send buffer of a new connection (16 KiB is Linux's smallest default).
const longestLean = 8 << 10 // bytes

func newLean(c ClientConfig, d *dialer, base *tls.Config, s *spoken) *lean {
	over := base.Clone()
	over.NextProtos = []string{"http/1.1"}
	return &lean{dialer: d, tls: over, within: c.ConnectTimeout, kept: kept{perHost: c.IdlePerHost, most: c.MaxIdle}, spoken: s}
}

// takes reports whether a request is one for lean.
func (l *lean) takes(req *http.Request) bool {
	if !canPeek || req.Method != http.MethodPost || req.ContentLength <= 0 || req.ContentLength > longestLean {
		return false
	}
	return req.URL.Scheme == "http" || l.spoken.has(req.URL.Host)
}

// do is [Client.Do] for what lean takes.
func (l *lean) do(req *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(req.Context())
	if trace == nil {
		trace = &httptrace.ClientTrace{}
	}
	c, err := l.conn(req, trace)
	if err != nil {
		return nil, ended(req.Context(), err)
	}
	c.follow(req.Context())
	resp, err := c.exchange(req, trace)
	if err != nil {
		c.abandon()
		return nil, ended(req.Context(), err)
	}
	return resp, nil
}

// ended prefers the reason for which the caller's context ended to what came of that.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// conn gives a kept connection that still lives, or a new one.
func (l *lean) conn(req *http.Request, trace *httptrace.ClientTrace) (*leanConn, error) {
	key := req.URL.Scheme + "://" + req.URL.Host
	c, reused := l.kept.take(key)
	if !reused {
		var err error
		if c, err = l.dial(req, key, trace); err != nil {
			return nil, err
		}
	}
	if trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: c.Conn, Reused: reused})
	}
	return c, nil
}

func (l *lean) dial(req *http.Request, key string, trace *httptrace.ClientTrace) (*leanConn, error) {
	secure := req.URL.Scheme == "https"
	conn, err := l.dialer.dialContext(req.Context(), "tcp", address(req.URL.Hostname(), req.URL.Port(), secure))
	if err != nil {
		return nil, err
	}
	c := &leanConn{Conn: conn, below: conn, owner: l, key: key}
	if c.socket, err = socketOf(conn); err != nil {
		conn.Close()
		return nil, err
	}
	if secure {
		if c.Conn, err = l.handshake(req, conn, trace); err != nil {
			l.spoken.forget(req.URL.Host) // it may speak something else by now
			conn.Close()
			return nil, err
		}
	}
	c.w = bufio.NewWriterSize(c.Conn, 2<<10)
	c.r = bufio.NewReaderSize(&headReader{c}, 2<<10)
	return c, nil
}

func address(host, port string, secure bool) string {
	switch {
	case port != "":
	case secure:
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(host, port)
}

func (l *lean) handshake(req *http.Request, conn net.Conn, trace *httptrace.ClientTrace) (*tls.Conn, error) {
	config := l.tls.Clone()
	config.ServerName = req.URL.Hostname()
	ctx, cancel := context.WithTimeout(req.Context(), l.within)
	defer cancel()
	over := tls.Client(conn, config)
	if trace.TLSHandshakeStart != nil {
		trace.TLSHandshakeStart()
	}
	err := over.HandshakeContext(ctx)
	if trace.TLSHandshakeDone != nil {
		trace.TLSHandshakeDone(over.ConnectionState(), err)
	}
	return over, err
}

// leanConn is a connection that carries one exchange at a time.
type leanConn struct {
	net.Conn          // with TLS, if there is any
	below    net.Conn // without
	socket   syscall.RawConn
	owner    *lean
	key      string
	r        *bufio.Reader
	w        *bufio.Writer
	head     int64       // bytes of an answer's head that may still be read; of its body, any
	unfollow func() bool // see follow
	idle     time.Time   // since when
	place    *list.Element
}

// follow makes the connection end what it does when the context ends.
func (c *leanConn) follow(ctx context.Context) {
	c.unfollow = context.AfterFunc(ctx, func() { _ = c.below.SetDeadline(time.Unix(1, 0)) })
}

// exchange writes a request and reads the head of its answer.
func (c *leanConn) exchange(req *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
	c.head = maxResponseHeaders
	if err := c.send(req, trace); err != nil {
		return nil, err
	}
	if _, err := c.r.Peek(1); err != nil {
		return nil, err
	}
	if trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	resp, err := c.answer(req)
	if err != nil {
		return nil, err
	}
	c.head = 1 << 62
	keep := !resp.Close && !req.Close && resp.StatusCode >= 200
	if resp.ContentLength == 0 && resp.StatusCode >= 200 {
		c.end(keep)
		return resp, nil
	}
	resp.Body = &leanBody{body: resp.Body, conn: c, keep: keep}
	return resp, nil
}

// send writes a request. It tells the hooks itself, because net/http would take it for written
// when it is in the buffer: the head before a byte of it can have left, the whole when it has.
func (c *leanConn) send(req *http.Request, trace *httptrace.ClientTrace) error {
	if trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	err := req.WithContext(untraced{req.Context()}).Write(c.w)
	if err == nil {
		err = c.w.Flush()
	}
	if trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
	return err
}

// answer reads the head of the final answer. Those that go before it (100 to 199)
// have no limit of their own: all of them together are a head (as net/http has it).
func (c *leanConn) answer(req *http.Request) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(c.r, req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode < 100 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
}

// end is called when an answer was read to its end, or is not going to be.
func (c *leanConn) end(keep bool) {
	if !c.unfollow() || !keep || c.r.Buffered() > 0 {
		c.below.Close()
		return
	}
	c.owner.kept.put(c)
}

// abandon closes a connection whose exchange failed.
func (c *leanConn) abandon() { c.end(false) }

// lives reports whether a kept connection can carry another exchange: nothing has come, and it has
// not been closed. TLS may have read ahead, so it is asked for what it holds, too.
func (c *leanConn) lives() bool {
	if !quiet(c.socket) {
		return false
	}
	over, secure := c.Conn.(*tls.Conn)
	return !secure || holdsNothing(over)
}

// holdsNothing reads from TLS with a time limit that is over: it gives what it has, and does
// not ask the network. An error by the time limit does not harm the connection (crypto/tls).
func holdsNothing(over *tls.Conn) bool {
	if over.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	var one [1]byte
	n, err := over.Read(one[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && over.SetReadDeadline(time.Time{}) == nil
}

var errHeadTooLong = fmt.Errorf("the head of the answer is longer than %d bytes", maxResponseHeaders)

// headReader ends a head that is too long.
type headReader struct{ c *leanConn }

func (h *headReader) Read(p []byte) (int, error) {
	if h.c.head <= 0 {
		return 0, errHeadTooLong
	}
	if int64(len(p)) > h.c.head {
		p = p[:h.c.head]
	}
	n, err := h.c.Conn.Read(p)
	h.c.head -= int64(n)
	return n, err
}

// leanBody is the body of an answer; its end sets the connection free.
type leanBody struct {
	body io.Reader
	conn *leanConn // nil when it has ended
	keep bool
}

func (b *leanBody) Read(p []byte) (int, error) {
	if b.conn == nil {
		return 0, io.EOF
	}
	n, err := b.body.Read(p)
	if err != nil {
		b.end(b.keep && err == io.EOF)
	}
	return n, err
}

// Close does not read what is left, as closing the body beneath would.
func (b *leanBody) Close() error {
	b.end(false)
	return nil
}

func (b *leanBody) end(keep bool) {
	if b.conn != nil {
		b.conn.end(keep)
		b.conn = nil
	}
}
