// Package webhook is the wire format of ComplianceLayer's webhooks: the body of an
// event, the names of the headers, the secret, the signatures and their check. The
// server signs with it and a receiver verifies with it, so that both sides are the
// same code.
//
// It needs only the standard library and never opens a connection, reads a clock or
// writes a log: the time is always a parameter. In the flow it sits at both ends. A
// body is made once with [EncodeBody] when an event is accepted; every attempt is
// signed with a [Signer]; the receiver calls [Verify] on the raw body, and only
// then [ParseEvent].
//
// # Two signatures, one secret
//
// Every request carries two signatures made with the same secret, `whsec_` followed
// by base64:
//
//   - X-ComplianceLayer-Signature, here the simple scheme: HMAC-SHA256 of the raw
//     body, as 64 lower-case hexadecimal characters. The key is the UTF-8 bytes of
//     the whole secret string, whsec_ included.
//   - webhook-signature, the scheme of Standard Webhooks 1.0.0: HMAC-SHA256 of
//     "id.timestamp.body", as "v1,<base64>". The key is the decoded base64. It covers
//     the time of the attempt, which stops an old request from being sent again.
//
// A receiver needs only one of them. [Verify] takes the second when it is there.
package webhook
