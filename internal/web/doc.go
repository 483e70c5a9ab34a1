// Package web is the dashboard: pages that are made on the server, sent whole, and work
// as plain forms and links; script only makes them livelier. Everything that it does goes
// through the operations that the API calls (manage, publish); it has no rules of its own.
//
// One file holds the handlers of a page, templates/ its text, static/ what browsers fetch. Each route is one
// line of the table in routes.go, which says what a visitor needs to get there; gate.go holds
// them to it and is the only place that does.
//
// Nothing is fetched from elsewhere. What comes from outside (payloads, answers of receivers, names) is shown
// as text. A secret is on no page but the one that its making leads to, once.
//
// # Words
//
// Pages have one word for an idea, the one of the API where it has one:
//
//   - delivery: one event for one endpoint, in one of the statuses of docs/states.md. Failed: its last attempt failed, and it
//     is a dead letter. Held: its endpoint receives nothing. Discarded: a person ended it, with a reason.
//   - retry: a person has a delivery sent again, in a new round of attempts.
//   - send: the same of what is held.
//   - discard: a person ends deliveries for good, with a reason.
//   - paused: a person stopped an endpoint. Disabled: the server did, by failures or 410 Gone. To the API both are disabled.
//   - enable: an endpoint that was paused or disabled receives again.
//   - test: one real, signed request with a sample, sent once. It is no event of anybody's, and counts for nothing.
package web
