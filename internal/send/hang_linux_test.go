package send

import (
	"net"
	"strconv"
	"syscall"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// TestHangInConnect uses a listener whose queue is full: Linux then drops
// further connects silently, as a firewall does.
func TestHangInConnect(t *testing.T) {
	t.Parallel()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := "127.0.0.1:" + strconv.Itoa(bound.(*syscall.SockaddrInet4).Port)
	first, err := net.Dial("tcp4", addr) // a queue of length 0 holds one
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { first.Close() })

	for name, c := range map[string]setup{
		"until the attempt's time is over": {timeout: impatience},
		"until the client's time is over":  {connect: impatience},
	} {
		t.Run(name, func(t *testing.T) {
			a, unsent := attemptTo(t, c, "http://"+addr)
			if a.Class != delivery.ConnectTimeout || !unsent || a.Timing.Connect < impatience*9/10 {
				t.Errorf("class %q, unsent %v, timing %+v; info %q", a.Class, unsent, a.Timing, a.LocalInfo)
			}
		})
	}
}
