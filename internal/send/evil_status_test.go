package send

import (
	"fmt"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// statusLine answers with a first line and an empty body.
func statusLine(line string) func(*evilConn) {
	return says(line + "\r\nContent-Length: 0\r\n\r\n")
}

var (
	nonsense = verdict{class: delivery.ProtocolError}
	fine     = verdict{class: delivery.OK, code: 200, body: "ok"}
	empty    = verdict{class: delivery.OK, code: 200}
)

// dirtied says that more came than this answer.
func (v verdict) dirtied() verdict { v.dirty = true; return v }

// evilStatusRows are about the first line, redirects, and what may come before an answer.
func evilStatusRows() []evilRow {
	long := strings.Repeat("x", 1<<20)
	locations := []string{"/hooks", "http://169.254.169.254/latest/meta-data/", "http://[::1:%zz"}
	rows := []evilRow{
		{name: "status without a reason", act: statusLine("HTTP/1.1 200"), want: empty},
		{name: "status with an empty reason", act: statusLine("HTTP/1.1 200 "), want: empty},
		{name: "reason that is not UTF-8", act: statusLine("HTTP/1.1 200 \xff\xfe"), want: empty},
		{name: "reason with control bytes", act: statusLine("HTTP/1.1 500 \x00\x1b[31m\x07"), want: verdict{class: delivery.ServerError, code: 500}},
		{name: "reason of 20 KiB", act: statusLine("HTTP/1.1 200 " + long[:20<<10]), want: empty},
		{name: "reason of 1 MiB", act: statusLine("HTTP/1.1 200 " + long), want: nonsense},
		{name: "reason without an end", act: func(c *evilConn) { c.say("HTTP/1.1 200 "); c.flood(long[:1000]) }, want: nonsense},
		{name: "status 099", act: statusLine("HTTP/1.1 099 Low"), want: verdict{class: delivery.BadStatus, code: 99}},
		{name: "status 000", act: statusLine("HTTP/1.1 000 None"), want: verdict{class: delivery.BadStatus}},
		{name: "status 999", act: statusLine("HTTP/1.1 999 High"), want: verdict{class: delivery.BadStatus, code: 999}},
		{name: "status of two digits", act: statusLine("HTTP/1.1 99 Low"), want: nonsense},
		{name: "status of four digits", act: statusLine("HTTP/1.1 1000 High"), want: nonsense},
		{name: "status below zero", act: statusLine("HTTP/1.1 -1 Low"), want: nonsense},
		{name: "status below zero of three characters", act: statusLine("HTTP/1.1 -20 Low"), want: nonsense},
		{name: "status with a plus sign", act: statusLine("HTTP/1.1 +20 OK"), want: verdict{class: delivery.ProtocolError, or: []delivery.Class{delivery.BadStatus}}},
		{name: "status with a letter", act: statusLine("HTTP/1.1 2OO OK"), want: nonsense},
		{name: "status that is a word", act: statusLine("HTTP/1.1 OK"), want: nonsense},
		{name: "no status", act: statusLine("HTTP/1.1"), want: nonsense},
		{name: "two spaces before the status", act: statusLine("HTTP/1.1  200 OK"), want: empty},
		{name: "tab before the status", act: statusLine("HTTP/1.1\t200 OK"), want: nonsense},
		{name: "space before the version", act: statusLine(" HTTP/1.1 200 OK"), want: nonsense},
		{name: "empty line before the status line", act: statusLine("\r\nHTTP/1.1 200 OK"), want: nonsense},
		{name: "HTTP/2.0 over HTTP/1.1", act: statusLine("HTTP/2.0 200 OK"), want: empty},
		{name: "HTTP/1.2", act: statusLine("HTTP/1.2 200 OK"), want: empty},
		{name: "HTTP/0.9 in a status line", act: statusLine("HTTP/0.9 200 OK"), want: empty},
		{name: "HTTP/11", act: statusLine("HTTP/11 200 OK"), want: nonsense},
		{name: "HTTP/1.10", act: statusLine("HTTP/1.10 200 OK"), want: nonsense},
		{name: "http in small letters", act: statusLine("http/1.1 200 OK"), want: nonsense},
		{name: "ICY", act: statusLine("ICY 200 OK"), want: nonsense},
		{name: "SMTP", act: says("220 mail.example.com ESMTP\r\n\r\n"), want: nonsense},
		{name: "a page without a head", act: says("<html>hello</html>\r\n\r\n"), want: nonsense},
		{name: "TLS on a plain port", act: says("\x15\x03\x01\x00\x02\x02\x16\r\n\r\n"), want: nonsense},
		{name: "HTTP/2 frames over HTTP/1.1", act: says("\x00\x00\x00\x04\x00\x00\x00\x00\x00\r\n\r\n"), want: nonsense},

		{name: "100 and then the answer", act: says("HTTP/1.1 100 Continue\r\n\r\n" + ok), want: fine},
		{name: "103 with hints and then the answer", act: says("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok), want: fine},
		{name: "199 and then the answer", act: says("HTTP/1.1 199 Wait\r\n\r\n" + ok), want: fine},
		{name: "a hundred answers that only announce one", act: says(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100) + ok), want: fine},
		{name: "storm of 100", act: func(c *evilConn) { c.flood(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50)) }, want: nonsense},
		{name: "storm of 103 with headers", act: func(c *evilConn) { c.flood("HTTP/1.1 103 Early Hints\r\nLink: </" + long[:1000] + ">\r\n\r\n") }, want: nonsense},
		{name: "100 with a body", act: says("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" + ok), want: nonsense},
		{name: "100 and no more", act: saysAndCloses("HTTP/1.1 100 Continue\r\n\r\n"), want: verdict{class: delivery.Closed}},
		{name: "101 and the connection stays", last: true, act: says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"),
			want: verdict{class: delivery.BadStatus, code: 101}},
		{name: "101 without an upgrade", last: true, act: says("HTTP/1.1 101 Switching Protocols\r\n\r\n"), want: verdict{class: delivery.BadStatus, code: 101}},
		{name: "408 instead of an answer", act: saysAndCloses("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"), want: verdict{class: delivery.ClientError, code: 408}},
	}
	for _, code := range []int{300, 301, 302, 303, 304, 305, 306, 307, 308, 399} {
		to := locations[code%len(locations)]
		rows = append(rows, evilRow{
			name: fmt.Sprintf("redirect %d to %s", code, to),
			act:  says(fmt.Sprintf("HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", code, to)),
			want: verdict{class: delivery.Redirect, code: code},
		})
	}
	return rows
}
