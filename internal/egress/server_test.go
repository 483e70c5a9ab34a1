package egress

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// names answers with fixed addresses.
type names map[string][]netip.Addr

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if found, ok := n[host]; ok {
		return found, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func TestWhereTheWayToAServerLeads(t *testing.T) {
	t.Parallel()
	const server = "mail.example:587"
	own := netip.MustParseAddrPort("127.0.0.1:587")
	tests := []struct {
		name  string
		leads string // the address of mail.example
		near  bool
		own   []netip.AddrPort
		says  string // of the refusal; "" = it is connected to
	}{
		{"a public address", "93.184.216.34", false, nil, ""},
		{"a private address", "10.1.2.3", false, nil, ""},
		{"this machine", "127.0.0.1", false, nil, ""},
		{"a private IPv6 address", "fd00:1::2", false, nil, ""},
		{"the metadata of a cloud", "169.254.169.254", false, nil, "metadata"},
		{"the metadata of a cloud, mapped", "::ffff:169.254.169.254", false, nil, "metadata"},
		{"multicast", "224.0.0.1", false, nil, "multicast"},
		{"no address", "0.0.0.0", false, nil, "this network"},
		{"hidden in 6to4", "2002:a9fe:a9fe::1", false, nil, "can carry an IPv4 address"},
		{"our own listener", "127.0.0.1", false, []netip.AddrPort{own}, "itself listens"},
		{"a public address without TLS", "93.184.216.34", true, nil, "without TLS"},
		{"a private address without TLS", "192.168.1.1", true, nil, ""},
		{"this machine without TLS", "::1", true, nil, ""},
		{"the metadata of a cloud without TLS", "169.254.169.254", true, nil, "metadata"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPolicy(t, Config{OwnListeners: func() []netip.AddrPort { return tt.own }})
			s, err := NewServer(ServerConfig{Policy: p, Address: server, Near: tt.near, Resolver: names{"mail.example.": {netip.MustParseAddr(tt.leads)}}, Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			reached := netip.AddrPort{}
			enough := blocked("it would connect")
			s.dialer.connecting = func(ap netip.AddrPort) error { reached = ap; return enough }
			_, err = s.DialContext(t.Context(), "tcp", server)
			denied, ok := asError(err)
			if !ok {
				t.Fatalf("got %v, want a refusal", err)
			}
			if tt.says == "" {
				if reached != netip.AddrPortFrom(netip.MustParseAddr(tt.leads), 587) {
					t.Errorf("reached %v and got %v (%s), want a connection to %s", reached, err, denied.Detail, tt.leads)
				}
				return
			}
			if reached.IsValid() || !strings.Contains(denied.Detail, tt.says) {
				t.Errorf("reached %v and got the detail %q, want none, because of %q", reached, denied.Detail, tt.says)
			}
		})
	}
}

func TestTheWayToAServerLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := newPolicy(t, Config{})
	s, err := NewServer(ServerConfig{Policy: p, Address: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := s.DialContext(t.Context(), "tcp", s.Address())
	if err != nil {
		t.Fatalf("to the server itself: %v", err)
	}
	conn.Close()
	for _, other := range []string{"127.0.0.1:25", "localhost:25", "mail.example:587", "", ":25"} {
		if _, err := s.DialContext(t.Context(), "tcp", other); err == nil {
			t.Errorf("%q was connected to", other)
		}
	}
	if err := p.CheckAddr(netip.MustParseAddrPort(l.Addr().String())); err == nil {
		t.Error("the policy of deliveries was opened, too")
	}
}

func TestAnAddressThatIsNoneMakesNoServer(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "mail.example", ":25", "mail.example:0", "mail.example:smtp", "mail.example:70000"} {
		if _, err := NewServer(ServerConfig{Policy: newPolicy(t, Config{}), Address: address}); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}
