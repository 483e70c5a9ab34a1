package door

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// Server serves a listener. Make one with New.
type Server struct {
	rest    *http.Server
	call    []byte // the request line that is answered here
	path    string
	handed  *handed
	closing chan struct{}

	mu     sync.Mutex
	shut   bool
	listen net.Listener
	conns  map[*conn]bool
	gone   chan struct{} // closed when shut and without connections
}

// New makes a Server that answers POST requests to path with the handler of rest and
// within its time limits, all of which must be set; rest answers all others.
func New(rest *http.Server, path string) *Server {
	return &Server{
		rest: rest, path: path, call: []byte(http.MethodPost + " " + path + " HTTP/1.1\r\n"),
		closing: make(chan struct{}), conns: map[*conn]bool{}, gone: make(chan struct{}),
	}
}

// Serve answers on a listener until Shutdown or Close, then with
// [http.ErrServerClosed]. It is called once.
func (s *Server) Serve(l net.Listener) error {
	if !s.open(l) {
		l.Close()
		return http.ErrServerClosed
	}
	rest := make(chan error, 1)
	go func() { rest <- s.rest.Serve(s.handed) }()
	err := s.accept(l)
	if !s.isShut() {
		s.Close()
	}
	return errors.Join(err, other(<-rest))
}

// other leaves the error out that both loops end with.
func other(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (s *Server) open(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listen, s.handed = l, &handed{addr: l.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
	return !s.shut
}

// longestPause is between two tries to accept when the machine has no room.
const longestPause = time.Second

func (s *Server) accept(l net.Listener) error {
	pause := 5 * time.Millisecond
	for {
		netConn, err := l.Accept()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
			s.take(netConn)
		case s.isShut():
			return http.ErrServerClosed
		case !passing(err):
			return err
		default: // as net/http does: out of files, for example
			time.Sleep(pause)
			pause = min(2*pause, longestPause)
		}
	}
}

// passing reports errors after which more connections can be accepted: this machine has no
// room for another one, or the client was gone before it was taken.
func passing(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

func (s *Server) take(netConn net.Conn) {
	c := &conn{Conn: netConn, server: s, remote: netConn.RemoteAddr().String()}
	c.ctx, c.end = context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		netConn.Close()
		return
	}
	s.conns[c] = true
	go c.serve()
}

// leave forgets a connection that is closed or handed over.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.tellGone()
}

// tellGone is called with mu held.
func (s *Server) tellGone() {
	if !s.shut || len(s.conns) > 0 {
		return
	}
	select {
	case <-s.gone:
	default:
		close(s.gone)
	}
}

func (s *Server) isShut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shut
}

// Shutdown takes no more connections, closes those that wait for a request, and returns when
// all requests are answered, or with the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop(func(c *conn) { c.closeIdle() })
	if err := s.rest.Shutdown(ctx); err != nil {
		return err
	}
	select {
	case <-s.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes all connections at once.
func (s *Server) Close() error {
	s.stop(func(c *conn) {
		c.end()
		c.Conn.Close()
	})
	return s.rest.Close()
}

func (s *Server) stop(each func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.shut {
		s.shut = true
		close(s.closing)
		if s.listen != nil {
			s.listen.Close()
		}
	}
	for c := range s.conns {
		each(c)
	}
	s.tellGone()
}

// handed is the listener on which net/http takes what is handed over.
type handed struct {
	addr   net.Addr
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handed) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handed) Addr() net.Addr { return h.addr }

// offer reports whether net/http has taken a connection.
func (h *handed) offer(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.closed:
		return false
	}
}

// begun is a connection of which something was read already.
type begun struct {
	net.Conn
	ahead []byte // read from the connection, and to be read again
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.ahead) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.ahead)
	if b.ahead = b.ahead[n:]; len(b.ahead) == 0 {
		b.ahead = nil
	}
	return n, nil
}
