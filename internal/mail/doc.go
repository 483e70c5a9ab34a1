// Package mail tells people by mail what happened to their endpoints: it puts what the
// outbox has of an account for an address into one letter, and hands that to a mail server.
//
// What is told is written by notify, in the transaction that ends a notice ([Rows]); the
// [Courier] claims what waits for one address of an account at a time, so that five hundred endpoints that
// are disabled at once make two mails and not five hundred. A letter tells how things ended: what it
// gathered and is no longer true it leaves out. It is sent at least
// once; sent again, after a crash, it has the same Message-ID.
//
// The package decides nothing about endpoints, and tells no secret, header or body.
package mail
