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
package web
