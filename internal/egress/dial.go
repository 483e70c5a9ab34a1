package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Resolver finds the addresses of a host. [*net.Resolver] is one. The host comes
// with a trailing dot, network is "ip". Failures should be a [*net.DNSError].
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	// maxTries bounds the connects for one request, so that a name with hundreds
	// of addresses cannot make this server scan them.
	maxTries = 8
	// minShare is the least time one address of several gets; the standard
	// library's dialer uses the same.
	minShare = 2 * time.Second
)

// dialer resolves a host, drops the addresses that the policy denies and tries
// the others in turn.
type dialer struct {
	policy   *Policy
	resolver Resolver
	timeout  time.Duration // for DNS and all tries together

	// connecting is a seam for tests: it is called after the check of an
	// address, immediately before connect(2), and may stop it. Nil otherwise.
	connecting func(netip.AddrPort) error
	// routed looks a route of this machine up; another seam for tests.
	routed func(netip.AddrPort) bool
}

func (d *dialer) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	// The transport detaches dials from the deadline of their request, so that
	// a later request can use the connection. They need a limit of their own.
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	host, port, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	addrs, err := d.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	allowed, err := d.filter(host, addrs, port)
	if err != nil {
		return nil, err
	}
	conn, err := d.connect(ctx, network, allowed)
	if err != nil {
		return nil, err
	}
	return &counted{Conn: conn}, nil
}

func splitAddress(address string) (string, uint16, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, blocked("address to dial is malformed")
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || host == "" {
		// An empty host would dial this machine.
		return "", 0, blocked("address to dial has no host or no numeric port")
	}
	return host, uint16(port), nil
}

func (d *dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if (d.policy.dev || d.policy.server != 0) && host == localhost {
		// RFC 6761 section 6.3: localhost is loopback and asks no DNS.
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	return d.resolve(ctx, host)
}

// resolve asks the resolver, with the trace hooks around it. The root dot keeps
// the machine's search domains out: with it a name means the same everywhere.
func (d *dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.DNSStart != nil {
		trace.DNSStart(httptrace.DNSStartInfo{Host: host})
	}
	addrs, err := d.resolver.LookupNetIP(untraced{ctx}, "ip", strings.TrimSuffix(host, ".")+".")
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	if trace != nil && trace.DNSDone != nil {
		trace.DNSDone(httptrace.DNSDoneInfo{Addrs: ipAddrs(addrs), Err: err})
	}
	if err != nil {
		return nil, fmt.Errorf("resolve host: %w", err)
	}
	return addrs, nil
}

// untraced hides the values of a context. The standard resolver fires the DNS
// hooks by itself, other resolvers do not; without this they would fire twice.
type untraced struct{ context.Context }

func (untraced) Value(any) any { return nil }

func ipAddrs(addrs []netip.Addr) []net.IPAddr {
	out := make([]net.IPAddr, len(addrs))
	for i, a := range addrs {
		out[i] = net.IPAddr{IP: a.AsSlice(), Zone: a.Zone()}
	}
	return out
}

// filter returns what may be dialed of the addresses of a host. A mixed answer
// is used in part: a stray private record must not break a public host.
func (d *dialer) filter(host string, addrs []netip.Addr, port uint16) ([]netip.AddrPort, error) {
	var allowed []netip.AddrPort
	var denied *Error
	for _, a := range addrs {
		ap := netip.AddrPortFrom(a, port)
		err := d.policy.CheckAddr(ap)
		if err == nil {
			allowed = append(allowed, ap)
			continue
		}
		denied = merge(denied, err)
	}
	if len(allowed) > 0 {
		return allowed[:min(len(allowed), maxTries)], nil
	}
	denied.Detail = fmt.Sprintf("%q: %s", host, denied.Detail)
	return nil, denied
}

// merge collects the details of several denials; the first one stays in front.
func merge(first *Error, err error) *Error {
	e, ok := asError(err)
	if !ok {
		e = blocked(err.Error())
	}
	if first == nil {
		return e
	}
	if e.Detail != "" && len(first.Detail) < maxURL {
		first.Detail += "; " + e.Detail
	}
	return first
}

// connect tries the addresses in turn and returns the first connection, or the
// first error, which belongs to the preferred address; but that there is no way
// to an address from here says the least, so any other error goes before it.
func (d *dialer) connect(ctx context.Context, network string, addrs []netip.AddrPort) (net.Conn, error) {
	var first error
	for i, ap := range addrs {
		conn, err := d.try(ctx, network, ap, len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		if first == nil || errors.Is(first, syscall.ENETUNREACH) {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// try connects to one address; left counts it and those still to come, among
// which the remaining time is shared so that one silent address does not use it up.
func (d *dialer) try(ctx context.Context, network string, ap netip.AddrPort, left int) (net.Conn, error) {
	if end, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, share(time.Until(end), left))
		defer cancel()
	}
	nd := &net.Dialer{ControlContext: d.control}
	conn, err := nd.DialContext(ctx, network, ap.String())
	if denied, ok := asError(err); ok {
		return nil, denied // without the dialer's words, which contain the address
	}
	if errors.Is(err, syscall.ENETUNREACH) && d.routed(ap) {
		err = saidByRouter(network, ap)
	}
	return conn, err
}

// saidByRouter stands for "network unreachable" that came over the network. The
// kernel words it like a missing route of its own, but a router near the receiver
// said it, and it can say so about its receiver for ever.
func saidByRouter(network string, ap netip.AddrPort) error {
	return &net.OpError{
		Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(ap),
		Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH),
	}
}

// routed reports whether this machine has a route to an address. Connecting a
// UDP socket looks the route up and sends nothing.
func routed(ap netip.AddrPort) bool {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(ap))
	if err != nil {
		return !errors.Is(err, syscall.ENETUNREACH)
	}
	conn.Close()
	return true
}

// share is the time for the next of several addresses.
func share(remaining time.Duration, left int) time.Duration {
	return max(remaining/time.Duration(left), minShare)
}

// control is the boundary: the kernel has a socket and the next step is
// connect(2) to exactly this address. What it cannot read it refuses.
func (d *dialer) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return blocked("network " + network + " is not TCP")
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return blocked("address given to connect is malformed")
	}
	if err := d.policy.CheckAddr(ap); err != nil {
		return err
	}
	if d.connecting != nil {
		return d.connecting(ap)
	}
	return nil
}
