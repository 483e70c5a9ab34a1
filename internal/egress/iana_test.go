package egress

import (
	"net/netip"
	"testing"
)

// ianaSpecial are the IANA special-purpose address registries of IPv4 and IPv6, their
// entries that are globally reachable aside, and ::ffff:0:0/96, which is judged by the
// address inside; and multicast, which has registries of its own.
var ianaSpecial = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.170/32", "192.0.0.171/32", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"240.0.0.0/4", "255.255.255.255/32", "224.0.0.0/4",
	"::1/128", "::/128", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001:2::/48",
	"2001:db8::/32", "2001::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "ff00::/8",
}

// ianaReachable are the entries that the registries call globally reachable, and that are
// denied all the same, because no receiver has such an address: they belong to protocols.
var ianaReachable = []string{
	"192.0.0.9/32", "192.0.0.10/32", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24",
	"64:ff9b::/96", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:3::/32", "2001:4:112::/48",
	"2001:20::/28", "2001:30::/28", "2620:4f:8000::/48",
}

// TestSpecialRangesOfIANA judges both ends and the middle of every special range, and
// every IPv4 address among them in each of the forms in which IPv6 can carry it.
func TestSpecialRangesOfIANA(t *testing.T) {
	t.Parallel()
	p := newPolicy(t, Config{})
	decoding := newPolicy(t, Config{NAT64Decode: true})
	for _, text := range append(ianaSpecial, ianaReachable...) {
		prefix := netip.MustParsePrefix(text)
		for how := range 3 { // zeros, ones, noise
			a := fill(prefix, []byte("\xa5\x5a\xc3\x3c\x69\x96\x0f\xf0\xa5\x5a\xc3\x3c\x69\x96\x0f\xf0"), how)
			if !a.Is4() {
				mustDeny(t, p, text, a)
				continue
			}
			for _, carrier := range carriers(a.As4()) {
				mustDeny(t, p, text, carrier)
				mustDeny(t, decoding, text, carrier)
			}
		}
	}
}

func mustDeny(t *testing.T, p *Policy, text string, a netip.Addr) {
	t.Helper()
	if err := p.CheckAddr(netip.AddrPortFrom(a, 443)); err == nil {
		t.Errorf("%s: %v is allowed", text, a)
	}
}

// carriers are the forms in which an IPv4 address can be written: as itself, mapped,
// compatible, translated (RFC 2765), NAT64 (RFC 6052 and 8215), 6to4, and Teredo, plain and
// obfuscated.
func carriers(b [4]byte) []netip.Addr {
	in := func(prefix string, at int, xor byte) netip.Addr {
		a := netip.MustParseAddr(prefix).As16()
		for i, octet := range b {
			a[at+i] = octet ^ xor
		}
		return netip.AddrFrom16(a)
	}
	return []netip.Addr{
		netip.AddrFrom4(b), in("::ffff:0:0", 12, 0), in("::", 12, 0), in("::ffff:0:0:0", 12, 0),
		in("64:ff9b::", 12, 0), in("64:ff9b:1::", 12, 0), in("2002::", 2, 0), in("2001::", 4, 0), in("2001::", 12, 0xff),
	}
}
