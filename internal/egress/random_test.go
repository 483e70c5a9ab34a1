package egress

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"code.dny.dev/ssrf"

	"github.com/compliancelayer/compliancelayer/internal/evidence"
)

var (
	randomTotal = flag.Int("egress.random", 100_000, "how many random addresses to judge")
	randomSeed  = flag.Uint64("egress.seed", 0, "seed of the random addresses; 0 takes one from the clock")
)

// TestAgreesWithIndependentTables compares random addresses, as many of them IPv4 as
// IPv6, with a library that compiles the IANA registries by itself. The only address we
// deny and it does not is Azure's WireServer, which is in no registry.
func TestAgreesWithIndependentTables(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	seed, total := *randomSeed, *randomTotal
	if seed == 0 {
		seed = uint64(begin.UnixNano())
	}
	t.Logf("repeat with -egress.random %d -egress.seed %d", total, seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	p, oracle := newPolicy(t, Config{}), ssrf.New(ssrf.WithAnyPort())
	wireServer := netip.MustParseAddr("168.63.129.16")
	prefixes := interestingPrefixes()
	allowed := 0
	for i := range total {
		a := randomAddr(rng, prefixes[i%2])
		ours, theirs := p.CheckAddr(netip.AddrPortFrom(a, 443)) == nil, oracle.SafeAddr(a.Unmap()) == nil
		if ours {
			allowed++
		}
		if ours != theirs && a.Unmap() != wireServer {
			t.Fatalf("%v: we allow = %v, the library allows = %v", a, ours, theirs)
		}
	}
	if allowed < total/10 || allowed > total*9/10 {
		t.Errorf("%d of %d allowed: the addresses test only one side", allowed, total)
	}
	evidence.Write(t, "ssrf-random", evidence.Row{
		Promise: 10, Fault: "random addresses, half of them at the edges of special ranges", Times: total, Of: total, What: "addresses", Seed: seed,
		Test:    fmt.Sprintf("go test ./internal/egress -run TestAgreesWithIndependentTables -egress.random %d -egress.seed %d", total, seed),
		Seconds: time.Since(begin).Seconds(),
	})
}

// interestingPrefixes are those in which, and at the edges of which, verdicts change: of
// IPv4 and of IPv6.
func interestingPrefixes() (both [2][]netip.Prefix) {
	out := []netip.Prefix{publicV6, nat64, v6Reserve, netip.MustParsePrefix("168.63.129.0/24"), netip.MustParsePrefix("::/96"), netip.MustParsePrefix("::ffff:0:0:0/96")}
	for _, r := range append(append([]rule{}, hardRules...), softRules...) {
		out = append(out, r.prefix)
	}
	out = append(out, ssrf.IPv4DeniedPrefixes...)
	out = append(out, ssrf.IPv6DeniedPrefixes...)
	for _, p := range out {
		version := 0
		if p.Addr().Is6() {
			version = 1
		}
		both[version] = append(both[version], p)
	}
	return both
}

// randomAddr is uniform for a third; else it is inside an interesting prefix or
// a few addresses from its edges, at times in its mapped form. All prefixes are of one
// version.
func randomAddr(rng *rand.Rand, prefixes []netip.Prefix) netip.Addr {
	var b [16]byte
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	p := prefixes[rng.IntN(len(prefixes))]
	switch uniform := rng.IntN(3) == 0; {
	case uniform && p.Addr().Is4():
		return netip.AddrFrom4([4]byte(b[:4]))
	case uniform:
		b[0] = 0x20 | b[0]&0x1f
		return netip.AddrFrom16(b)
	}
	a := fill(p, b[:], rng.IntN(3))
	for range rng.IntN(3) {
		if next := a.Next(); next.IsValid() && b[15]&1 == 0 {
			a = next
		} else if prev := a.Prev(); prev.IsValid() {
			a = prev
		}
	}
	if a.Is4() && rng.IntN(8) == 0 {
		return netip.AddrFrom16(a.As16())
	}
	return a
}

// fill sets the host bits of a prefix: how = 0 to zeros, 1 to ones, 2 to noise.
func fill(p netip.Prefix, noise []byte, how int) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		mask := byte(0x80 >> (bit % 8))
		if how == 1 || how == 2 && noise[bit/8]&mask != 0 {
			b[bit/8] |= mask
		}
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		panic(fmt.Sprint("no address: ", b))
	}
	return a
}
