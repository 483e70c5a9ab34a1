package send

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// Stages of an evil receiver. Only in the middle one it is evil.
const (
	stageBefore = iota // finding out what it speaks
	stageWarm
	stageEvil
	stageGood
)

// evilReceiver plays one row on all its connections.
type evilReceiver struct {
	meeting evilMeeting
	cert    *tls.Certificate // while it is evil
	ln      net.Listener
	stage   atomic.Int32
	acted   atomic.Int32 // how often it was evil
	onKept  atomic.Bool  // it was evil on a connection that had worked
	again   atomic.Bool  // a connection on which it was evil has carried another request
	warm    chan struct{}
	players sync.WaitGroup

	mu      sync.Mutex
	conns   []net.Conn
	number  int // of the last good answer
	well    map[string][]string
	stopped bool
}

func newEvilReceiver(t testing.TB, m evilMeeting) *evilReceiver {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
		return nil
	}
	r := &evilReceiver{meeting: m, cert: m.cert, ln: ln, warm: make(chan struct{}), well: map[string][]string{}}
	if m.row.cert != nil {
		r.cert = m.row.cert(t, m.authority)
	}
	if !m.way.kept {
		close(r.warm)
	}
	r.players.Go(r.accept)
	return r
}

func (r *evilReceiver) accept() {
	for {
		conn, err := r.ln.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns = append(r.conns, conn)
		stopped := r.stopped
		r.mu.Unlock()
		if stopped {
			conn.Close()
			return
		}
		r.players.Go(func() { defer conn.Close(); r.play(conn.(*net.TCPConn)) })
	}
}

func (r *evilReceiver) stop() {
	r.ln.Close()
	r.mu.Lock()
	r.stopped = true
	for _, conn := range r.conns {
		conn.Close()
	}
	r.mu.Unlock()
	r.players.Wait()
}

func (r *evilReceiver) url() string {
	if !r.meeting.way.tls {
		return "http://" + r.ln.Addr().String() + "/hooks"
	}
	_, port, _ := net.SplitHostPort(r.ln.Addr().String())
	return "https://" + example + ":" + port + "/hooks"
}

func (r *evilReceiver) turn(stage int32) { r.stage.Store(stage) }

// waitIdle waits until the first request has been answered and all was done that is done
// to its connection after that.
func (r *evilReceiver) waitIdle() { <-r.warm }

func (r *evilReceiver) play(tcp *net.TCPConn) {
	row := r.meeting.row
	fresh := r.stage.Load() == stageEvil
	c := &evilConn{Conn: tcp, tcp: tcp, honest: r.tlsConfig(false)}
	if fresh && row.bare {
		r.acted.Add(1)
		row.act(c)
		return
	}
	if r.meeting.way.tls {
		config := r.tlsConfig(fresh)
		config.KeyLogWriter = &c.secrets
		over := tls.Server(tcp, config)
		if err := over.Handshake(); err != nil {
			return
		}
		c.Conn = over
	}
	c.in = bufio.NewReader(c.Conn)
	acted := false
	for used := false; ; used = true {
		early := row.atOnce && !used || row.early
		if !row.atOnce || used {
			if _, err := c.in.Peek(1); err != nil {
				return
			}
		}
		evil := r.stage.Load() == stageEvil
		if evil && early {
			r.evil(c, used)
		}
		raw, err := readRequest(c.in)
		if err != nil {
			return
		}
		if acted && !(evil && early) {
			r.again.Store(true)
		}
		acted = acted || evil
		switch {
		case evil && early:
		case evil:
			r.evil(c, used)
		default:
			if err := r.answerWell(c, attemptOf(raw)); err != nil {
				return
			}
		}
	}
}

func (r *evilReceiver) evil(c *evilConn, used bool) {
	r.acted.Add(1)
	if used {
		r.onKept.Store(true)
	}
	r.meeting.row.act(c)
}

// answerWell gives each request an answer of its own.
func (r *evilReceiver) answerWell(c *evilConn, attempt string) error {
	warm := r.stage.Load() == stageWarm
	r.mu.Lock()
	r.number++
	body := fmt.Sprintf("answer %d", r.number)
	r.well[attempt] = append(r.well[attempt], body)
	r.mu.Unlock()
	_, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if warm {
		if r.meeting.row.idle != nil {
			r.meeting.row.idle(c)
		}
		close(r.warm)
	}
	return err
}

// answers gives those that the requests of an attempt were answered well with.
func (r *evilReceiver) answers(attempt int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.well[strconv.Itoa(attempt)]
}

// attemptOf reads the number of the attempt from its request.
func attemptOf(raw []byte) string {
	_, rest, _ := bytes.Cut(raw, []byte(webhook.AttemptHeader+": "))
	number, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return string(number)
}

func (r *evilReceiver) tlsConfig(evil bool) *tls.Config {
	if !evil {
		return &tls.Config{Certificates: []tls.Certificate{*r.meeting.cert}}
	}
	c := &tls.Config{Certificates: []tls.Certificate{*r.cert}}
	if change := r.meeting.row.tls; change != nil {
		change(c)
	}
	return c
}

// evilConn is a connection as its receiver sees it.
type evilConn struct {
	net.Conn // of TLS, if there is TLS
	tcp      *net.TCPConn
	in       *bufio.Reader
	honest   *tls.Config  // with which the handshake would succeed
	secrets  bytes.Buffer // of the handshake, as SSLKEYLOGFILE has them
}

func (c *evilConn) say(text string) { io.WriteString(c, text) }

// reset cuts the connection off, with TLS below TLS.
func (c *evilConn) reset() {
	c.tcp.SetLinger(0)
	c.tcp.Close()
}

// cutOff ends the connection without the goodbye of TLS.
func (c *evilConn) cutOff() { c.tcp.Close() }

// halfClose says that nothing more will come.
func (c *evilConn) halfClose() {
	c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// bytes says a text in pieces of one byte.
func (c *evilConn) bytes(text string) {
	for i := range len(text) {
		c.say(text[i : i+1])
	}
}

// drip says a text byte by byte, again and again, until nobody listens.
func (c *evilConn) drip(text string) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for i := 0; ; i++ {
		if _, err := io.WriteString(c, text[i%len(text):][:1]); err != nil {
			return
		}
		<-ticker.C
	}
}

// flood says the same until nobody listens.
func (c *evilConn) flood(again string) {
	for more := []byte(again); ; {
		if _, err := c.Write(more); err != nil {
			return
		}
	}
}

// hang reads on without a word.
func (c *evilConn) hang() { io.Copy(io.Discard, c) }

// deaf does not even read.
func (c *evilConn) deaf() { <-closed(c.tcp) }

// says gives a receiver that says a text and keeps the connection.
func says(text string) func(*evilConn) {
	return func(c *evilConn) { c.say(text) }
}

// saysAndCloses gives one that closes the connection after it.
func saysAndCloses(text string) func(*evilConn) {
	return func(c *evilConn) { c.say(text); c.Close() }
}
