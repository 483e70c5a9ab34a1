package egress

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// counted is a connection that knows how much was written to it.
type counted struct {
	net.Conn
	written atomic.Int64
}

// Write counts all before it writes, and takes back what could not be written: so
// there is never less in the count than on the wire.
func (c *counted) Write(b []byte) (int, error) {
	c.written.Add(int64(len(b)))
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n - len(b)))
	return n, err
}

// Written tells how many bytes were written to a connection that a [Client] made:
// below TLS, if there is TLS. It is how a caller can prove that a request did not
// leave. It is false for any other connection.
func Written(conn net.Conn) (bytes int64, ok bool) {
	if over, isTLS := conn.(interface{ NetConn() net.Conn }); isTLS {
		conn = over.NetConn()
	}
	c, ok := conn.(*counted)
	if !ok {
		return 0, false
	}
	return c.written.Load(), true
}

// socketOf gives the socket of a connection that the dialer made.
func socketOf(conn net.Conn) (syscall.RawConn, error) {
	c, ok := conn.(*counted)
	if !ok {
		return nil, errors.New("the connection was not dialed here")
	}
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("the connection is no socket")
	}
	return socket.SyscallConn()
}
