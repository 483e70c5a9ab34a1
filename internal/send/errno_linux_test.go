package send

import (
	"syscall"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

func TestWhatTheNetworkSaysOfAReceiverWasTakenForOurFault(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{
		syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.EACCES, syscall.ENOPROTOOPT, syscall.ENONET, syscall.EOPNOTSUPP, syscall.EPROTO,
	} {
		for _, ip := range []string{v4, v6} {
			if got := classify(failedConnect(ip, errno), connecting); got != delivery.Unreachable {
				t.Errorf("connect to %s: %v: class %q, want %q", ip, errno, got, delivery.Unreachable)
			}
		}
	}
}
