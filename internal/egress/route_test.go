package egress

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"
)

// kernel says the same to every connect, without one.
func kernel(errno map[string]syscall.Errno) func(netip.AddrPort) error {
	return func(ap netip.AddrPort) error { return errno[ap.Addr().String()] }
}

func TestRouterOfTheReceiverCannotSpeakForThisMachine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		routed bool
		want   syscall.Errno
	}{
		{"this machine has a route, so a router said it", true, syscall.EHOSTUNREACH},
		{"this machine has no route", false, syscall.ENETUNREACH},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPolicy(t, Config{})
			c := newClient(t, ClientConfig{Policy: p, Resolver: &stepResolver{steps: [][]string{{"93.184.216.34"}}}})
			c.lean.dialer.connecting = kernel(map[string]syscall.Errno{"93.184.216.34": syscall.ENETUNREACH})
			c.lean.dialer.routed = func(netip.AddrPort) bool { return tt.routed }
			_, err := send(t, c, parse(t, p, "https://hooks.example.com/"))
			var errno syscall.Errno
			if !errors.As(err, &errno) || errno != tt.want {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestErrorThatSaysMoreThanNoRoute(t *testing.T) {
	t.Parallel()
	p := newPolicy(t, Config{})
	c := newClient(t, ClientConfig{Policy: p, Resolver: &stepResolver{steps: [][]string{{"2606:4700::1111", "93.184.216.34", "93.184.216.35"}}}})
	c.lean.dialer.routed = func(netip.AddrPort) bool { return false }
	c.lean.dialer.connecting = kernel(map[string]syscall.Errno{
		"2606:4700::1111": syscall.ENETUNREACH, "93.184.216.34": syscall.ECONNREFUSED, "93.184.216.35": syscall.EHOSTUNREACH,
	})
	_, err := send(t, c, parse(t, p, "https://hooks.example.com/"))
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v, want that of the first address with a route", err)
	}
}

func TestLoopbackIsRouted(t *testing.T) {
	t.Parallel()
	if ap := netip.MustParseAddrPort("127.0.0.1:9"); !routed(ap) {
		t.Errorf("no route to %v", ap)
	}
}
