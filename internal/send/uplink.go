package send

import (
	"fmt"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

const (
	// silentHosts is how many different hosts must be out of reach, with none
	// reached in between, before this node's own network is suspected. One or two
	// receivers that are down at the same time are common.
	silentHosts = 3
	// suspicion is how long the network is suspected without a host being reached:
	// longer than most outages, and an end to it for a node whose receivers really
	// are all gone.
	suspicion = time.Hour
)

// uplink tells from what happens to all hosts whether it is this node's network
// that fails. A dead uplink looks like a dead receiver to each attempt, and would
// disable every endpoint within minutes; but then no host at all can be reached.
// The zero value is ready.
type uplink struct {
	mu     sync.Mutex
	silent map[string]bool // hosts out of reach since one was reached; at most silentHosts
	since  time.Time       // when they became so many that the network is suspected
}

// reached notes that a host answered, if only to refuse the connection.
func (u *uplink) reached() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.silent) > 0 {
		u.silent = nil
	}
}

// missed notes that a host was out of reach and reports whether the network of
// this node is to blame, and since when it is suspected.
func (u *uplink) missed(host string, now time.Time) (since time.Time, ours bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.silent == nil {
		u.silent = map[string]bool{}
	}
	if len(u.silent) < silentHosts {
		u.silent[host] = true
		u.since = now
	}
	return u.since, len(u.silent) == silentHosts && now.Sub(u.since) < suspicion
}

// blame gives the class of a failed attempt after what is known of the network.
// info is for operators, when the network is to blame.
func (u *uplink) blame(class delivery.Class, err error, x *exchange, host string, now time.Time) (_ delivery.Class, info string) {
	switch {
	case x.connected(), class == delivery.ConnectRefused:
		u.reached()
	case outOfReach(class) && !noIPv6(err):
		if since, ours := u.missed(host, now); ours {
			return delivery.LocalNetwork, fmt.Sprintf("no host was reached since %s, so this node's network is taken to be down: ", since.UTC().Format(time.RFC3339))
		}
	}
	return class, ""
}

// outOfReach reports whether a dead uplink can look like this.
func outOfReach(class delivery.Class) bool {
	return class == delivery.ConnectTimeout || class == delivery.Unreachable || class == delivery.DNSFailure
}
