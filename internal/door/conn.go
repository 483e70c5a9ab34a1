package door

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// What a connection is doing.
const (
	waiting int32 = iota // for the first byte of a request
	working
	closed
)

const (
	firstBuffer   = 2 << 10  // bytes; most events fit, with their heads
	longestHead   = 8 << 10  // bytes that may come without the end of a head
	longestHere   = 64 << 10 // bytes of a request that is answered here
	deadlineGrain = time.Second
)

// conn is a connection on which nothing but plain publishing calls has come so far.
type conn struct {
	net.Conn
	server *Server
	remote string
	ctx    context.Context // ends with the connection
	end    context.CancelFunc
	state  atomic.Int32
	buf    []byte    // what came and was not answered yet
	gap    int       // how much of a gap may still come before the next request
	begun  time.Time // when the first byte of a request came that is not whole; zero = none has
	used   bool      // a request was answered
	answer answer
	read   deadline
	write  deadline
}

// deadline saves the setting of a time limit that hardly differs from the one that is set.
type deadline struct{ at time.Time }

func (d *deadline) move(at time.Time, set func(time.Time) error) {
	if at.Sub(d.at).Abs() > deadlineGrain {
		d.at = at
		_ = set(at) // the read or write that follows says what is wrong
	}
}

func (c *conn) serve() {
	defer c.server.leave(c)
	defer c.end()
	c.buf = make([]byte, 0, firstBuffer)
	for {
		req, size := c.next()
		switch {
		case size == foreign:
			c.handOver()
			return
		case size == lost || !c.respond(req):
			c.Conn.Close()
			return
		}
		c.drop(size)
	}
}

// Sizes that next answers when there is no request for this connection to answer.
const (
	foreign = -1 // something else has come: it is net/http's
	lost    = -2 // the connection is closed, or was idle for too long
)

// next reads the next request, which has size bytes.
func (c *conn) next() (req *http.Request, size int) {
	for {
		if c.gap > 0 {
			c.skipGap()
		}
		if len(c.buf) > 0 {
			req, need := c.server.parse(c.buf, c.remote)
			if req != nil || need == foreign {
				return req, need
			}
			c.grow(need)
		}
		if err := c.fill(); err != nil {
			if len(c.buf) == 0 {
				return nil, lost
			}
			return nil, foreign // what is wrong with the rest, net/http finds out and tells
		}
	}
}

// fill reads more. A request that is not whole soon after its first byte is for net/http to wait
// for: no byte that follows makes that later, or whoever sends one now and then held a connection for days.
func (c *conn) fill() error {
	now := time.Now()
	switch {
	case len(c.buf) > 0:
		if c.begun.IsZero() {
			c.begun = now
		}
		c.read.move(c.begun.Add(c.server.rest.ReadHeaderTimeout), c.SetReadDeadline)
	case c.used:
		c.wait()
		c.read.move(now.Add(c.server.rest.IdleTimeout), c.SetReadDeadline)
	default: // as net/http waits for the first one
		c.wait()
		c.read.move(now.Add(c.server.rest.ReadHeaderTimeout), c.SetReadDeadline)
	}
	n, err := c.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	if n > 0 && !c.state.CompareAndSwap(waiting, working) && c.state.Load() == closed {
		c.buf = c.buf[:0]
		return net.ErrClosed
	}
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

// grow makes room for need bytes, or for as many again as have come: what a head announces
// takes no memory before it is there.
func (c *conn) grow(need int) {
	if room := min(need, 2*max(cap(c.buf), firstBuffer)); need > cap(c.buf) && len(c.buf) == cap(c.buf) {
		c.buf = append(make([]byte, 0, room), c.buf...)
	}
}

// drop forgets a request that was answered. What came behind it is the next one's.
func (c *conn) drop(size int) {
	c.begun, c.used = time.Time{}, true
	rest := c.buf[size:]
	if cap(c.buf) > firstBuffer && len(rest) <= firstBuffer {
		c.buf = make([]byte, 0, firstBuffer)
	}
	c.buf = append(c.buf[:0], rest...)
	c.gap = longestGap
}

// longestGap is how many line ends' bytes may stand between two requests: some clients send
// one behind a body (RFC 9112 section 2.2). net/http takes as many.
const longestGap = 4

// skipGap drops what stands between two requests.
func (c *conn) skipGap() {
	n := 0
	for n < len(c.buf) && n < c.gap && (c.buf[n] == '\r' || c.buf[n] == '\n') {
		n++
	}
	c.gap -= n
	if n < len(c.buf) {
		c.gap = 0
	}
	c.buf = append(c.buf[:0], c.buf[n:]...)
}

func (c *conn) handOver() {
	_ = c.SetDeadline(time.Time{})
	if !c.server.handed.offer(&begun{c.Conn, c.buf}) {
		c.Conn.Close()
	}
}

// wait says that the connection waits for a request. A Shutdown that has looked at it before
// leaves it to the connection to end itself.
func (c *conn) wait() {
	c.state.CompareAndSwap(working, waiting)
	select {
	case <-c.server.closing:
		c.closeIdle()
	default:
	}
}

// closeIdle closes a connection on which no request has begun.
func (c *conn) closeIdle() {
	if c.state.CompareAndSwap(waiting, closed) {
		c.Conn.Close()
	}
}

// respond answers a request and reports whether another may follow.
func (c *conn) respond(req *http.Request) (again bool) {
	c.answer.reset()
	if !c.handle(req.WithContext(c.ctx)) {
		return false
	}
	last := c.answer.wantsClose()
	select {
	case <-c.server.closing:
		last = true
	default:
	}
	now := time.Now()
	c.write.move(now.Add(c.server.rest.WriteTimeout), c.SetWriteDeadline)
	_, err := c.Write(c.answer.bytes(now, last))
	return err == nil && !last
}

// handle calls the handler. When it panics, the connection ends, as net/http's would.
func (c *conn) handle(req *http.Request) (ok bool) {
	defer func() {
		cause := recover()
		if err, isError := cause.(error); cause != nil && !(isError && errors.Is(err, http.ErrAbortHandler)) && c.server.rest.ErrorLog != nil {
			c.server.rest.ErrorLog.Printf("door: panic serving %s: %v\n%s", c.remote, cause, debug.Stack())
		}
	}()
	c.server.rest.Handler.ServeHTTP(&c.answer, req)
	return true
}
