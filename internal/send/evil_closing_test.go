package send

import (
	"bytes"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// cutShort are the classes of a connection that breaks with a request on it: which one it
// is, and whether that comes of the reading or of the writing, is chance.
var cutShort = []delivery.Class{delivery.Closed, delivery.Reset}

// largeBody is as long as an event may be.
var largeBody = bytes.Repeat([]byte("x"), 250<<10)

// evilClosingRows are about connections that end, or stay, at the wrong moment.
func evilClosingRows() []evilRow {
	early := "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"
	denied := verdict{class: delivery.ClientError, code: 401, body: "no"}
	lost := verdict{class: delivery.Closed, or: cutShort}
	return []evilRow{
		{name: "closes without a word", act: (*evilConn).close, want: verdict{class: delivery.Closed}},
		{name: "resets without a word", act: (*evilConn).reset, want: verdict{class: delivery.Reset}},
		{name: "ends its side without a word", act: func(c *evilConn) { c.halfClose(); c.hang() }, want: verdict{class: delivery.Closed}},
		{name: "closes within the first line", act: saysAndCloses("HTTP/1.1 2"), want: nonsense},
		{name: "closes within the headers", act: saysAndCloses("HTTP/1.1 200 OK\r\nA: b\r\n"), want: verdict{class: delivery.Closed}},
		{name: "resets within the headers", act: func(c *evilConn) { c.say("HTTP/1.1 200 OK\r\nA: b\r\n"); c.reset() }, want: lost},
		{name: "closes within the body", act: saysAndCloses(framed("Content-Length: 10\r\n", "short")), want: partly("short")},
		{name: "resets within the body", act: func(c *evilConn) { c.say(framed("Content-Length: 10\r\n", "short")); c.reset() }, want: partly("short")},
		{name: "closes at once", ways: newOnes, atOnce: true, act: (*evilConn).close, want: lost},
		{name: "resets at once", ways: newOnes, atOnce: true, act: (*evilConn).reset, want: lost},

		{name: "closes after the answer and did not say so", act: saysAndCloses(ok), want: fine},
		{name: "resets after the answer", act: func(c *evilConn) { c.say(ok); c.reset() }, want: fine},
		{name: "ends its side after the answer", act: func(c *evilConn) { c.say(ok); c.halfClose(); c.hang() }, want: fine},
		{name: "says that it closes and does not", last: true, act: says(framed("Connection: close\r\nContent-Length: 2\r\n", "ok")), want: fine},
		{name: "says that it closes among other things", last: true, act: says(framed("Connection: Keep-Alive, X, Close\r\nContent-Length: 2\r\n", "ok")), want: fine},
		{name: "body up to the end of the connection", act: saysAndCloses(framed("Connection: close\r\n", "bye")), want: whole("bye")},
		{name: "body up to the end of the connection, which it did not announce", act: saysAndCloses(framed("", "bye")), want: whole("bye")},
		{name: "body up to the end of its side", act: func(c *evilConn) { c.say(framed("", "bye")); c.halfClose(); c.hang() }, want: whole("bye")},
		{name: "body up to a reset", act: func(c *evilConn) { c.say(framed("", "bye")); c.reset() }, want: partly("bye")},
		// crypto/tls does not tell this end from a good one. The body is only for people.
		{name: "TLS that ends without a goodbye within a body without a length", ways: tlsOnes,
			act: func(c *evilConn) { c.say(framed("", "bye")); c.cutOff() }, want: whole("bye")},
		{name: "TLS that ends without a goodbye within the headers", ways: tlsOnes,
			act: func(c *evilConn) { c.say("HTTP/1.1 200 OK\r\n"); c.cutOff() }, want: verdict{class: delivery.Closed}},
		{name: "HTTP/1.0 with a length", act: saysAndCloses("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), want: fine},
		{name: "HTTP/1.0 with a length, and stays", last: true, act: says("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), want: fine},
		{name: "HTTP/1.0 that keeps the connection", act: says("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"), want: fine},
		{name: "HTTP/1.0 without a length", act: saysAndCloses("HTTP/1.0 200 OK\r\n\r\nbye"), want: whole("bye")},
		{name: "HTTP/1.0 that says it keeps the connection, without a length", act: saysAndCloses("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nbye"), want: whole("bye")},

		{name: "answers before there is a request", ways: newOnes, atOnce: true, act: says(ok),
			want: verdict{class: delivery.OK, code: 200, body: "ok", or: cutShort}},
		{name: "answers before it reads", early: true, act: says(ok), want: fine},
		{name: "answers before it reads a large request", early: true, sent: largeBody, act: says(ok), want: fine},
		{name: "refuses without reading and closes", early: true, act: saysAndCloses(early),
			want: verdict{class: denied.class, code: denied.code, body: denied.body, or: cutShort}},
		{name: "refuses a large request without reading and closes", early: true, sent: largeBody, act: saysAndCloses(early),
			want: verdict{class: denied.class, code: denied.code, body: denied.body, or: cutShort}},
		{name: "refuses a large request and reads it all the same", early: true, sent: largeBody,
			act: func(c *evilConn) { c.say(early); c.hang() }, want: denied},

		{name: "closes the idle connection", ways: keptOnes, idle: (*evilConn).close, act: says(ok),
			want: verdict{class: delivery.OK, code: 200, body: "ok", or: cutShort}},
		{name: "resets the idle connection", ways: keptOnes, idle: (*evilConn).reset, act: says(ok),
			want: verdict{class: delivery.OK, code: 200, body: "ok", or: cutShort}},
		{name: "ends its side of the idle connection", ways: keptOnes, idle: (*evilConn).halfClose, act: says(ok),
			want: verdict{class: delivery.OK, code: 200, body: "ok", or: cutShort}},
		{name: "says on the idle connection that the time is over, and closes it", ways: keptOnes,
			idle: saysAndCloses("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), act: says(ok),
			want: verdict{class: delivery.OK, code: 200, body: "ok", or: append(cutShort, delivery.ClientError), dirty: true}},
		{name: "answers on the idle connection what nobody asked", ways: keptOnes, act: says(ok),
			idle: says("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),
			want: verdict{class: delivery.OK, code: 200, body: "ok", or: append(cutShort, delivery.ServerError), dirty: true}},
		{name: "says nonsense on the idle connection", ways: keptOnes, act: says(ok),
			idle: says(strings.Repeat("garbage", 1000)),
			want: verdict{class: delivery.OK, code: 200, body: "ok", or: append(cutShort, delivery.ProtocolError), dirty: true}},
		{name: "closes as the request begins to arrive", ways: keptOnes, early: true, act: (*evilConn).close, want: lost},
		{name: "cuts off as the request begins to arrive", ways: keptOnes, early: true, act: (*evilConn).cutOff, want: lost},
	}
}

func (c *evilConn) close() { c.Close() }
