package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/net/idna"
)

// Config is what an operator decides about outgoing connections. The zero value
// is the strict default: https to public addresses only.
type Config struct {
	// Dev is development mode (serve --dev): it opens loopback targets, and
	// http:// for localhost, 127.0.0.1, [::1] and allow-listed literals.
	Dev bool
	// Allow opens ranges that are not public. See [ParseAllow].
	Allow []AllowRule
	// NAT64Decode judges addresses in 64:ff9b::/96 by the IPv4 address inside
	// them instead of denying them all. IPv6-only networks with DNS64 need it.
	NAT64Decode bool
	// OwnListeners returns the addresses this server listens on. They are
	// denied in every mode, so that no endpoint can make the server call itself.
	// For a wildcard address (unspecified or invalid) every address of this
	// machine counts. It is called at every check, from many goroutines. Nil means none.
	OwnListeners func() []netip.AddrPort
}

// Policy decides where connections may go. It does not change after it is made
// and is safe for concurrent use.
type Policy struct {
	dev         bool
	allow       []AllowRule
	nat64Decode bool
	own         func() []netip.AddrPort
	idna        *idna.Profile
	server      uint16 // the one port of a [Server]; 0 = this is a policy of deliveries
	near        bool   // addresses that are public are denied
}

// NewPolicy makes a policy. It fails when an allow rule is malformed or could
// never take effect.
func NewPolicy(c Config) (*Policy, error) {
	for _, r := range c.Allow {
		if err := r.check(); err != nil {
			return nil, err
		}
	}
	own := c.OwnListeners
	if own == nil {
		own = func() []netip.AddrPort { return nil }
	}
	return &Policy{
		dev:         c.Dev,
		allow:       slices.Clone(c.Allow),
		nat64Decode: c.NAT64Decode,
		own:         own,
		idna:        newIDNA(),
	}, nil
}

// CheckAddr decides about one concrete address, as it is given to connect(2).
// The error is an [*Error] with code [CodeBlocked] or [CodePort]; its message
// does not contain the address, its Detail does.
// The order of the rules is that of the threat model: zone, mapped form, hard
// denial, own listeners, allow list, address tables, port.
func (p *Policy) CheckAddr(ap netip.AddrPort) error {
	v := p.judge(ap)
	if v.ok() {
		return nil
	}
	if v.port {
		return portError(ap.Port())
	}
	return blocked(fmt.Sprintf("%v is %s", ap, v.what))
}

// A verdict is a denial and its reason, or the zero value: allowed.
type verdict struct {
	what string // completes "<address> is ..."
	hint string // what the owner of the endpoint can do
	port bool   // the port is denied, not the address
}

func (v verdict) ok() bool { return v == verdict{} }

const (
	hintHard     = "Use a public address; no setting opens this one."
	hintPrivate  = "Use a public address, or ask the operator to open this one (serve --allow-targets)."
	hintLoopback = "Loopback targets are only for development mode (serve --dev) or the operator's allow list (serve --allow-targets)."
	hintNAT64    = "Use the IPv4 address, or ask the operator to turn on NAT64 decoding (serve --nat64-decode)."
	hintNear     = "Turn TLS on, or use a server on this machine or in a private network."
	hintOwn      = "Use the address of the program that shall receive the events."
)

func (p *Policy) judge(ap netip.AddrPort) verdict {
	a := ap.Addr()
	if !a.IsValid() || a.Zone() != "" {
		// No prefix contains a zoned address, so it must not reach the tables.
		return verdict{what: "not an address that can be reached from everywhere", hint: hintHard}
	}
	a = a.Unmap()
	if nat64.Contains(a) {
		if !p.nat64Decode {
			return verdict{what: embeds + " (NAT64)", hint: hintNAT64}
		}
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if what, denied := hardDenied(a); denied {
		return verdict{what: what, hint: hintHard}
	}
	if p.isOwn(a, ap.Port()) {
		return verdict{what: "an address this server itself listens on", hint: hintOwn}
	}
	if !p.opened(a, ap.Port()) {
		if v := softDenied(a); !v.ok() {
			return v
		}
	}
	if p.near && softDenied(a).ok() {
		return verdict{what: "a public address, to which nothing goes without TLS", hint: hintNear}
	}
	if badPort(ap.Port()) && (p.server == 0 || ap.Port() != p.server) {
		return verdict{port: true}
	}
	return verdict{}
}

func hardDenied(a netip.Addr) (string, bool) {
	if v6Reserve.Contains(a) && !a.IsLoopback() {
		return embeds, true
	}
	return find(hardRules, a)
}

func softDenied(a netip.Addr) verdict {
	if a.IsLoopback() {
		return verdict{what: loopback, hint: hintLoopback}
	}
	if what, denied := find(softRules, a); denied {
		return verdict{what: what, hint: hintPrivate}
	}
	if a.Is6() && !publicV6.Contains(a) {
		return verdict{what: "not a public IPv6 address", hint: hintPrivate}
	}
	return verdict{}
}

// opened reports whether a setting lifts the soft rules for an address.
func (p *Policy) opened(a netip.Addr, port uint16) bool {
	return p.dev && a.IsLoopback() || p.listed(a, port)
}

func (p *Policy) listed(a netip.Addr, port uint16) bool {
	return slices.ContainsFunc(p.allow, func(r AllowRule) bool { return r.opens(a, port) })
}

func (p *Policy) isOwn(a netip.Addr, port uint16) bool {
	for _, l := range p.own() {
		if l.Port() != port {
			continue
		}
		la := l.Addr().Unmap().WithZone("")
		if la == a {
			return true
		}
		if (!la.IsValid() || la.IsUnspecified()) && isLocal(a) {
			return true
		}
	}
	return false
}

// isLocal reports whether an address belongs to this machine; when that cannot
// be found out it says yes, because the caller is about to deny on yes.
func isLocal(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(addrs, func(i net.Addr) bool {
		n, ok := i.(*net.IPNet)
		if !ok {
			return false
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		return ok && ip.Unmap() == a
	})
}

func blocked(detail string) *Error {
	return &Error{
		Code:    CodeBlocked,
		Problem: "The target does not lead to an address that this server may call.",
		Hint:    "Point it at a public address. Operators find the reason in the server's log.",
		Detail:  detail,
	}
}

func portError(port uint16) *Error {
	return &Error{
		Code:    CodePort,
		Problem: fmt.Sprintf("Port %d is not a port for webhooks: it belongs to another protocol.", port),
		Hint:    "Use 443 or another port of your web server.",
		Detail:  fmt.Sprintf("port %d is denied", port),
	}
}

// asError returns the refusal inside an error chain.
func asError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}
