package send

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// away is how an attempt ends whose host is out of reach.
func away(u *uplink, host string, now time.Time) delivery.Class {
	class, _ := u.blame(delivery.ConnectTimeout, errOutOfTime, &exchange{phase: connecting}, host, now)
	return class
}

func TestDeadUplinkIsChargedToNobody(t *testing.T) {
	t.Parallel()
	start := time.Now()
	var u uplink
	for i, want := range []delivery.Class{delivery.ConnectTimeout, delivery.ConnectTimeout, delivery.LocalNetwork, delivery.LocalNetwork} {
		if got := away(&u, fmt.Sprint("host-", i), start); got != want {
			t.Errorf("host %d out of reach: %q, want %q", i, got, want)
		}
	}
	if got := away(&u, "host-0", start.Add(suspicion-time.Second)); got != delivery.LocalNetwork {
		t.Errorf("within the suspicion: %q", got)
	}
	if got := away(&u, "host-0", start.Add(suspicion)); got != delivery.ConnectTimeout {
		t.Errorf("after an hour in which no host was reached: %q, want the endpoint to be charged", got)
	}
}

func TestOneDeadReceiverDoesNotBlameTheNetwork(t *testing.T) {
	t.Parallel()
	var u uplink
	for range 100 {
		if got := away(&u, "one", time.Now()); got != delivery.ConnectTimeout {
			t.Fatalf("class %q, want it charged", got)
		}
	}
}

// TestHostThatIsReachedClearsTheNetwork goes over everything that proves a way out.
func TestHostThatIsReachedClearsTheNetwork(t *testing.T) {
	t.Parallel()
	reset := errors.New("reset")
	tests := []struct {
		name  string
		class delivery.Class
		x     *exchange
		clear bool
	}{
		{"refused", delivery.ConnectRefused, &exchange{phase: connecting}, true},
		{"TLS failed", delivery.TLSFailure, &exchange{phase: handshaking}, true},
		{"a new connection was cut", delivery.Reset, &exchange{phase: waiting}, true},
		{"no answer on an old connection", delivery.ResponseTimeout, &exchange{phase: waiting, reused: true}, false},
		{"the name does not exist, as a cache may say", delivery.DNSNotFound, &exchange{phase: resolving}, false},
		{"blocked before anything", delivery.BlockedAddress, &exchange{phase: resolving}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var u uplink
			away(&u, "one", time.Now())
			away(&u, "two", time.Now())
			if got, _ := u.blame(tt.class, reset, tt.x, "other", time.Now()); got != tt.class {
				t.Errorf("class %q became %q", tt.class, got)
			}
			if got := away(&u, "three", time.Now()); (got == delivery.ConnectTimeout) != tt.clear {
				t.Errorf("the next host out of reach: %q, network cleared should be %v", got, tt.clear)
			}
		})
	}
}

func TestMachineWithoutIPv6IsNoDeadUplink(t *testing.T) {
	t.Parallel()
	var u uplink
	err := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 443}, Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	for i := range 2 * silentHosts {
		if got, _ := u.blame(delivery.Unreachable, err, &exchange{phase: connecting}, fmt.Sprint(i), time.Now()); got != delivery.Unreachable {
			t.Fatalf("host %d: %q", i, got)
		}
	}
}

func TestInterruptedAttemptsBlamedTheNetwork(t *testing.T) {
	t.Parallel()
	s, p := newSender(t, setup{resolver: failingResolver{}})
	stopping, stop := context.WithCancel(t.Context())
	stop()
	for _, name := range []string{"a", "b", "c"} {
		target := newTarget(t, p, "https://"+name+".example.com/")
		a := s.begin(newLease(testBody))
		s.failed(stopping, target, &exchange{phase: resolving}, errors.New("the lookup broke off"), &a)
		if a.Class != delivery.Interrupted {
			t.Fatalf("class %q of an interrupted attempt", a.Class)
		}
	}
	if a, _ := s.Send(t.Context(), newTarget(t, p, "https://d.example.com/"), newLease(testBody)); a.Class != delivery.DNSFailure {
		t.Errorf("class %q, want the network unsuspected", a.Class)
	}
}

// TestSenderSuspectsItsNetwork goes through real attempts: names that cannot be
// looked up, then a host that answers.
func TestSenderSuspectsItsNetwork(t *testing.T) {
	t.Parallel()
	s, p := newSender(t, setup{resolver: failingResolver{}})
	attempt := func(url string) delivery.Attempt {
		a, _ := s.Send(t.Context(), newTarget(t, p, url), newLease(testBody))
		return a
	}
	for _, name := range []string{"a", "b"} {
		if a := attempt("https://" + name + ".example.com/"); a.Class != delivery.DNSFailure {
			t.Fatalf("class %q of host %s", a.Class, name)
		}
	}
	a := attempt("https://c.example.com/")
	if a.Class != delivery.LocalNetwork || !strings.Contains(a.LocalInfo, "network is taken to be down") {
		t.Errorf("third host: class %q, info %q", a.Class, a.LocalInfo)
	}
	if a := attempt(newReceiver(t, answer(ok)).url()); a.Class != delivery.OK {
		t.Fatalf("class %q; info %q", a.Class, a.LocalInfo)
	}
	if a := attempt("https://d.example.com/"); a.Class != delivery.DNSFailure {
		t.Errorf("after a host was reached: class %q", a.Class)
	}
}
