// Package client speaks the HTTP API of a ComplianceLayer server: the types of
// its requests and answers, and a [Client] with one method for each call.
//
// The types are the wire. The server writes and reads these very structs, so
// that a field is described once, in its doc tag, from which the server also makes its
// OpenAPI document. A time is RFC 3339 in UTC with milliseconds; a field that
// has no value is null, empty or 0 unless it is marked omitempty, and then it is
// left out; ids are texts.
//
// The package never retries, never follows a redirect (the key would go with it)
// and keeps no state beside its connections: what a failed call means is for the
// caller to say. Publishing is safe to repeat when the event has an id or an
// idempotency key. It sits outside the server: the command line and the tests
// use it, and so may any Go program.
package client
