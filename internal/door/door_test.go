package door

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

const publish = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\nContent-Type: application/json\r\n"

// request is a plain one, as the door answers it.
func request(body string) string {
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", publish, len(body), body)
}

// mirror answers with all that a handler can see of a request.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s %s %s %s host=%q length=%d from=%s body=%q err=%v\n", r.Method, r.RequestURI, r.URL.Path, r.Proto, r.Host, r.ContentLength, host, body, err)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&text, "%s=%q\n", name, r.Header[name])
	}
	w.Header().Set("X-Request-Id", "req_1")
	w.Header().Set("Content-Length", strconv.Itoa(text.Len()))
	text.WriteTo(w)
}

// place is a server that a test talks to.
type place struct {
	addr   string
	server *Server
	served chan error
}

type either interface{ Serve(net.Listener) error }

func newRest(h http.HandlerFunc) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 48 << 10, ErrorLog: log.New(io.Discard, "", 0),
	}
}

func open(t testing.TB, h http.HandlerFunc, change func(*http.Server)) *place {
	t.Helper()
	rest := newRest(h)
	if change != nil {
		change(rest)
	}
	s := New(rest, "/v1/events")
	p := &place{server: s, served: make(chan error, 1)}
	p.addr = start(t, s, p.served)
	t.Cleanup(func() { s.Close() })
	return p
}

func start(t testing.TB, s either, served chan error) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { served <- s.Serve(l) }()
	return l.Addr().String()
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func write(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// answerTo reads one answer.
func answerTo(t testing.TB, r *bufio.Reader) (status int, body string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// unusual are requests that differ from a plain one in every way that could matter.
var unusual = []string{
	request(`{"type":"a"}`),
	request(strings.Repeat("x", 3000)),
	request(strings.Repeat("x", 100_000)),
	strings.Replace(request("{}"), "\r\n", "\n", 1),
	strings.ReplaceAll(request("{}"), "\r\n", "\n"),
	publish + "\r\n{}",
	publish + "Content-Length: 0\r\n\r\n",
	publish + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
	publish + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
	publish + "Content-Length: +2\r\n\r\n{}",
	publish + "Content-Length: 2, 2\r\n\r\n{}",
	publish + "Content-Length: -2\r\n\r\n{}",
	publish + "Content-Length: 02\r\n\r\n{}",
	publish + "Content-Length : 2\r\n\r\n{}",
	publish + " Content-Length: 2\r\n\r\n{}",
	publish + "Content-Length: 2\r\n folded\r\n\r\n{}",
	publish + "Content-Length: 99999999999999999999\r\n\r\n{}",
	publish + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
	publish + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
	publish + "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
	publish + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}",
	publish + "Content-Length: 2\r\nExpect: nonsense\r\n\r\n{}",
	publish + "Content-Length: 2\r\nConnection: close\r\n\r\n{}",
	publish + "Content-Length: 2\r\nConnection: Keep-Alive\r\n\r\n{}",
	publish + "Content-Length: 2\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n{}",
	publish + "Content-Length: 2\r\nPragma: no-cache\r\n\r\n{}",
	publish + "Content-Length: 2\r\nX-One: 1\r\nX-One: 2\r\n\r\n{}",
	publish + "Content-Length: 2\r\nx-one: 1\r\nX_Two: 2\r\n\r\n{}",
	publish + "Content-Length: 2\r\nHost: other\r\n\r\n{}",
	publish + "Content-Length: 2\r\nX: a\x00b\r\n\r\n{}",
	publish + "Content-Length: 2\r\nX: a\rb\r\n\r\n{}",
	publish + "Content-Length: 2\r\nX: a\nY: b\r\n\r\n{}",
	publish + "Content-Length: 2\r\nX: \t a\t \r\n\r\n{}",
	publish + "Content-Length: 2\r\nX: caf\xe9\r\n\r\n{}",
	publish + "Content-Length: 2\r\n: nameless\r\n\r\n{}",
	publish + "Content-Length: 2\r\nno colon\r\n\r\n{}",
	publish + "Content-Length: 2\r\nX: \r\n\r\n{}",
	publish + "Content-Length: 2\r\nX:" + strings.Repeat("a", 9000) + "\r\n\r\n{}",
	publish + strings.Repeat("X: a\r\n", 40) + "Content-Length: 2\r\n\r\n{}",
	strings.Replace(request("{}"), "POST", "post", 1),
	strings.Replace(request("{}"), "POST", "GET", 1),
	strings.Replace(request("{}"), "POST ", "POST  ", 1),
	strings.Replace(request("{}"), "/v1/events", "/v1/events?a=b", 1),
	strings.Replace(request("{}"), "/v1/events", "/v1/events/", 1),
	strings.Replace(request("{}"), "/v1/events", "/v1/events/batch", 1),
	strings.Replace(request("{}"), "/v1/events", "/v1%2Fevents", 1),
	strings.Replace(request("{}"), "/v1/events", "http://localhost/v1/events", 1),
	strings.Replace(request("{}"), "HTTP/1.1", "HTTP/1.0", 1),
	strings.Replace(request("{}"), "HTTP/1.1", "HTTP/2.0", 1),
	strings.Replace(request("{}"), "HTTP/1.1", "HTTP/1.1 ", 1),
	strings.Replace(request("{}"), "Host: localhost\r\n", "", 1),
	strings.Replace(request("{}"), "Host: localhost", "Host: ", 1),
	strings.Replace(request("{}"), "Host: localhost", "Host: a b", 1),
	strings.Replace(request("{}"), "Host: localhost", "Host: a/b", 1),
	request("{}") + request("[]"),
	request("{}") + "garbage",
	request("{}") + "\r\n" + request("[]"),
	request("{}") + "\r\n\r\n\r\n" + request("[]"),
	request("{}") + "\r\n",
	"\r\n" + request("{}"),
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
	"",
	"POST /v1/ev",
	publish,
	publish + "Content-Length: 20\r\n\r\n{}",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}

// A client that has sent everything hears from the door, to the last byte that means
// something, what net/http alone would have said.
func FuzzTheDoorIsNotToBeSeen(f *testing.F) {
	for _, text := range unusual {
		f.Add([]byte(text), 0)
		f.Add([]byte(text), 40)
		f.Add([]byte(text), len(request("{}"))+1)
	}
	behind := open(f, mirror, nil)
	alone := start(f, newRest(mirror), make(chan error, 1))
	f.Fuzz(func(t *testing.T, sent []byte, cut int) {
		cut = min(max(cut, 0), len(sent))
		want, got := exchange(t, alone, sent, cut), exchange(t, behind.addr, sent, cut)
		if want != got && want != reset && got != reset {
			t.Errorf("sent %q\nnet/http alone: %s\nwith the door: %s", sent, want, got)
		}
	})
}

// exchange sends bytes in two parts and gives all that comes back, without what differs
// from one answer to the next or means nothing: the date, the order and the case of headers.
// reset stands for what a server said that closed before it had read all: the connection
// is reset then, and what it said arrives or not, by chance.
const reset = "reset"

func exchange(t testing.TB, addr string, sent []byte, cut int) string {
	conn := dial(t, addr)
	defer conn.Close()
	for _, part := range [][]byte{sent[:cut], sent[cut:]} {
		if _, err := conn.Write(part); err != nil {
			break // it may have closed by now
		}
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	var all strings.Builder
	for r := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(r, nil)
		var errno syscall.Errno
		if err != nil {
			if errors.As(err, &errno) {
				return reset
			}
			return all.String()
		}
		body, err := io.ReadAll(resp.Body)
		if errors.As(err, &errno) {
			return reset
		}
		resp.Header.Del("Date")
		fmt.Fprintf(&all, "%d close=%v length=%d err=%v\n", resp.StatusCode, resp.Close, resp.ContentLength, err)
		resp.Header.Write(&all)
		all.Write(body)
	}
}

func TestItAnswersPlainRequestsItself(t *testing.T) {
	t.Parallel()
	p := open(t, mirror, nil)
	conn := dial(t, p.addr)
	r := bufio.NewReader(conn)
	for n := range 3 {
		write(t, conn, request(strings.Repeat("x", 1+n*4000)))
		if status, _ := answerTo(t, r); status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
	}
	if p.conns() != 1 {
		t.Error("a connection with nothing but plain requests was handed over")
	}
	write(t, conn, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
	answerTo(t, r) // net/http may answer before the door has let the connection go
	for deadline := time.Now().Add(patience); p.conns() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a connection was kept on which something else has come")
		}
	}
	write(t, conn, request("{}")) // net/http answers it from now on
	answerTo(t, r)
}

func (p *place) conns() int {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	return len(p.server.conns)
}

func TestRequestsThatCameTogetherAreAnsweredInTurn(t *testing.T) {
	t.Parallel()
	p := open(t, mirror, nil)
	conn := dial(t, p.addr)
	var all strings.Builder
	for n := range 50 {
		all.WriteString(request(fmt.Sprintf("request %d", n)))
	}
	go io.WriteString(conn, all.String())
	r := bufio.NewReader(conn)
	for n := range 50 {
		if _, body := answerTo(t, r); !strings.Contains(body, fmt.Sprintf(`body="request %d"`, n)) {
			t.Fatalf("answer %d is %s", n, body)
		}
	}
}

func TestARequestThatComesInPieces(t *testing.T) {
	t.Parallel()
	p := open(t, mirror, nil)
	conn := dial(t, p.addr)
	r := bufio.NewReader(conn)
	for range 2 {
		text := request(`{"in":"pieces"}`)
		for i := range len(text) {
			write(t, conn, text[i:i+1])
		}
		if _, body := answerTo(t, r); !strings.Contains(body, "pieces") {
			t.Errorf("answer %s", body)
		}
	}
	if p.conns() != 1 {
		t.Error("it was handed over")
	}
}

func TestWhoeverSendsHalfARequestIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	p := open(t, mirror, func(s *http.Server) {
		s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = 20*time.Millisecond, 20*time.Millisecond, 20*time.Millisecond
	})
	for name, half := range map[string]string{"nothing": "", "half a head": publish, "half a body": publish + "Content-Length: 20\r\n\r\n{}"} {
		conn := dial(t, p.addr)
		write(t, conn, half)
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is still open", name)
		}
	}
}

func TestWhoeverSendsAByteNowAndThenIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	p := open(t, mirror, func(s *http.Server) {
		s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = 1500*time.Millisecond, 1500*time.Millisecond, patience
	})
	for name, half := range map[string]string{"a head": publish + "X-Long: ", "a body": publish + "Content-Length: 60000\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, p.addr)
			write(t, conn, half)
			for deadline := time.Now().Add(patience / 2); ; time.Sleep(50 * time.Millisecond) { // far more often than the limits
				if time.Now().After(deadline) {
					t.Fatal("the connection is still open")
				}
				if _, err := conn.Write([]byte("x")); err != nil {
					return // it is closed
				}
			}
		})
	}
}

func TestAPanicEndsItsConnectionAndNoOther(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	p := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Panic") != "" {
			panic("no")
		}
		mirror(w, r)
	}, func(s *http.Server) { s.ErrorLog = log.New(&logged, "", 0) })
	good, bad := dial(t, p.addr), dial(t, p.addr)
	write(t, bad, publish+"X-Panic: 1\r\nContent-Length: 2\r\n\r\n{}")
	if text, _ := io.ReadAll(bad); len(text) > 0 {
		t.Errorf("the panicking call was answered with %q", text)
	}
	write(t, good, request("{}"))
	if status, _ := answerTo(t, bufio.NewReader(good)); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	p.shutdown(t)
	if !strings.Contains(logged.String(), "panic serving") {
		t.Errorf("logged %q", &logged)
	}
}

func (p *place) shutdown(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.server.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if err := <-p.served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve ended with %v", err)
	}
}

// late is a listener whose connections come back late from writing an answer.
type late struct {
	net.Listener
	answered, release chan bool
}

func (l *late) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &lateConn{conn, l}, err
}

type lateConn struct {
	net.Conn
	of *late
}

func (c *lateConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.of.answered <- true
	<-c.of.release
	return n, err
}

func TestShutdownClosesAConnectionThatHasJustWrittenItsAnswer(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &late{tcp, make(chan bool), make(chan bool)}
	p := &place{server: New(newRest(mirror), "/v1/events"), served: make(chan error, 1)}
	go func() { p.served <- p.server.Serve(l) }()
	conn := dial(t, tcp.Addr().String())
	write(t, conn, request("{}"))
	<-l.answered // and it was not to be the last when that was decided
	stopped := make(chan bool)
	go func() {
		defer close(stopped)
		p.shutdown(t)
	}()
	<-p.server.closing
	p.server.isShut() // it has looked at the connections when this gets the lock
	close(l.release)
	<-stopped
}

func TestShutdownAnswersWhatIsOpenAndClosesWhatWaits(t *testing.T) {
	t.Parallel()
	entered, release := make(chan bool), make(chan bool)
	p := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Wait") != "" {
			entered <- true
			<-release
		}
		mirror(w, r)
	}, nil)
	idle, used, busy := dial(t, p.addr), dial(t, p.addr), dial(t, p.addr)
	write(t, used, request("{}"))
	answerTo(t, bufio.NewReader(used))
	write(t, busy, publish+"X-Wait: 1\r\nContent-Length: 2\r\n\r\n{}")
	<-entered
	stopped := make(chan bool)
	go func() {
		defer close(stopped)
		p.shutdown(t)
	}()
	for _, conn := range []net.Conn{idle, used} {
		if n, err := io.Copy(io.Discard, conn); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a waiting connection got %d bytes, then %v", n, err)
		}
	}
	select {
	case <-stopped:
		t.Error("it did not wait for the open request")
	default:
	}
	close(release)
	resp, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil || resp.StatusCode != http.StatusOK || !resp.Close {
		t.Errorf("the open request was answered with %v, %v", resp, err)
	}
	<-stopped
	if _, err := net.Dial("tcp4", p.addr); err == nil {
		t.Error("it still listens")
	}
}

func TestShutdownEndsWithItsContext(t *testing.T) {
	t.Parallel()
	entered, release := make(chan bool), make(chan bool)
	var left atomic.Bool
	p := open(t, func(_ http.ResponseWriter, r *http.Request) {
		entered <- true
		<-r.Context().Done()
		left.Store(true)
		close(release)
	}, nil)
	busy := dial(t, p.addr)
	write(t, busy, request("{}"))
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	p.server.Close()
	<-release
	if !left.Load() {
		t.Error("Close did not tell the handler")
	}
}

func TestAHandlerThatWantsToCloseIsHeard(t *testing.T) {
	t.Parallel()
	p := open(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.Header().Set("X-Bad", "a\r\nX-Injected: b")
		w.WriteHeader(http.StatusTeapot)
	}, nil)
	conn := dial(t, p.addr)
	write(t, conn, request("{}"))
	text, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 418 ") || strings.Contains(string(text), "\nX-Injected") {
		t.Errorf("answered %q, %v", text, err)
	}
}

func BenchmarkRequest(b *testing.B) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	}
	text := []byte(request(strings.Repeat("x", 500)))
	for name, s := range map[string]either{"net_http": newRest(handler), "door": New(newRest(handler), "/v1/events")} {
		b.Run(name, func(b *testing.B) {
			addr := start(b, s, make(chan error, 1))
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				conn := dial(b, addr)
				buf := make([]byte, 1024)
				for pb.Next() {
					if _, err := conn.Write(text); err != nil {
						b.Error(err)
						return
					}
					if _, err := conn.Read(buf); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
