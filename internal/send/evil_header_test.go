package send

import (
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// withHeader answers well but for its headers.
func withHeader(lines string) func(*evilConn) {
	return says("HTTP/1.1 200 OK\r\n" + lines + "Content-Length: 2\r\n\r\nok")
}

// evilHeaderRows are about the headers of an answer, framing aside.
func evilHeaderRows() []evilRow {
	long := strings.Repeat("x", 1<<20)
	return []evilRow{
		{name: "header without a colon", act: withHeader("nonsense\r\n"), want: nonsense},
		{name: "header without a name", act: withHeader(": value\r\n"), want: nonsense},
		{name: "space before the colon", act: withHeader("A : b\r\n"), want: fine},
		{name: "space in the name of a header", act: withHeader("A b: c\r\n"), want: fine},
		{name: "control byte in the name of a header", act: withHeader("A\x01: b\r\n"), want: nonsense},
		{name: "name of a header that is not ASCII", act: withHeader("Ä: b\r\n"), want: nonsense},
		{name: "space before the first header", act: withHeader(" A: b\r\n"), want: nonsense},
		{name: "folded header", act: withHeader("A: b\r\n c\r\n\td\r\n"), want: fine},
		{name: "NUL in a header", act: withHeader("A: b\x00c\r\n"), want: nonsense},
		{name: "control bytes in a header", act: withHeader("A: \x1b[31m\x07\x7f\r\n"), want: nonsense},
		{name: "header that is not UTF-8", act: withHeader("A: \xff\xfe\xc0\x80\r\n"), want: fine},
		{name: "carriage return in a header", act: withHeader("A: b\rB: c\r\n"), want: nonsense},
		{name: "bare line feeds", act: says(strings.ReplaceAll(ok, "\r\n", "\n")), want: fine},
		{name: "empty header", act: withHeader("A:\r\n"), want: fine},
		{name: "headers of 30 KiB", act: withHeader("A: " + long[:30<<10] + "\r\n"), want: fine},
		{name: "header of 1 MiB", act: withHeader("A: " + long + "\r\n"), want: nonsense},
		{name: "name of a header of 1 MiB", act: withHeader(long + ": a\r\n"), want: nonsense},
		{name: "100,000 small headers", act: withHeader(strings.Repeat("A: b\r\n", 100_000)), want: nonsense},
		{name: "headers without end", act: func(c *evilConn) { c.say("HTTP/1.1 200 OK\r\n"); c.flood("A: " + long[:1000] + "\r\n") }, want: nonsense},
		{name: "one header without end", act: func(c *evilConn) { c.say("HTTP/1.1 200 OK\r\nA: "); c.flood(long[:1000]) }, want: nonsense},
		{name: "folded header without end", act: func(c *evilConn) { c.say("HTTP/1.1 200 OK\r\nA: b\r\n"); c.flood(" " + long[:1000] + "\r\n") }, want: nonsense},
		{name: "first line without end", act: func(c *evilConn) { c.flood(long[:1000]) }, want: nonsense},
		{name: "bytes without a line", act: func(c *evilConn) { c.flood(strings.Repeat("\x00\xff", 500)) }, want: nonsense},
		{name: "empty lines without end", act: func(c *evilConn) { c.flood(strings.Repeat("\r\n", 500)) }, want: nonsense},
		{name: "cookies and redirects in a good answer", act: withHeader("Set-Cookie: a=b\r\nLocation: http://127.0.0.1/\r\nRefresh: 0;url=http://127.0.0.1/\r\nAlt-Svc: h3=\":1\"\r\n"), want: fine},
		{name: "Retry-After that is nonsense", act: says("HTTP/1.1 503 Later\r\nRetry-After: -9999999999999999999999\r\nContent-Length: 0\r\n\r\n"), want: verdict{class: delivery.ServerError, code: 503}},
	}
}
