package egress

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// AllowRule opens a range of addresses, on all ports or on some, that the
// default policy denies because they are not public. It never opens what is
// denied hard (metadata services, multicast, transition prefixes, the server's
// own listeners). There are no rules for host names: a name means whatever its
// owner's DNS says at that moment.
type AllowRule struct {
	Prefix netip.Prefix
	// LoPort and HiPort are the first and the last open port; both 0 opens all.
	LoPort, HiPort uint16
}

// ParseAllow reads one rule of an allow list: "10.1.2.0/24", "10.1.2.0/24:443"
// or "fd00:1::/64:8000-8999".
func ParseAllow(s string) (AllowRule, error) {
	network, bits, ok := strings.Cut(s, "/")
	if !ok {
		return AllowRule{}, fmt.Errorf("allow rule %q: want an address range such as 10.1.2.0/24 or 10.1.2.3/32:443, not a single address or a name", s)
	}
	bits, ports, hasPorts := strings.Cut(bits, ":")
	prefix, err := netip.ParsePrefix(network + "/" + bits)
	if err != nil {
		return AllowRule{}, fmt.Errorf("allow rule %q: want an address range such as 10.1.2.0/24", s)
	}
	r := AllowRule{Prefix: prefix}
	if hasPorts {
		if r.LoPort, r.HiPort, ok = parsePorts(ports); !ok {
			return AllowRule{}, fmt.Errorf("allow rule %q: want a port from 1 to 65535 or a range such as 8000-8999 after the colon", s)
		}
	}
	if err := r.check(); err != nil {
		return AllowRule{}, err
	}
	return r, nil
}

func parsePorts(s string) (lo, hi uint16, ok bool) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	lo64, err1 := strconv.ParseUint(first, 10, 16)
	hi64, err2 := strconv.ParseUint(last, 10, 16)
	ok = err1 == nil && err2 == nil && lo64 > 0
	return uint16(lo64), uint16(hi64), ok
}

// check refuses rules that would not do what they say: a silent no-op in a
// security setting is found out too late.
func (r AllowRule) check() error {
	a := r.Prefix.Addr()
	switch {
	case !r.Prefix.IsValid():
		return fmt.Errorf("allow rule %v: not an address range", r.Prefix)
	case r.Prefix.Masked() != r.Prefix:
		return fmt.Errorf("allow rule %v: address and length disagree; did you mean %v or %v?",
			r.Prefix, r.Prefix.Masked(), netip.PrefixFrom(a, a.BitLen()))
	case a.Is4In6():
		return fmt.Errorf("allow rule %v: write it as an IPv4 range", r.Prefix)
	case r.LoPort > r.HiPort:
		return fmt.Errorf("allow rule %v: port range %d-%d ends before it begins", r.Prefix, r.LoPort, r.HiPort)
	}
	if v6Reserve.Contains(a) && r.Prefix.Bits() >= v6Reserve.Bits() && !(a.IsLoopback() && r.Prefix.IsSingleIP()) {
		return fmt.Errorf("allow rule %v: %s can never be opened", r.Prefix, embeds)
	}
	for _, h := range hardRules {
		if h.prefix.Bits() <= r.Prefix.Bits() && h.prefix.Contains(a) {
			return fmt.Errorf("allow rule %v: %s can never be opened", r.Prefix, h.what)
		}
	}
	return nil
}

func (r AllowRule) opens(a netip.Addr, port uint16) bool {
	return r.Prefix.Contains(a) && (r.HiPort == 0 || r.LoPort <= port && port <= r.HiPort)
}
