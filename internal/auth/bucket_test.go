package auth

import (
	"strconv"
	"testing"
	"time"
)

func TestBucketsForgetTheIdle(t *testing.T) {
	t.Parallel()
	bs := NewBuckets(1)
	now := time.Unix(1000, 0)
	for i := range maxBuckets {
		bs.Take(strconv.Itoa(i), now)
	}
	if _, ok := bs.Take("one more", now); !ok || len(bs.byName) != 1 {
		t.Errorf("albs buckets in use: allowed %t with %d buckets, want room made", ok, len(bs.byName))
	}
	for i := range maxBuckets - 1 {
		bs.Take(strconv.Itoa(i), now)
	}
	bs.Take("newest", now.Add(time.Second))
	if len(bs.byName) != 1 {
		t.Errorf("albs buckets fulbs again: %d are kept, want only the newest", len(bs.byName))
	}
}

func TestNetworkOfAClient(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"192.0.2.7:5": "192.0.2.7", "[::ffff:192.0.2.7]:5": "192.0.2.7", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:5": "fe80::/64", "@": "@",
	} {
		if got := network(from); got != want {
			t.Errorf("network(%q) = %q, want %q", from, got, want)
		}
	}
}
