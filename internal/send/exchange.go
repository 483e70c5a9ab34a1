package send

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
)

// A phase is how far an exchange has come. It only grows.
type phase int

const (
	starting phase = iota
	resolving
	connecting
	handshaking
	sending   // there is a connection
	waiting   // the request is written
	answering // the first byte of the answer is there
)

// exchange follows one request by net/http's trace. The transport calls the
// hooks from its own goroutines, also after the request has ended, while a dial
// goes on in the background; so it has a lock and is never used again.
type exchange struct {
	hooks httptrace.ClientTrace
	body  bytes.Reader

	mu          sync.Mutex
	phase       phase
	headWritten bool
	reused      bool     // the connection is an older one: what was dialed meanwhile does not count
	conn        net.Conn // nil if it cannot be told what of this exchange was written to it
	before      int64    // bytes written to conn before this exchange
	dns         span
	connect     span
	tls         span
	began       time.Time // the connection is there, writing begins
	written     time.Time
	firstByte   time.Time
}

// span is a part of the time of an exchange; its end is zero while it lasts.
type span struct{ start, end time.Time }

func (s span) length(now time.Time) time.Duration {
	if s.start.IsZero() {
		return 0
	}
	if s.end.IsZero() {
		return now.Sub(s.start)
	}
	return s.end.Sub(s.start)
}

// request makes the one request of the exchange. Its body cannot be rewound, so
// no layer below can send it a second time.
func (x *exchange) request(ctx context.Context, t *Target, header http.Header, body []byte) *http.Request {
	// Got1xxResponse stays unset: with it the limit of the transport on the size
	// of headers would start again with every informational answer.
	x.hooks = httptrace.ClientTrace{
		DNSStart:             x.onDNSStart,
		DNSDone:              x.onDNSDone,
		ConnectStart:         x.onConnectStart,
		ConnectDone:          x.onConnectDone,
		TLSHandshakeStart:    x.onTLSStart,
		TLSHandshakeDone:     x.onTLSDone,
		GotConn:              x.onConn,
		WroteHeaders:         x.onHeadWritten,
		WroteRequest:         x.onWritten,
		GotFirstResponseByte: x.onFirstByte,
	}
	req := t.template.WithContext(httptrace.WithClientTrace(ctx, &x.hooks))
	req.Header = header
	x.body.Reset(body)
	req.Body = io.NopCloser(&x.body) // net/http knows this pair and writes head and body together
	req.ContentLength = int64(len(body))
	return req
}

// reach notes a step and gives its time.
func (x *exchange) reach(p phase) time.Time {
	x.phase = max(x.phase, p)
	return time.Now()
}

func (x *exchange) onDNSStart(httptrace.DNSStartInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dns.start = x.reach(resolving)
}

func (x *exchange) onDNSDone(httptrace.DNSDoneInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dns.end = x.reach(resolving)
}

// onConnectStart is called for each address that is tried; they count as one.
func (x *exchange) onConnectStart(_, _ string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.reach(connecting)
	if x.connect.start.IsZero() {
		x.connect.start = now
	}
}

func (x *exchange) onConnectDone(_, _ string, _ error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.connect.end = x.reach(connecting)
}

func (x *exchange) onTLSStart() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tls.start = x.reach(handshaking)
}

func (x *exchange) onTLSDone(_ tls.ConnectionState, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tls.end = x.reach(handshaking)
	if err == nil {
		x.reach(sending)
	}
}

func (x *exchange) onConn(info httptrace.GotConnInfo) {
	failpoint.Hit("attempt: connected, nothing written")
	x.mu.Lock()
	defer x.mu.Unlock()
	x.began = x.reach(sending)
	x.reused = info.Reused
	x.conn = nil
	if before, ok := egress.Written(info.Conn); ok && !shared(info.Conn) {
		x.conn, x.before = info.Conn, before
	}
}

// shared reports whether a connection speaks HTTP/2, so that others write to it too.
func shared(conn net.Conn) bool {
	over, ok := conn.(*tls.Conn)
	return ok && over.ConnectionState().NegotiatedProtocol == "h2"
}

func (x *exchange) onHeadWritten() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.headWritten = true
}

func (x *exchange) onWritten(info httptrace.WroteRequestInfo) {
	if info.Err != nil {
		return
	}
	failpoint.Hit("attempt: request written")
	x.mu.Lock()
	defer x.mu.Unlock()
	x.written = x.reach(waiting)
}

func (x *exchange) onFirstByte() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.firstByte = x.reach(answering)
}

func (x *exchange) reached() phase {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.phase
}

// connected reports whether a new connection was made: the host could be reached.
func (x *exchange) connected() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.phase >= handshaking && !x.reused
}

// leastHead is less than the head of any request of ours over HTTP/1.1 (its signature
// alone has 64 bytes), and more than the alert with which TLS is closed.
const leastHead = 100 // bytes

// unsent reports whether not even the head of the request was written, so that
// the receiver cannot have seen the delivery. net/http writes into a buffer first,
// so what went out to the connection is looked at too.
func (x *exchange) unsent() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.headWritten || x.conn == nil {
		return !x.headWritten
	}
	now, ok := egress.Written(x.conn)
	return ok && now-x.before < leastHead
}

// unseen reports whether it is proved that the receiver did nothing about an exchange
// that ended with err, and that another connection may do better: a kept-alive one was
// closed before anything was written to it, or the receiver says so itself.
func (x *exchange) unseen(err error) bool {
	if notProcessed(err) {
		return true
	}
	x.mu.Lock()
	reused := x.reused
	x.mu.Unlock()
	return reused && x.unsent()
}

// timing gives the parts of the time up to now, total aside.
func (x *exchange) timing(now time.Time) delivery.Timing {
	x.mu.Lock()
	defer x.mu.Unlock()
	var t delivery.Timing
	if !x.reused {
		t.DNS, t.Connect, t.TLS = x.dns.length(now), x.connect.length(now), x.tls.length(now)
	}
	if !x.firstByte.IsZero() {
		t.FirstByte = x.firstByte.Sub(x.waitingSince())
	}
	return t
}

// waitingSince gives when the wait for the answer began: when all was written,
// or, when the receiver answered before that, when writing began. Over HTTP/2 an
// answer may also come before the goroutine that wrote has said that it is done.
func (x *exchange) waitingSince() time.Time {
	if x.written.IsZero() || x.written.After(x.firstByte) {
		return x.began
	}
	return x.written
}
