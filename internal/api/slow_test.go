package api

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// oneConn is a listener with one connection.
type oneConn struct {
	conn chan net.Conn
	addr net.Addr
}

func (l *oneConn) Accept() (net.Conn, error) {
	c, more := <-l.conn
	if !more {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.addr }

// readSlowly answers a request with a text by pour, and reads the answer in pieces of some
// size with a pause before each. It gives how much came and how long it took.
func readSlowly(t *testing.T, text []byte, size int, pause time.Duration) (got int, took time.Duration) {
	t.Helper()
	ours, theirs := net.Pipe()
	l := &oneConn{conn: make(chan net.Conn, 1), addr: ours.LocalAddr()}
	l.conn <- theirs
	served := make(chan error, 1)
	server := &http.Server{WriteTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served <- pour(&exchange{ResponseWriter: w}, text)
	})}
	go func() { _ = server.Serve(l) }()
	_, err := fmt.Fprint(ours, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	check(t, err)
	start := time.Now()
	piece := make([]byte, size)
	for err == nil {
		time.Sleep(pause)
		var n int
		n, err = io.ReadFull(ours, piece)
		got += n
	}
	took = time.Since(start)
	<-served
	close(l.conn)
	check(t, server.Close())
	return got, took
}

func TestAReaderOfAByteAMinuteDoesNotHoldAConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		text := bytes.Repeat([]byte("x"), 1<<20)
		if got, took := readSlowly(t, text, 1, time.Minute); got > 100 || took > 3*time.Minute {
			t.Errorf("a reader of a byte a minute got %d bytes and held the connection for %s", got, took)
		}
	})
}

func TestASlowReaderThatGoesOnGetsAllOfALongAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		text := bytes.Repeat([]byte("x"), 1<<20)
		got, took := readSlowly(t, text, 1<<10, 100*time.Millisecond)
		if got < len(text) || took < time.Minute {
			t.Errorf("got %d bytes in %s, want more than %d, over minutes", got, took, len(text))
		}
	})
}
