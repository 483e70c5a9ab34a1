// Package webhooktest sends webhooks the way ComplianceLayer does, for the tests of
// programs that receive them. [NewRequest] makes a signed request to hand to a
// handler; [Sender] posts events to a test server, with the delivery and attempt
// numbers of the real thing, and sends duplicates.
//
// It is for tests alone: it keeps nothing, waits for nothing and retries nothing by
// itself. It makes connections only through the client it is given.
package webhooktest
