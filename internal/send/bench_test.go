package send

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// echo plays a receiver that takes requests of one size and allocates nothing.
func echo(conn net.Conn) {
	r := bufio.NewReader(conn)
	reply := []byte(ok)
	end := []byte("\r\n")
	for {
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if bytes.Equal(line, end) {
				break
			}
		}
		if _, err := r.Discard(len(testBody)); err != nil {
			return
		}
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}

func BenchmarkSend(b *testing.B) {
	r := newReceiver(b, echo)
	s, p := newSender(b, setup{})
	target := newTarget(b, p, r.url(), delivery.Header{Name: "X-Team", Value: "blue"})
	l := newLease(testBody)
	b.ReportAllocs()
	for b.Loop() {
		if a, _ := s.Send(b.Context(), target, l); a.Class != delivery.OK {
			b.Fatal(a.Class, a.LocalInfo)
		}
	}
}

// BenchmarkBare is the same request made by net/http alone: what Send costs is
// the difference.
func BenchmarkBare(b *testing.B) {
	r := newReceiver(b, echo)
	s, _ := newSender(b, setup{})
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"bare"}}
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, r.url(), bytes.NewReader(testBody))
		if err != nil {
			b.Fatal(err)
		}
		req.Header = header
		resp, err := s.client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
