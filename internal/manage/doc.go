// Package manage holds every operation of an account but publishing: endpoints and
// their secrets, tests, retries and discards, bulk retries and replays, event types,
// keys, accounts and the audit.
//
// Each exported method of Manager takes (ctx, caller, in), checks the caller's
// scope and, when it changed something, writes one audit row; both happen in
// act.go and nowhere else. The API, the command line and the dashboard parse, call these methods
// and render: they hold no rule of their own. Manage never speaks HTTP, never
// opens a connection (a test goes out through Sender) and never puts a secret into an audit row, an
// error or a log.
//
// Errors that callers may tell apart: *Invalid (what was sent cannot be used, with
// every mistake at once), ErrForbidden, and of store ErrNotFound, *Conflict and
// ErrDisabled. Anything else is a fault of ours.
package manage
