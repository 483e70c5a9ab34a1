// Package egress is the only way out of the program: every outgoing HTTP
// connection is dialed here, under one policy that keeps tenants from reaching
// the operator's own network (server-side request forgery).
//
// A target is judged twice. [Policy.ParseTarget] judges its text when an
// endpoint is saved and again before every send: scheme, shape, port, name and
// literal addresses. [Client] judges the concrete address of every connection
// after DNS and before connect(2); that is the boundary, because only there can
// a name no longer change its meaning.
//
// The package never follows a redirect, never reads a proxy from the
// environment, never expands a compressed answer, never writes one delivery
// request twice, and never decides what an answer means: that is the business
// of its callers. It imports nothing of ours.
package egress
