// Package storetest is the conformance suite of the storage contract: every
// sentence of package store that promises something is a case here, named in
// words, and an engine is right when all of them pass on it. It knows no
// engine, opens no database and reads no clock but the store's own; times are
// fixed and arrive as parameters.
//
// In the flow it stands beside the store: sqlstore's tests run it once for each
// database, so that both mean the same.
package storetest

import (
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// check is one promise of the contract.
type check struct {
	name string // the promise in words
	run  func(*world)
}

// group holds the checks of one role of the store.
type group struct {
	name   string
	checks []check
}

// Run tests a store. open gives the store to test; it may give the same one to
// every subtest, because each of them works in accounts of its own.
//
// The checks of methods that work across accounts come first, one after the
// other; they use times that no other check uses. All others run in parallel.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, g := range across() {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.checks {
				t.Run(c.name, func(t *testing.T) { c.run(newWorld(t, open(t))) })
			}
		})
	}
	for _, g := range within() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range g.checks {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(newWorld(t, open(t)))
				})
			}
		})
	}
}

// across lists the groups that look at the rows of every account. Depth is
// first because the others leave rows behind that are very late.
func across() []group {
	return []group{
		{"depth", depthChecks()},
		{"retention", retentionChecks()},
		{"notices", noticeChecks()},
		{"watch", watchChecks()},
		{"mails", mailChecks()},
		{"jobs", jobChecks()},
		{"nodes", nodeChecks()},
		{"rewind", rewindChecks()},
		{"isolation", isolationChecks()},
	}
}

// within lists the groups whose checks stay inside their own accounts.
func within() []group {
	return []group{
		{"publish", publishChecks()},
		{"replay", replayChecks()},
		{"due", dueChecks()},
		{"claim", claimChecks()},
		{"lease", leaseChecks()},
		{"record", recordChecks()},
		{"attempt", attemptChecks()},
		{"health", healthChecks()},
		{"settle", settleChecks()},
		{"endpoints", endpointChecks()},
		{"secrets", secretChecks()},
		{"log", logChecks()},
		{"pages", pageChecks()},
		{"retry", retryChecks()},
		{"accounts", accountChecks()},
		{"people", peopleChecks()},
		{"recipients", recipientChecks()},
		{"identities", identityChecks()},
		{"reveals", revealChecks()},
		{"types", typeChecks()},
		{"audit", auditChecks()},
		{"stats", statChecks()},
		{"alerts", alertChecks()},
		{"upkeep", upkeepChecks()},
		{"bus", busChecks()},
	}
}
