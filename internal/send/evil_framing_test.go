package send

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// framed answers 200 with the given framing headers and bytes after them.
func framed(lines, body string) string { return "HTTP/1.1 200 OK\r\n" + lines + "\r\n" + body }

func chunked(body string) string { return framed("Transfer-Encoding: chunked\r\n", body) }

// partly is a good answer of which only this much could be read.
func partly(body string) verdict {
	return verdict{class: delivery.OK, code: 200, body: body, cut: true}
}

func whole(body string) verdict { return verdict{class: delivery.OK, code: 200, body: body} }

func bomb() string {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(make([]byte, 4<<20))
	w.Close()
	return packed.String()
}

// evilFramingRows are about where an answer ends.
func evilFramingRows() []evilRow {
	full := strings.Repeat("x", delivery.MaxResponseBody)
	bomb := bomb()
	sized := func(n any, body string) string { return framed(fmt.Sprintf("Content-Length: %v\r\n", n), body) }
	return []evilRow{
		{name: "a good answer", act: says(ok), want: fine},
		{name: "answer in pieces of one byte", act: func(c *evilConn) { c.bytes(ok) }, want: fine},
		{name: "chunks in pieces of one byte", act: func(c *evilConn) { c.bytes(chunked("1;a=b\r\no\r\n1\r\nk\r\n0\r\nA: b\r\n\r\n")) }, want: fine},
		{name: "body that is not UTF-8", act: says(sized(4, "\xff\x00\xfe\n")), want: whole("\xff\x00\xfe\n")},
		{name: "gzip bomb", act: says(framed(fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n", len(bomb)), bomb)), want: whole(bomb)},
		{name: "body as long as is kept", act: says(sized(len(full), full)), want: whole(full)},
		{name: "body a byte longer than is kept", act: says(sized(len(full)+1, full+"y")), want: partly(full)},
		{name: "body of 1 MiB", act: says(sized(16*len(full), strings.Repeat(full, 16))), want: partly(full)},
		{name: "body without end", act: func(c *evilConn) { c.say(framed("", "")); c.flood(full[:1000]) }, want: partly(full)},
		{name: "failure with a body without end", act: func(c *evilConn) { c.say("HTTP/1.1 500 Oops\r\n\r\n"); c.flood(full[:1000]) },
			want: verdict{class: delivery.ServerError, code: 500, body: full, cut: true}},
		{name: "chunks without end", act: func(c *evilConn) { c.say(chunked("")); c.flood(strings.Repeat("1\r\nx\r\n", 200)) }, want: partly(full)},

		{name: "length twice", act: says(framed("Content-Length: 2\r\nContent-Length: 2\r\n", "ok")), want: fine},
		{name: "two lengths", act: says(framed("Content-Length: 2\r\nContent-Length: 3\r\n", "ok")), want: nonsense},
		{name: "two lengths in one header", act: says(sized("2, 2", "ok")), want: nonsense},
		{name: "empty length", act: says(sized("", "ok")), want: nonsense},
		{name: "length below zero", act: says(sized(-1, "ok")), want: nonsense},
		{name: "length with a plus sign", act: says(sized("+2", "ok")), want: nonsense},
		{name: "length in hex", act: says(sized("0x2", "ok")), want: nonsense},
		{name: "length that is a fraction", act: says(sized("2.0", "ok")), want: nonsense},
		{name: "length that is a word", act: says(sized("two", "ok")), want: nonsense},
		{name: "length beyond 64 bits", act: says(sized("99999999999999999999", "ok")), want: nonsense},
		{name: "length of all that 63 bits can say", act: saysAndCloses(sized("9223372036854775807", "ok")), want: partly("ok")},
		{name: "length and chunks", act: says(framed("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n")), want: fine},
		{name: "chunks and a length that is a word", act: says(framed("Transfer-Encoding: chunked\r\nContent-Length: two\r\n", "2\r\nok\r\n0\r\n\r\n")), want: nonsense},

		{name: "chunks", act: says(chunked("1\r\no\r\n1\r\nk\r\n0\r\n\r\n")), want: fine},
		{name: "chunks with a big letter", act: says(framed("transfer-encoding: CHUNKED\r\n", "2\r\nok\r\n0\r\n\r\n")), want: fine},
		{name: "chunk sizes with extensions", act: says(chunked("2;name=\"value\"\r\nok\r\n0;last\r\n\r\n")), want: fine},
		{name: "chunk sizes with zeros in front", act: says(chunked("0002\r\nok\r\n000\r\n\r\n")), want: fine},
		{name: "chunks with trailers", act: says(chunked("2\r\nok\r\n0\r\nA: b\r\nContent-Length: 7\r\n\r\n")), want: fine},
		{name: "trailers that are nonsense", act: saysAndCloses(chunked("2\r\nok\r\n0\r\nnonsense\r\n\r\n")), want: partly("ok")},
		{name: "trailers without end", act: func(c *evilConn) { c.say(chunked("2\r\nok\r\n0\r\n")); c.flood("A: " + full[:1000] + "\r\n") }, want: partly("ok")},
		{name: "chunk size that is a word", act: says(chunked("two\r\nok\r\n0\r\n\r\n")), want: partly("")},
		{name: "chunk size that is a word, and no more", act: says(chunked("two\r\n")), want: partly("")},
		{name: "chunk size below zero", act: says(chunked("-2\r\nok\r\n0\r\n\r\n")), want: partly("")},
		{name: "chunk size beyond 64 bits", act: says(chunked("fffffffffffffffff\r\nok\r\n0\r\n\r\n")), want: partly("")},
		{name: "chunk size of all that 64 bits can say", act: saysAndCloses(chunked("ffffffffffffffff\r\nok")), want: partly("ok")},
		{name: "no chunk size", act: says(chunked("\r\nok\r\n0\r\n\r\n")), want: partly("")},
		{name: "line of a chunk size without end", act: func(c *evilConn) { c.say(chunked("2;")); c.flood(full[:1000]) }, want: partly("")},
		{name: "chunk longer than its size", act: says(chunked("2\r\nokay\r\n0\r\n\r\n")), want: partly("ok")},
		{name: "chunks with bare line feeds", act: says(chunked("2\nok\n0\n\n")), want: partly("")},
		{name: "chunk cut off", act: saysAndCloses(chunked("5\r\nhel")), want: partly("hel")},
		{name: "chunks without the last one", act: saysAndCloses(chunked("5\r\nhello\r\n")), want: partly("hello")},
		{name: "last chunk without its end", act: saysAndCloses(chunked("5\r\nhello\r\n0\r\n")), want: partly("hello")},
		{name: "chunks of HTTP/1.0", act: saysAndCloses("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), want: whole("2\r\nok\r\n0\r\n\r\n")},
		{name: "chunks twice", act: says(framed("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n")), want: nonsense},
		{name: "unknown transfer coding", act: says(framed("Transfer-Encoding: zip\r\n", "ok")), want: nonsense},
		{name: "packed chunks", act: says(framed("Transfer-Encoding: gzip, chunked\r\n", "2\r\nok\r\n0\r\n\r\n")), want: nonsense},
		{name: "transfer coding identity", act: says(framed("Transfer-Encoding: identity\r\nContent-Length: 2\r\n", "ok")), want: nonsense},

		{name: "204 with a body", act: says("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"), want: verdict{class: delivery.OK, code: 204, dirty: true}},
		{name: "204 with chunks", act: says("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), want: verdict{class: delivery.OK, code: 204, dirty: true}},
		{name: "304 with a body", act: says("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"), want: verdict{class: delivery.Redirect, code: 304, dirty: true}},
		{name: "205 with a body", act: says("HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello"), want: verdict{class: delivery.OK, code: 205, body: "hello"}},
		{name: "nonsense after the answer", act: says(ok + "garbage"), want: fine.dirtied()},
		{name: "empty line after the answer", act: says(ok + "\r\n"), want: fine.dirtied()},
		{name: "another answer after the answer", act: says(ok + "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), want: fine.dirtied()},
		{name: "another answer after one without a body", act: says("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), want: verdict{class: delivery.OK, code: 204, dirty: true}},
		{name: "endless nonsense after the answer", act: func(c *evilConn) { c.say(ok); c.flood(full[:1000]) }, want: verdict{class: delivery.OK, code: 200, body: "ok", dirty: true, late: true}},
	}
}
