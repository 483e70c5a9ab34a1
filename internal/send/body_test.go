package send

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

func TestBodyOfTheAnswer(t *testing.T) {
	t.Parallel()
	const most = delivery.MaxResponseBody
	full := strings.Repeat("x", most)
	sized := func(n int, body string) string {
		return "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(n) + "\r\n\r\n" + body
	}
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	tests := []struct {
		name      string
		play      func(net.Conn)
		want      string
		truncated bool
	}{
		{"none", answerOnce("HTTP/1.1 204 No Content\r\n\r\n"), "", false},
		{"short", answerOnce(ok), "ok", false},
		{"not UTF-8", answerOnce(sized(4, "\xff\x00\xfe\n")), "\xff\x00\xfe\n", false},
		{"as long as the first read", answerOnce(sized(firstRead, full[:firstRead])), full[:firstRead], false},
		{"one byte longer than the first read", answerOnce(sized(firstRead+1, full[:firstRead+1])), full[:firstRead+1], false},
		{"exactly as long as is kept", answerOnce(sized(most, full)), full, false},
		{"one byte longer than is kept", answerOnce(sized(most+1, full+"y")), full, true},
		{"twice as long as is kept", answerOnce(sized(2*most, full+full)), full, true},
		{"until the connection closes", answerOnce("HTTP/1.0 200 OK\r\n\r\nbye"), "bye", false},
		{"shorter than announced", answerOnce(sized(10, "short")), "short", true},
		{"longer than announced", answerOnce("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok and more"), "ok", false},
		{"a chunk cut off", answerOnce(chunked + "5\r\nhel"), "hel", true},
		{"chunks without an end", answerOnce(chunked + "5\r\nhello\r\n"), "hello", true},
		{"nonsense for chunks", answerOnce(chunked + "xyz\r\nhello\r\n"), "", true},
		{"endless", flood("HTTP/1.1 200 OK\r\n\r\n", full[:1000]), full, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, unsent := attemptTo(t, setup{}, newReceiver(t, tt.play).url())
			if a.Class != delivery.OK || a.Hint != "" || unsent {
				t.Fatalf("class %q, hint %q, unsent %v: what follows 2xx headers must not matter; info %q", a.Class, a.Hint, unsent, a.LocalInfo)
			}
			if got := string(a.Response.Body); got != tt.want || a.Response.Truncated != tt.truncated {
				t.Errorf("%d bytes (%.40q), truncated %v; want %d bytes, truncated %v", len(got), got, a.Response.Truncated, len(tt.want), tt.truncated)
			}
		})
	}
}

// TestDripBody sends the body byte by byte until the clock of the attempt ends it.
func TestDripBody(t *testing.T) {
	t.Parallel()
	for _, code := range []int{200, 500} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, func(conn net.Conn) {
				readRequest(bufio.NewReader(conn))
				fmt.Fprintf(conn, "HTTP/1.1 %d Slow\r\nContent-Length: 100\r\n\r\nabc", code)
				hang(conn)
			})
			a, _ := attemptTo(t, setup{timeout: impatience}, r.url())
			if a.StatusCode != code || a.Class != delivery.ClassOf(code) || string(a.Response.Body) != "abc" || !a.Response.Truncated {
				t.Errorf("status %d, class %q, body %q, truncated %v", a.StatusCode, a.Class, a.Response.Body, a.Response.Truncated)
			}
			if a.Timing.Total < impatience {
				t.Errorf("ended after %v, before the clock", a.Timing.Total)
			}
		})
	}
}

// TestSwitchingProtocols: after 101 nothing ends the "body", not even the clock.
func TestSwitchingProtocols(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(conn net.Conn) {
		readRequest(bufio.NewReader(conn))
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		hang(conn)
	})
	a, _ := attemptTo(t, setup{}, r.url())
	if a.StatusCode != 101 || a.Class != delivery.BadStatus || a.Response.Body != nil {
		t.Errorf("status %d, class %q, body %q; info %q", a.StatusCode, a.Class, a.Response.Body, a.LocalInfo)
	}
}

// TestCompressedAnswerIsNotExpanded: a small answer could become huge.
func TestCompressedAnswerIsNotExpanded(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(make([]byte, 1<<20))
	w.Close()
	reply := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", packed.Len(), packed.String())
	a, _ := attemptTo(t, setup{}, newReceiver(t, answer(reply)).url())
	if !bytes.Equal(a.Response.Body, packed.Bytes()) || !has(a.Response.Header, "Content-Encoding", "gzip") {
		t.Errorf("%d bytes with %v, want the %d as sent", len(a.Response.Body), a.Response.Header, packed.Len())
	}
}

func TestHeadersOfTheAnswer(t *testing.T) {
	t.Parallel()
	reply := "HTTP/1.1 200 OK\r\nX-B: 2\r\nX-B: 1\r\nX-A: \xff\r\nContent-Length: 0\r\n\r\n"
	a, _ := attemptTo(t, setup{}, newReceiver(t, answer(reply)).url())
	want := delivery.Response{Proto: "HTTP/1.1", Header: []delivery.Header{
		{Name: "Content-Length", Value: "0"}, {Name: "X-A", Value: "\xff"}, {Name: "X-B", Value: "2"}, {Name: "X-B", Value: "1"},
	}}
	if diff := cmp.Diff(want, a.Response); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
}

// TestManyEndlessBodies holds the memory that 64 attempts take together against
// what they may: a buffer and a kept body each, and net/http's own. It is not
// parallel, because it counts every allocation of the process.
func TestManyEndlessBodies(t *testing.T) {
	const attempts, each = 64, 256 << 10
	r := newReceiver(t, flood("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 16<<10)))
	s, p := newSender(t, setup{})
	target := newTarget(t, p, r.url())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	for range attempts {
		all.Go(func() {
			a, _ := s.Send(t.Context(), target, newLease(testBody))
			if a.Class != delivery.OK || cap(a.Response.Body) != delivery.MaxResponseBody || !a.Response.Truncated {
				t.Errorf("class %q, %d bytes kept", a.Class, cap(a.Response.Body))
			}
		})
	}
	all.Wait()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > attempts*each {
		t.Errorf("%d attempts allocated %d KiB, more than %d KiB each", attempts, got>>10, each>>10)
	}
}

func TestMoreOfAnAnswerWasReadThanIsKept(t *testing.T) {
	t.Parallel()
	const most = delivery.MaxResponseBody
	for _, size := range []int{0, 1, firstRead, firstRead + 1, most - 1, most, most + 1, 2 * most, 4 * most} {
		answer := strings.NewReader(strings.Repeat("x", size))
		body, truncated := newBuffers().read(answer)
		if read := size - answer.Len(); read != min(size, most+1) || len(body) != min(size, most) || truncated != (size > most) {
			t.Errorf("of %d bytes %d were read and %d kept, truncated %v", size, read, len(body), truncated)
		}
	}
}

// TestShortAnswersTakeLittle: a buffer of the full size is only for long answers.
func TestShortAnswersTakeLittle(t *testing.T) {
	t.Parallel()
	b := newBuffers()
	b.large.New = func() any { t.Error("a short answer took a large buffer"); return new([delivery.MaxResponseBody]byte) }
	body, truncated := b.read(strings.NewReader("short"))
	if string(body) != "short" || cap(body) > 8 || truncated {
		t.Errorf("kept %q with capacity %d, truncated %v", body, cap(body), truncated)
	}
}
