package send

import "syscall"

// saidByNetwork reports whether a connect failed over what the network said about
// the receiver. Linux makes these of ICMP (icmp_err_convert in net/ipv4/icmp.c,
// icmpv6_err_convert in net/ipv6/icmp.c). "Network unreachable" is not among them:
// egress has told by then whether a router or this machine said it. A local
// firewall gives EPERM.
func saidByNetwork(errno syscall.Errno) bool {
	switch errno {
	case syscall.EHOSTUNREACH, syscall.EHOSTDOWN,
		syscall.EACCES,      // ICMPv6: administratively prohibited, policy fail, reject route
		syscall.ENOPROTOOPT, // protocol unreachable
		syscall.ENONET,      // host isolated
		syscall.EOPNOTSUPP,  // source route failed
		syscall.EPROTO:      // parameter problem
		return true
	}
	return false
}
