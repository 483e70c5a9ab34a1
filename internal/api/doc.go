// Package api is the HTTP API under /v1: it parses, calls manage or publish, and
// renders.
//
// There is one route table (routes.go). The mux, the OpenAPI document, the
// reference at /docs, the check of scopes and the strict reading of requests all come from it, so that a
// call is described once. There is one map from error to answer (errors.go) and
// one way in (gate.go): request id, panics, header limits, key, scope and rate.
//
// It holds no rule of the domain: what a call means is in manage and publish, which
// check again what the caller may do. It never writes a secret or the inside of an
// error into an answer. It speaks the wire types of package client; api and web never
// import each other, and app wires both to a listener.
package api
