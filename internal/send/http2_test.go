package send

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// over2 plays an HTTP/2 receiver: once a request has arrived it is handed its
// stream, and the connection closes when act returns.
func over2(act func(f *http2.Framer, stream uint32, conn net.Conn)) func(net.Conn) {
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
			if data, ok := frame.(*http2.DataFrame); ok && data.StreamEnded() {
				act(f, data.StreamID, conn)
				return
			}
		}
	}
}

func head2(f *http2.Framer, stream uint32, end bool, fields ...hpack.HeaderField) {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, field := range fields {
		e.WriteField(field)
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
}

func TestHTTP2Misbehaving(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	cert := newCertificate(t, authority, unchanged)
	status := hpack.HeaderField{Name: ":status", Value: "200"}
	tests := []struct {
		name string
		act  func(f *http2.Framer, stream uint32, conn net.Conn)
		want delivery.Class
	}{
		{"answers", func(f *http2.Framer, stream uint32, conn net.Conn) { head2(f, stream, true, status); hang(conn) }, delivery.OK},
		{"resets the stream", func(f *http2.Framer, stream uint32, conn net.Conn) {
			f.WriteRSTStream(stream, http2.ErrCodeInternal)
			hang(conn)
		}, delivery.Reset},
		{"refuses the stream", func(f *http2.Framer, stream uint32, conn net.Conn) {
			f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
			hang(conn)
		}, delivery.Closed},
		{"goes away without having seen the request", func(f *http2.Framer, _ uint32, conn net.Conn) {
			f.WriteGoAway(0, http2.ErrCodeNo, nil)
			hang(conn)
		}, delivery.Closed},
		{"goes away in anger", func(f *http2.Framer, stream uint32, conn net.Conn) {
			f.WriteGoAway(stream, http2.ErrCodeEnhanceYourCalm, []byte("\x1b[31m"))
		}, delivery.Closed},
		{"closes the connection", func(*http2.Framer, uint32, net.Conn) {}, delivery.Closed},
		{"has no status", func(f *http2.Framer, stream uint32, conn net.Conn) {
			head2(f, stream, true, hpack.HeaderField{Name: "a", Value: "b"})
			hang(conn)
		}, delivery.ProtocolError},
		{"sends nonsense", func(_ *http2.Framer, _ uint32, conn net.Conn) {
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			hang(conn)
		}, delivery.ProtocolError},
		{"sends data of a stream that was never opened", func(f *http2.Framer, stream uint32, conn net.Conn) {
			f.WriteData(stream+100, true, []byte("abc"))
			hang(conn)
		}, delivery.ProtocolError},
		{"cuts the body off", func(f *http2.Framer, stream uint32, conn net.Conn) {
			head2(f, stream, false, status)
			f.WriteData(stream, false, []byte("abc"))
			f.WriteRSTStream(stream, http2.ErrCodeInternal)
			hang(conn)
		}, delivery.OK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newTLSReceiver(t, cert, func(c *tls.Config) { c.NextProtos = []string{"h2"} }, over2(tt.act))
			a, unsent := attemptTo(t, setup{roots: []*x509.Certificate{authority.Leaf}}, r.named())
			if a.Class != tt.want || unsent {
				t.Errorf("class %q, unsent %v, want %q; info %q", a.Class, unsent, tt.want, a.LocalInfo)
			}
			if tt.want != delivery.OK && !a.Class.MayHaveArrived() {
				t.Errorf("the receiver got the request, and class %q denies it", a.Class)
			}
		})
	}
}
