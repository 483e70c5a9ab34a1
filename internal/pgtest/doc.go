// Package pgtest gives tests and the benchmark a real PostgreSQL: a private
// server, started from the binaries installed on the machine, in a temporary
// folder, on a free loopback port.
//
// A test asks [URL] for a fresh, empty database; all tests of one binary share
// one server, which starts with the first call. A test that needs to hurt the
// server takes its own with [New]. The benchmark uses [Start].
//
// The server is as durable as a production one (fsync and synchronous_commit
// are on), because the tests are there to prove promises about durability; the one
// that is shared is in memory if there is room ([Memory]), because no test can cut its power. It
// is gone when the process that started it is gone, however that one ended: a
// guard process waits for the end and cleans up (see guard.go).
//
// It never skips: without PostgreSQL a test fails and says what to install. It
// never touches a server that it did not start, unless [EnvURL] names one. It
// needs a Unix, and imports nothing of this project.
package pgtest
