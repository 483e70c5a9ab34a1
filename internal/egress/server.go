package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// ServerConfig is what a [Server] is made of.
type ServerConfig struct {
	Policy  *Policy
	Address string // HOST:PORT, as the operator's settings have it
	// Near denies public addresses: for what is spoken without TLS.
	Near     bool
	Resolver Resolver      // nil is Go's own resolver, as for a [Client]
	Timeout  time.Duration // for DNS and connecting together, and for TLS after it; 0 means 30 s
	TLS      *tls.Config   // spoken from the first byte on; nil = not
	MaxRead  int64         // bytes that a connection gives at most, TLS included; 0 = no bound
}

// Server is the way to one server that the operator's settings name, such as the one
// that sends mail. The operator has chosen it, so it may be in a private network and on
// the port of another protocol, and nothing else may: not another port of it, nor
// another host. What no setting can open stays closed, whatever the name leads to.
// The address is checked at every connection, as those of deliveries are.
type Server struct {
	ServerConfig
	dialer  *dialer
	address string
}

// NewServer makes the way to a server. It fails without a policy, and when the address
// is none.
func NewServer(c ServerConfig) (*Server, error) {
	if c.Policy == nil {
		return nil, errors.New("the way to a server needs a policy")
	}
	host, port, err := splitAddress(c.Address)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("%q is not HOST:PORT", c.Address)
	}
	if c.Resolver == nil {
		c.Resolver = &net.Resolver{PreferGo: true}
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultConnectTimeout
	}
	return &Server{
		ServerConfig: c,
		dialer:       &dialer{policy: c.Policy.toServer(port, c.Near), resolver: c.Resolver, timeout: c.Timeout, routed: routed},
		address:      net.JoinHostPort(host, strconv.Itoa(int(port))),
	}, nil
}

// toServer gives the policy of the way to a server: the soft rules are lifted on its port.
func (p *Policy) toServer(port uint16, near bool) *Policy {
	own := *p
	own.server, own.near = port, near
	own.allow = []AllowRule{
		{Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0), LoPort: port, HiPort: port},
		{Prefix: netip.PrefixFrom(netip.IPv6Unspecified(), 0), LoPort: port, HiPort: port},
	}
	return &own
}

// Address is the server's, as HOST:PORT.
func (s *Server) Address() string { return s.address }

// DialContext connects to the server. Any other address is refused, with an [*Error], as is
// one of the server's that is denied.
func (s *Server) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if address != s.address {
		return nil, blocked("the address is not that of the server")
	}
	conn, err := s.dialer.dialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if s.MaxRead > 0 {
		conn = &bounded{Conn: conn, left: s.MaxRead}
	}
	if s.TLS == nil {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	over := tls.Client(conn, s.TLS)
	if err := over.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return over, nil
}

// errEndless is what a connection answers that has given all it may.
var errEndless = errors.New("the server sends without end")

// bounded is a connection that gives so many bytes and no more: a line without an end
// would fill the memory of whoever waits for it.
type bounded struct {
	net.Conn
	left int64 // only the reader's
}

// Read reads what is left.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errEndless
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
