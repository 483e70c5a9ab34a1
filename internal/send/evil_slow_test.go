package send

import (
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// evilSlowRows are about receivers that only the clock of the attempt ends.
func evilSlowRows() []evilRow {
	late := verdict{class: delivery.ResponseTimeout}
	hangs := func(text string) func(*evilConn) {
		return func(c *evilConn) { c.say(text); c.hang() }
	}
	drips := func(text, again string) func(*evilConn) {
		return func(c *evilConn) { c.say(text); c.drip(again) }
	}
	return []evilRow{
		{name: "never answers", slow: true, act: (*evilConn).hang, want: late},
		{name: "does not even read", slow: true, early: true, act: (*evilConn).deaf, want: late},
		{name: "does not read what is large", slow: true, early: true, sent: largeBody, act: (*evilConn).deaf,
			want: verdict{class: delivery.SendTimeout, or: []delivery.Class{delivery.ResponseTimeout}}}, // as much as the buffers hold
		{name: "does not read what is larger than any buffer", slow: true, early: true, sent: hugeBody, act: (*evilConn).deaf,
			want: verdict{class: delivery.SendTimeout}},
		{name: "hangs within the first line", slow: true, act: hangs("HTTP/1.1 20"), want: late},
		{name: "hangs within the headers", slow: true, act: hangs("HTTP/1.1 200 OK\r\nA: b\r\n"), want: late},
		{name: "hangs after announcing an answer", slow: true, act: hangs("HTTP/1.1 102 Processing\r\n\r\n"), want: late},
		{name: "hangs before the body", slow: true, act: hangs(framed("Content-Length: 10\r\n", "")), want: partly("")},
		{name: "hangs within the body", slow: true, act: hangs(framed("Content-Length: 10\r\n", "short")), want: partly("short")},
		{name: "hangs within a body without a length", slow: true, act: hangs(framed("", "short")), want: partly("short")},
		{name: "hangs within a chunk size", slow: true, act: hangs(chunked("5\r\nshort\r\n1")), want: partly("short")},
		{name: "hangs after the last chunk", slow: true, act: hangs(chunked("5\r\nshort\r\n0\r\n")), want: partly("short")},
		{name: "hangs within the body of a failure", slow: true, act: hangs("HTTP/1.1 503 Later\r\nContent-Length: 10\r\n\r\nshort"),
			want: verdict{class: delivery.ServerError, code: 503, body: "short", cut: true}},
		{name: "drips the first line", slow: true, act: drips("HTTP/1.1 200 ", "x"), want: late},
		{name: "drips its headers", slow: true, act: drips("HTTP/1.1 200 OK\r\n", "A: b\r\n"), want: late},
		{name: "drips announcements", slow: true, act: drips("", "HTTP/1.1 100 Continue\r\n\r\n"), want: late},
		{name: "drips a chunk size", slow: true, act: drips(chunked("5\r\nshort\r\n"), "0"), want: partly("short")},
		{name: "drips trailers", slow: true, act: drips(chunked("5\r\nshort\r\n0\r\n"), "A: b\r\n"), want: partly("short")},
		{name: "refuses what is large, keeps the connection and does not read", slow: false, early: true, sent: hugeBody,
			act:  func(c *evilConn) { c.say("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"); c.deaf() },
			want: verdict{class: delivery.ClientError, code: 413, body: "no"}},
		{name: "says much and reads nothing", early: true, sent: hugeBody,
			act:  func(c *evilConn) { c.say("HTTP/1.1 200 OK\r\n\r\n"); c.flood(strings.Repeat("x", 1000)) },
			want: partly(strings.Repeat("x", delivery.MaxResponseBody))},
	}
}
