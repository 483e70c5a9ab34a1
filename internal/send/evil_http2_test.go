package send

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/evidence"
)

// evilStream is one request over HTTP/2 as its receiver sees it.
type evilStream struct {
	*http2.Framer
	id   uint32
	conn net.Conn
	over <-chan struct{} // the attempt
}

func (s evilStream) head(end bool, fields ...string) {
	var list []hpack.HeaderField
	for i := 0; i < len(fields); i += 2 {
		list = append(list, hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	head2(s.Framer, s.id, end, list...)
}

func (s evilStream) data(end bool, text string) { s.WriteData(s.id, end, []byte(text)) }

// until does something again and again until the attempt is over, and closes the connection then.
func (s evilStream) until(again func() error) {
	go func() { <-s.over; s.conn.Close() }()
	for again() == nil {
	}
}

// packed gives the same header n times, which HPACK makes one byte each.
func packed(n int) []byte {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	e.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	for range n {
		e.WriteField(hpack.HeaderField{Name: "a", Value: strings.Repeat("x", 3000)})
	}
	return block.Bytes()
}

type evilRow2 struct {
	name string
	slow bool
	act  func(evilStream)
	want delivery.Class
	code int
	body string
	cut  bool
}

// evilRows2 are what only HTTP/2 makes possible, and what must come out as over HTTP/1.1.
func evilRows2() []evilRow2 {
	ok := delivery.OK
	full := strings.Repeat("x", delivery.MaxResponseBody)
	status := func(code string) func(evilStream) { return func(s evilStream) { s.head(true, ":status", code) } }
	return []evilRow2{
		{name: "a good answer", act: func(s evilStream) { s.head(false, ":status", "200"); s.data(true, "ok") }, want: ok, code: 200, body: "ok"},
		{name: "pieces of one byte", act: func(s evilStream) {
			s.head(false, ":status", "200")
			s.data(false, "o")
			s.data(false, "")
			s.data(true, "k")
		}, want: ok, code: 200, body: "ok"},
		{name: "trailers", act: func(s evilStream) { s.head(false, ":status", "200"); s.data(false, "ok"); s.head(true, "a", "b") }, want: ok, code: 200, body: "ok"},
		{name: "redirect", act: func(s evilStream) { s.head(true, ":status", "302", "location", "http://169.254.169.254/") }, want: delivery.Redirect, code: 302},
		{name: "announces the answer", act: func(s evilStream) { s.head(false, ":status", "103", "link", "</a>"); s.head(true, ":status", "200") }, want: ok, code: 200},
		{name: "announces without end", act: func(s evilStream) {
			s.until(func() error {
				s.head(false, ":status", "103", "link", full[:1000])
				return s.WritePing(false, [8]byte{})
			})
		}, want: delivery.ProtocolError},
		{name: "never answers", slow: true, act: func(evilStream) {}, want: delivery.ResponseTimeout},
		{name: "hangs within the body", slow: true, act: func(s evilStream) { s.head(false, ":status", "200"); s.data(false, "short") }, want: ok, code: 200, body: "short", cut: true},
		{name: "empty data without end", slow: true, act: func(s evilStream) {
			s.head(false, ":status", "200")
			s.until(func() error { return s.WriteData(s.id, false, nil) })
		}, want: ok, code: 200, cut: true},
		{name: "pings without end", slow: true, act: func(s evilStream) { s.until(func() error { return s.WritePing(false, [8]byte{}) }) }, want: delivery.ResponseTimeout},
		{name: "settings without end", slow: true, act: func(s evilStream) { s.until(func() error { return s.WriteSettings() }) }, want: delivery.ResponseTimeout},
		{name: "window updates of nothing", act: func(s evilStream) {
			s.WriteRawFrame(http2.FrameWindowUpdate, 0, s.id, make([]byte, 4))
			s.head(true, ":status", "200")
		}, want: delivery.ProtocolError},
		{name: "status that is a word", act: status("abc"), want: delivery.ProtocolError},
		{name: "status 099", act: status("099"), want: delivery.BadStatus, code: 99},
		{name: "headers that are too large", act: func(s evilStream) {
			s.head(true, ":status", "200", "a", strings.Repeat("x", 15<<10), "b", strings.Repeat("x", 15<<10), "c", strings.Repeat("x", 15<<10))
		}, want: delivery.ProtocolError},
		{name: "HPACK bomb", act: func(s evilStream) {
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: packed(8000), EndHeaders: true, EndStream: true})
		}, want: delivery.ProtocolError},
		{name: "headers that go on without end", act: func(s evilStream) {
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: packed(1)})
			again := bytes.Repeat([]byte{0xbe}, 1000) // the last entry of the dynamic table, again and again
			s.until(func() error { return s.WriteContinuation(s.id, false, again) })
		}, want: delivery.ProtocolError},
		{name: "nonsense for HPACK", act: func(s evilStream) {
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: bytes.Repeat([]byte{0xff}, 100), EndHeaders: true})
		}, want: delivery.ProtocolError},
		{name: "header with a big letter", act: func(s evilStream) { s.head(true, ":status", "200", "A", "b") }, want: delivery.ProtocolError},
		{name: "header with a line feed", act: func(s evilStream) { s.head(true, ":status", "200", "a", "b\r\nc: d") }, want: delivery.ProtocolError},
		{name: "length longer than the body", act: func(s evilStream) { s.head(false, ":status", "200", "content-length", "10"); s.data(true, "short") }, want: ok, code: 200, body: "short", cut: true},
		{name: "length shorter than the body", act: func(s evilStream) { s.head(false, ":status", "200", "content-length", "2"); s.data(true, "okay") }, want: ok, code: 200, body: "ok", cut: true},
		{name: "body without end", act: func(s evilStream) {
			s.head(false, ":status", "200")
			for range 64 {
				s.data(false, full[:16<<10])
			}
		}, want: ok, code: 200, body: full, cut: true},
		{name: "failure and then a reset", act: func(s evilStream) { s.head(false, ":status", "500"); s.WriteRSTStream(s.id, http2.ErrCodeInternal) }, want: delivery.ServerError, code: 500, cut: true},
		{name: "answer and then a reset without a reason", act: func(s evilStream) {
			s.head(false, ":status", "200")
			s.data(true, "ok")
			s.WriteRSTStream(s.id, http2.ErrCodeNo)
		}, want: ok, code: 200, body: "ok"},
		{name: "goes away and answers all the same", act: func(s evilStream) { s.WriteGoAway(s.id, http2.ErrCodeNo, nil); s.head(true, ":status", "200") }, want: ok, code: 200},
		{name: "promises what nobody wants", act: func(s evilStream) {
			s.WritePushPromise(http2.PushPromiseParam{StreamID: s.id, PromiseID: 2, BlockFragment: []byte{0x82}, EndHeaders: true})
		}, want: delivery.ProtocolError},
		{name: "frame that is too large", act: func(s evilStream) { s.WriteRawFrame(http2.FrameData, 0, s.id, make([]byte, 1<<21)) }, want: delivery.ProtocolError},
		{name: "unknown frames before the answer", act: func(s evilStream) { s.WriteRawFrame(0x77, 0xff, s.id, []byte("x")); s.head(true, ":status", "200") }, want: ok, code: 200},
	}
}

// TestEvilReceiversOverHTTP2 goes over what a receiver can do with the frames. Afterwards
// it behaves, and the next request must go well.
func TestEvilReceiversOverHTTP2(t *testing.T) {
	begin := time.Now()
	authority := newAuthority(t)
	cert := newCertificate(t, authority, unchanged)
	rows := evilRows2()
	t.Run("all", func(t *testing.T) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				var requests atomic.Int32
				over := make(chan struct{})
				r := newTLSReceiver(t, cert, func(c *tls.Config) { c.NextProtos = []string{"h2"} }, play2(&requests, over, row.act))
				s, p := newSender(t, setup{roots: []*x509.Certificate{authority.Leaf}})
				hasty := s
				if row.slow {
					hasty = withClock(t, s, 4*impatience)
				}
				target := newTarget(t, p, r.named())
				a, unsent := sendChecked(t, hasty, target, newLease(testBody))
				close(over)
				if a.Class != row.want || a.StatusCode != row.code || unsent || string(a.Response.Body) != row.body || a.Response.Truncated != row.cut {
					t.Errorf("class %q, status %d, unsent %v, %d bytes %.20q, cut %v; want %q, %d, %d bytes, %v; info %q", a.Class, a.StatusCode, unsent,
						len(a.Response.Body), a.Response.Body, a.Response.Truncated, row.want, row.code, len(row.body), row.cut, a.LocalInfo)
				}
				if got := requests.Load(); got != 1 {
					t.Errorf("the request arrived %d times", got)
				}
				goOn2(t, s, target, &requests)
			})
		}
	})
	evidence.Write(t, "evil-receivers-http2", evidence.Row{
		Promise: 2, Fault: "evil receivers over HTTP/2", Times: len(rows), Of: len(rows), What: "behaviours",
		Test: "go test ./internal/send -run TestEvilReceiversOverHTTP2", Seconds: time.Since(begin).Seconds(),
	})
}

// goOn2 sends the next request. It may meet a connection that is dying, even one on which
// it still arrived; but it arrives once in an attempt, and the attempt does not deny it.
func goOn2(t *testing.T, s *Sender, target *Target, requests *atomic.Int32) {
	const tries = 3
	for n := 1; ; n++ {
		before := requests.Load()
		a, unsent := sendChecked(t, s, target, newLease(testBody))
		arrived := requests.Load() - before
		dead := a.Class == delivery.Closed || a.Class == delivery.Reset
		switch {
		case arrived > 1 || arrived > 0 && unsent || !dead && a.Class != delivery.OK || n == tries && dead:
			t.Errorf("the next request: class %q, unsent %v, %d arrived; info %q", a.Class, unsent, arrived, a.LocalInfo)
			return
		case a.Class == delivery.OK:
			return
		}
	}
}

// play2 acts on the first request of all connections, and answers the others well.
func play2(requests *atomic.Int32, over <-chan struct{}, act func(evilStream)) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		if _, err := r.Discard(len(http2.ClientPreface)); err != nil {
			return
		}
		f := http2.NewFramer(conn, r)
		f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if s, ok := frame.(*http2.SettingsFrame); ok && !s.IsAck() {
				f.WriteSettingsAck()
			}
			data, ok := frame.(*http2.DataFrame)
			if !ok || !data.StreamEnded() {
				continue
			}
			if s := (evilStream{f, data.StreamID, conn, over}); requests.Add(1) == 1 {
				act(s)
			} else {
				s.head(true, ":status", "200")
			}
		}
	}
}
