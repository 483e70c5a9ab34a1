package apifuzz_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// wire sends bytes that no HTTP library would, with a key that is good.
func (r *run) wire(m *maker) {
	bytes := strings.NewReplacer("KEY", "Authorization: Bearer "+m.who.keys[0].text, "~", "\r\n").Replace(pick(m, wires))
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.p.url, "http://"))
	if err != nil {
		r.t.Error(err)
		return
	}
	defer conn.Close()
	// Not all of these are whole, and the server waits for the rest of those.
	if err := conn.SetDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		r.t.Error(err)
		return
	}
	_, _ = io.WriteString(conn, bytes) // the server may hang up in the middle of it
	answers := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			return // no answer is one too
		}
		body, _ := io.ReadAll(res.Body)
		// 501 and 505 are net/http's own words for what is not HTTP/1.1 as we speak it.
		if res.StatusCode == http.StatusNotImplemented || res.StatusCode == http.StatusHTTPVersionNotSupported {
			continue
		}
		q := &request{method: "(wire)", body: bytes, key: m.who.keys[0], broken: "bytes on the wire"}
		if res.StatusCode >= 500 {
			r.fault(q, &answer{res, body}, "a fault of the server's")
		}
		r.leaks(q, &answer{res, body})
	}
}

// wires are requests that are not quite HTTP; ~ ends a line.
var wires = []string{
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Transfer-Encoding: chunked~~zz~{}~0~~",
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Transfer-Encoding: chunked~~5~{\"type~",
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Transfer-Encoding: chunked~~FFFFFFFFFFFFFFFF~x",
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Transfer-Encoding: chunked~~-1~x~0~~",
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Transfer-Encoding: chunked~~2;ext=\"~{}~0~X-Trailer: 1~~",
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Transfer-Encoding: chunked~Content-Length: 2~~2~{}~0~~",
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Transfer-Encoding: gzip, chunked~~0~~",
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Content-Length: 100~~{}",
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Content-Length: -5~~{}",
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Content-Length: 2~Content-Length: 3~~{}",
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Content-Length: 99999999999999999999~~{}",
	"POST /v1/events HTTP/1.1~Host: a~KEY~Content-Type: application/json~Content-Length: 9999999~~{}",
	"POST /v1/endpoints HTTP/1.1~Host: a~KEY~Content-Type: application/json~Content-Length: 2~Expect: 100-continue~~{}",
	"POST /v1/endpoints HTTP/1.1~Host: a~KEY~Content-Type: application/json~Content-Length: 2~Expect: 200-ok~~{}",
	"GET /v1/events HTTP/1.1~KEY~~",
	"GET /v1/events HTTP/1.1~Host: a~Host: b~KEY~~",
	"GET /v1/events HTTP/1.0~KEY~~",
	"GET /v1/events~~",
	"GET /v1/events HTTP/3.0~Host: a~KEY~~",
	"get /v1/events HTTP/1.1~Host: a~KEY~~",
	"GET http://elsewhere/v1/events HTTP/1.1~Host: a~KEY~~",
	"GET //v1/events HTTP/1.1~Host: a~KEY~~",
	"GET * HTTP/1.1~Host: a~KEY~~",
	"OPTIONS * HTTP/1.1~Host: a~KEY~~",
	"CONNECT a:1 HTTP/1.1~Host: a~KEY~~",
	"PRI * HTTP/2.0~~SM~~",
	"GET /v1/events?\x00 HTTP/1.1~Host: a~KEY~~",
	"GET /v1/\xff HTTP/1.1~Host: a~KEY~~",
	"GET /v1/events HTTP/1.1~Host: a~KEY~X-Nul: a\x00b~~",
	"GET /v1/events HTTP/1.1~Host: a~KEY~X Space: a~~",
	"GET /v1/events HTTP/1.1~Host: a~KEY~X-Fold: a~ b~~",
	"GET /v1/events HTTP/1.1~Host: a~KEY~: empty~~",
	"GET /v1/events HTTP/1.1~Host: \xff~KEY~~",
	"GET /v1/me HTTP/1.1~Host: a~KEY~~GET /v1/me HTTP/1.1~Host: a~KEY~~GET /v1/endpoints HTTP/1.1~Host: a~KEY~~",
	"GET /v1/me HTTP/1.1~Host: a~KEY~Content-Length: 5~~abcdeGET /v1/me HTTP/1.1~Host: a~KEY~~",
	"GET /v1/me HTTP/1.1~Host: a~KEY~X-Long: " + strings.Repeat("x", 20<<10) + "~~",
	"GET /v1/me HTTP/1.1~Host: a~KEY~X-Long: " + strings.Repeat("x", 80<<10) + "~~",
	"GET /v1/events?" + strings.Repeat("a=b&", 10<<10) + " HTTP/1.1~Host: a~KEY~~",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	"~~~~",
	"",
}
