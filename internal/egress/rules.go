package egress

import "net/netip"

// A rule denies a range of addresses; what completes the sentence "x is ...".
type rule struct {
	prefix netip.Prefix
	what   string
}

func deny(cidr, what string) rule {
	return rule{prefix: netip.MustParsePrefix(cidr), what: what}
}

// Words that occur in several rules.
const (
	metadata      = "a cloud metadata address"
	private       = "a private address"
	linkLocal     = "a link-local address"
	loopback      = "a loopback address"
	documentation = "a documentation address"
	special       = "a special-purpose address"
	embeds        = "an IPv6 address that can carry an IPv4 address"
)

var (
	publicV6  = netip.MustParsePrefix("2000::/3")     // IANA: all global unicast space
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052 section 2.1
	v6Reserve = netip.MustParsePrefix("::/8")         // RFC 4291 section 4: every IPv4-in-IPv6 form outside 2000::/3 lies in it
)

// hardRules deny what no setting may open: addresses with no legitimate
// receiver behind them, the metadata services of the cloud providers, and the
// transition prefixes in which any of these could be hidden again.
// The two biggest IPv6 holes, zones and ::/8, are in [Policy.judge] and hardDenied.
var hardRules = []rule{
	deny("169.254.169.254/32", metadata), // AWS, GCP, Azure, OpenStack, DigitalOcean, Hetzner, Oracle
	deny("169.254.170.2/32", metadata),   // AWS ECS task credentials
	deny("169.254.170.23/32", metadata),  // AWS EKS pod identity
	deny("169.254.0.23/32", metadata),    // Tencent
	deny("100.100.100.200/32", metadata), // Alibaba
	deny("192.0.0.192/32", metadata),     // Oracle classic
	deny("168.63.129.16/32", metadata),   // Azure WireServer: public unicast, in no registry
	deny("fd00:ec2::254/128", metadata),  // AWS
	deny("fd00:ec2::23/128", metadata),   // AWS EKS pod identity
	deny("fd20:ce::254/128", metadata),   // GCP
	deny("0.0.0.0/8", "an address of \"this network\""),
	deny("224.0.0.0/4", "a multicast address"),
	deny("240.0.0.0/4", "a reserved address"), // class E and broadcast
	deny("ff00::/8", "a multicast address"),
	deny("2001::/32", embeds), // Teredo, RFC 4380
	deny("2002::/16", embeds), // 6to4, RFC 3056
}

// softRules deny what is not the public Internet; an allow list can open them.
// Loopback, and IPv6 outside 2000::/3 that has no name here, are in softDenied.
// Source: the IANA special-purpose address registries.
var softRules = []rule{
	deny("10.0.0.0/8", private),
	deny("172.16.0.0/12", private),
	deny("192.168.0.0/16", private),
	deny("fc00::/7", private),
	deny("169.254.0.0/16", linkLocal),
	deny("fe80::/10", linkLocal),
	deny("100.64.0.0/10", "a carrier-grade NAT address"), // RFC 6598
	deny("192.0.0.0/24", special),                        // IETF protocol assignments
	deny("192.0.2.0/24", documentation),
	deny("198.51.100.0/24", documentation),
	deny("203.0.113.0/24", documentation),
	deny("192.31.196.0/24", special), // AS112, RFC 7535
	deny("192.52.193.0/24", special), // AMT, RFC 7450
	deny("192.88.99.0/24", special),  // 6to4 relay anycast, RFC 7526
	deny("192.175.48.0/24", special), // AS112, RFC 7534
	deny("198.18.0.0/15", "a benchmarking address"),
	deny("2001::/23", special), // IETF protocol assignments: benchmarking, ORCHID and others
	deny("2001:db8::/32", documentation),
	deny("2620:4f:8000::/48", special), // AS112, RFC 7534
	deny("3fff::/20", documentation),   // RFC 9637
}

func find(rules []rule, a netip.Addr) (string, bool) {
	for _, r := range rules {
		if r.prefix.Contains(a) {
			return r.what, true
		}
	}
	return "", false
}

// badPort reports whether a port is 0 or on the list of ports that the Fetch
// standard blocks (section "port blocking"), because a service of another
// protocol listens there and might obey the bytes of an HTTP request.
func badPort(port uint16) bool {
	switch port {
	case 0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95,
		101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179,
		389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587,
		601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
		6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080:
		return true
	}
	return false
}
