// Package auth says who is calling and what they may do: callers and scopes, API
// keys and one-time links; and it lets people in, by password, link or single sign-on, and
// writes down in the audit who came and went.
//
// It never decides what an operation needs: manage and publish ask Caller.Can. It
// never keeps the text of a key or a link, only its SHA-256, and it never
// writes one to a log or an error. In the flow it stands between the
// outside (api, web, the command line) and the operations: an Authorization header comes in,
// a Caller goes on.
package auth
