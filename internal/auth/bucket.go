package auth

import (
	"net/netip"
	"sync"
	"time"
)

// maxBuckets bounds the memory of Buckets: far more names than come within the second in
// which a bucket fills up.
const maxBuckets = 10_000

// Buckets are token buckets by name: a second's worth of tokens at once, then as many as
// come back. They live in memory and on one node; to lose them is to be a second's worth too
// kind. They may be used by many goroutines.
type Buckets struct {
	perSecond float64

	mu     sync.Mutex
	byName map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time // when tokens was right
}

// NewBuckets makes buckets of one size.
func NewBuckets(perSecond int) *Buckets {
	return &Buckets{perSecond: float64(perSecond), byName: make(map[string]bucket)}
}

// Take fills a bucket up to now and takes a token when there is one. It answers how
// many are left.
func (bs *Buckets) Take(name string, now time.Time) (left float64, ok bool) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	b, known := bs.byName[name]
	if !known {
		bs.makeRoom(now)
		b = bucket{tokens: bs.perSecond, at: now}
	}
	b.tokens = min(bs.perSecond, b.tokens+max(0, now.Sub(b.at).Seconds())*bs.perSecond)
	b.at = now
	if ok = b.tokens >= 1; ok {
		b.tokens--
	}
	bs.byName[name] = b
	return b.tokens, ok
}

// makeRoom forgets buckets that are full again, which changes nothing, and when that
// does not help all of them.
func (bs *Buckets) makeRoom(now time.Time) {
	if len(bs.byName) < maxBuckets {
		return
	}
	for name, b := range bs.byName {
		if now.Sub(b.at) >= time.Second {
			delete(bs.byName, name)
		}
	}
	if len(bs.byName) >= maxBuckets {
		clear(bs.byName)
	}
}

// guessesPerSecond is how many keys that were not seen before an address may come with:
// more than the programs behind one address start at once, and no load for a database.
const guessesPerSecond = 50

// network names what one client can be taken to have of addresses: an IPv4 address, or
// the 64 bits of an IPv6 address that a provider gives to one customer.
func network(from string) string {
	addr, err := netip.ParseAddrPort(from)
	if err != nil {
		return from
	}
	ip := addr.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return from
	}
	return prefix.String()
}
