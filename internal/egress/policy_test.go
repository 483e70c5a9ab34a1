package egress

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func allow(t testing.TB, rules ...string) []AllowRule {
	t.Helper()
	var out []AllowRule
	for _, s := range rules {
		r, err := ParseAllow(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestParseAllow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, rule string
		want       AllowRule
		wantErr    string
	}{
		{name: "range", rule: "10.1.2.0/24", want: AllowRule{Prefix: netip.MustParsePrefix("10.1.2.0/24")}},
		{name: "range and port", rule: "10.1.2.0/24:443", want: AllowRule{netip.MustParsePrefix("10.1.2.0/24"), 443, 443}},
		{name: "range and ports", rule: "127.0.0.1/32:9000-9999", want: AllowRule{netip.MustParsePrefix("127.0.0.1/32"), 9000, 9999}},
		{name: "IPv6", rule: "fd00:1::/64:8000-8999", want: AllowRule{netip.MustParsePrefix("fd00:1::/64"), 8000, 8999}},
		{name: "everything", rule: "0.0.0.0/0", want: AllowRule{Prefix: netip.MustParsePrefix("0.0.0.0/0")}},
		{name: "host name", rule: "intranet", wantErr: "not a single address or a name"},
		{name: "host name with a length", rule: "intranet/24", wantErr: "want an address range"},
		{name: "single address", rule: "10.1.2.3:443", wantErr: "not a single address"},
		{name: "host bits", rule: "10.1.2.3/24", wantErr: "did you mean 10.1.2.0/24 or 10.1.2.3/32?"},
		{name: "zone", rule: "fe80::1%eth0/64", wantErr: "want an address range"},
		{name: "mapped", rule: "::ffff:10.0.0.0/104", wantErr: "IPv4"},
		{name: "port 0", rule: "10.1.2.0/24:0", wantErr: "port"},
		{name: "port too large", rule: "10.1.2.0/24:65536", wantErr: "port"},
		{name: "no port after the colon", rule: "10.1.2.0/24:", wantErr: "port"},
		{name: "half a range", rule: "10.1.2.0/24:80-", wantErr: "port"},
		{name: "range backwards", rule: "10.1.2.0/24:90-80", wantErr: "ends before it begins"},
		{name: "metadata", rule: "169.254.169.254/32", wantErr: "never be opened"},
		{name: "IPv6 loopback", rule: "::1/128:8080", want: AllowRule{netip.MustParsePrefix("::1/128"), 8080, 8080}},
		{name: "IPv4-compatible", rule: "::/96", wantErr: "never be opened"},
		{name: "around IPv6 loopback", rule: "::/127", wantErr: "never be opened"},
		{name: "NAT64", rule: "64:ff9b::/96", wantErr: "never be opened"},
		{name: "inside NAT64", rule: "64:ff9b::a00:0/104", wantErr: "never be opened"},
		{name: "all that may carry IPv4", rule: "::/8", wantErr: "never be opened"},
		{name: "all of IPv6", rule: "::/0", want: AllowRule{Prefix: netip.MustParsePrefix("::/0")}},
		{name: "inside 6to4", rule: "2002:a00::/24", wantErr: "never be opened"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseAllow(tt.rule)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("ParseAllow(%q) = %v, %v; want an error with %q", tt.rule, got, err, tt.wantErr)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("ParseAllow(%q) = %v, %v; want %v", tt.rule, got, err, tt.want)
			}
		})
	}
}

func TestNewPolicyRefusesBadRules(t *testing.T) {
	t.Parallel()
	if _, err := NewPolicy(Config{Allow: []AllowRule{{}}}); err == nil {
		t.Error("NewPolicy accepted an empty allow rule")
	}
}

type addrCase struct {
	name, addr string
	allow      bool
}

func checkAddrs(t *testing.T, c Config, tests []addrCase) {
	t.Helper()
	p := newPolicy(t, c)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := p.CheckAddr(netip.MustParseAddrPort(tt.addr))
			if got := err == nil; got != tt.allow {
				t.Errorf("CheckAddr(%s): %v, want allowed = %v", tt.addr, err, tt.allow)
			}
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Detail == "") {
				t.Errorf("error %#v, want an *Error with a detail", err)
			}
		})
	}
}

func TestCheckAddrByDefault(t *testing.T) {
	t.Parallel()
	checkAddrs(t, Config{}, []addrCase{
		{"default denies loopback", "127.0.0.1:443", false},
		{"default denies port 0", "8.8.8.8:0", false},
		{"default denies the mail port", "8.8.8.8:25", false},
		{"default allows public", "8.8.8.8:443", true},
		{"NAT64 of a public address by default", "[64:ff9b::808:808]:443", false},
	})
	if err := newPolicy(t, Config{}).CheckAddr(netip.AddrPort{}); err == nil {
		t.Error("CheckAddr accepted no address at all")
	}
}

func TestCheckAddrInDevelopment(t *testing.T) {
	t.Parallel()
	checkAddrs(t, Config{Dev: true}, []addrCase{
		{"dev opens IPv4 loopback", "127.0.0.1:443", true},
		{"dev opens all IPv4 loopback", "127.9.9.9:8080", true},
		{"dev opens IPv6 loopback", "[::1]:8080", true},
		{"dev opens mapped loopback", "[::ffff:127.0.0.1]:8080", true},
		{"dev does not open private", "10.0.0.1:443", false},
		{"dev does not open unspecified", "0.0.0.0:443", false},
		{"dev does not open the unspecified IPv6 address", "[::]:443", false},
		{"dev does not open a zone", "[::1%lo]:443", false},
		{"dev does not open bad ports", "127.0.0.1:25", false},
	})
}

func TestCheckAddrWithNAT64(t *testing.T) {
	t.Parallel()
	checkAddrs(t, Config{NAT64Decode: true}, []addrCase{
		{"NAT64 of a public address decoded", "[64:ff9b::808:808]:443", true},
		{"NAT64 of a private address decoded", "[64:ff9b::a00:1]:443", false},
		{"NAT64 of loopback decoded", "[64:ff9b::7f00:1]:443", false},
		{"NAT64 beside its prefix", "[64:ff9b:0:1::808:808]:443", false},
	})
}

func TestCheckAddrWithAllowList(t *testing.T) {
	t.Parallel()
	checkAddrs(t, Config{Allow: allow(t, "10.1.2.0/24:443", "127.0.0.1/32:9000-9002", "fd00:1::/64")}, []addrCase{
		{"listed range and port", "10.1.2.200:443", true},
		{"listed range as mapped address", "[::ffff:10.1.2.200]:443", true},
		{"listed range, other port", "10.1.2.200:444", false},
		{"next to the listed range", "10.1.3.0:443", false},
		{"listed loopback, first port", "127.0.0.1:9000", true},
		{"listed loopback, last port", "127.0.0.1:9002", true},
		{"listed loopback, port before", "127.0.0.1:8999", false},
		{"listed loopback, port after", "127.0.0.1:9003", false},
		{"neighbour of listed loopback", "127.0.0.2:9000", false},
		{"listed IPv6 range", "[fd00:1::7]:12345", true},
		{"next to the listed IPv6 range", "[fd00:1:0:1::7]:443", false},
		{"listed range but a bad port", "[fd00:1::7]:25", false},
	})
}

// TestHardDenials opens all that settings can open.
func TestHardDenials(t *testing.T) {
	t.Parallel()
	everything := Config{Dev: true, NAT64Decode: true, Allow: allow(t, "0.0.0.0/0", "::/0")}
	checkAddrs(t, everything, []addrCase{
		{"everything opens private", "192.168.1.1:443", true},
		{"everything opens unallocated IPv6", "[4000::1]:443", true},
		{"everything keeps metadata", "169.254.169.254:443", false},
		{"everything keeps ECS metadata", "169.254.170.2:443", false},
		{"everything keeps EKS metadata", "169.254.170.23:443", false},
		{"everything keeps Tencent metadata", "169.254.0.23:443", false},
		{"everything keeps Alibaba metadata", "100.100.100.200:443", false},
		{"everything keeps Oracle metadata", "192.0.0.192:443", false},
		{"everything keeps WireServer", "168.63.129.16:443", false},
		{"everything keeps mapped metadata", "[::ffff:169.254.169.254]:443", false},
		{"everything keeps NAT64 metadata", "[64:ff9b::a9fe:a9fe]:443", false},
		{"everything keeps 6to4 metadata", "[2002:a9fe:a9fe::1]:443", false},
		{"everything keeps Teredo", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]:443", false},
		{"everything keeps translated metadata", "[::ffff:0:a9fe:a9fe]:443", false},
		{"everything keeps compatible metadata", "[::a9fe:a9fe]:443", false},
		{"everything keeps local NAT64", "[64:ff9b:1:a9fe:a9:fe00::]:443", false},
		{"everything keeps AWS IPv6 metadata", "[fd00:ec2::254]:443", false},
		{"everything keeps EKS IPv6 metadata", "[fd00:ec2::23]:443", false},
		{"everything keeps GCP IPv6 metadata", "[fd20:ce::254]:443", false},
		{"everything keeps unspecified", "0.0.0.0:443", false},
		{"everything keeps unspecified IPv6", "[::]:443", false},
		{"everything keeps multicast", "224.0.0.1:443", false},
		{"everything keeps IPv6 multicast", "[ff02::1]:443", false},
		{"everything keeps broadcast", "255.255.255.255:443", false},
		{"everything keeps class E", "240.0.0.1:443", false},
		{"everything keeps zones", "[2606:4700:4700::1111%eth0]:443", false},
	})
	if err := newPolicy(t, everything).CheckAddr(netip.AddrPort{}); err == nil {
		t.Error("CheckAddr accepted no address at all")
	}
}

func TestOwnListeners(t *testing.T) {
	t.Parallel()
	own := []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:8080"),
		netip.MustParseAddrPort("[::ffff:10.1.2.3]:8081"),
		netip.MustParseAddrPort("0.0.0.0:9090"),
		netip.AddrPortFrom(netip.Addr{}, 9091),
	}
	config := Config{Dev: true, Allow: allow(t, "10.1.2.0/24"), OwnListeners: func() []netip.AddrPort { return own }}
	checkAddrs(t, config, []addrCase{
		{"own listener in dev", "127.0.0.1:8080", false},
		{"own listener as mapped address", "[::ffff:127.0.0.1]:8080", false},
		{"own listener through an allow rule", "10.1.2.3:8081", false},
		{"other port of an own address", "127.0.0.1:8082", true},
		{"other address with an own port", "127.0.0.2:8080", true},
		{"own wildcard on loopback", "127.0.0.1:9090", false},
		{"own wildcard elsewhere on loopback", "127.0.0.2:9090", false},
		{"own IPv4 wildcard on IPv6 loopback", "[::1]:9090", false},
		{"own listener without address", "127.0.0.1:9091", false},
		{"own wildcard elsewhere", "8.8.8.8:9090", true},
	})
}

func TestWildcardListenerCountsEveryInterface(t *testing.T) {
	t.Parallel()
	p := newPolicy(t, Config{Dev: true, Allow: allow(t, "0.0.0.0/0", "::/0"), OwnListeners: func() []netip.AddrPort {
		return []netip.AddrPort{netip.MustParseAddrPort("[::]:8443")}
	}})
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range addrs {
		a, ok := netip.AddrFromSlice(i.(*net.IPNet).IP)
		if !ok {
			t.Fatalf("interface address %v", i)
		}
		a = a.Unmap()
		if err := p.CheckAddr(netip.AddrPortFrom(a, 8443)); err == nil {
			t.Errorf("%v with the port of the own listener is allowed", a)
		}
		if err := p.CheckAddr(netip.AddrPortFrom(a, 8444)); err != nil {
			t.Errorf("%v with another port: %v", a, err)
		}
	}
}

func TestDevelopmentTargets(t *testing.T) {
	t.Parallel()
	dev := newPolicy(t, Config{Dev: true, Allow: allow(t, "10.1.2.0/24:8080")})
	listed := newPolicy(t, Config{Allow: allow(t, "10.1.2.0/24:8080")})
	tests := []struct {
		name   string
		policy *Policy
		url    string
		allow  bool
	}{
		{"http localhost", dev, "http://localhost:3000/hook", true},
		{"http LOCALHOST", dev, "http://LOCALHOST.:3000/hook", true},
		{"http mapped 127.0.0.1", dev, "http://[::ffff:127.0.0.1]:3000/", true},
		{"https localhost", dev, "https://localhost:3000/hook", true},
		{"http 127.0.0.1", dev, "http://127.0.0.1:3000/", true},
		{"http ::1", dev, "http://[::1]:3000/", true},
		{"https elsewhere on loopback", dev, "https://127.0.0.2/", true},
		{"http elsewhere on loopback", dev, "http://127.0.0.2/", false},
		{"http below localhost", dev, "http://foo.localhost/", false},
		{"http unspecified", dev, "http://0.0.0.0:3000/", false},
		{"http public name", dev, "http://example.com/", false},
		{"http public address", dev, "http://8.8.8.8/", false},
		{"http listed address", dev, "http://10.1.2.3:8080/", true},
		{"http listed address, other port", dev, "http://10.1.2.3:8081/", false},
		{"http private address", dev, "http://10.0.0.1/", false},
		{"https private address", dev, "https://10.0.0.1/", false},
		{"https single label", dev, "https://intranet/", false},
		{"other scheme", dev, "ftp://localhost/", false},
		{"https listed address without dev", listed, "https://10.1.2.3:8080/", true},
		{"http listed address without dev", listed, "http://10.1.2.3:8080/", false},
		{"https not listed without dev", listed, "https://10.1.2.3/", false},
		{"localhost without dev", listed, "https://localhost/", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := tt.policy.ParseTarget(tt.url); (err == nil) != tt.allow {
				t.Errorf("ParseTarget(%q): %v, want allowed = %v", tt.url, err, tt.allow)
			}
		})
	}
}
