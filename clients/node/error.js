'use strict';

/** What each code says when nothing more can be said. */
const MESSAGES = {
  bad_argument: 'the library was called wrongly',
  bad_secret: 'a secret must be whsec_ followed by the padded base64 of 24 to 64 bytes',
  no_secret: 'there is no secret to verify with',
  no_signature: 'the request is not signed',
  bad_header: 'a signature header is missing, repeated or malformed',
  mismatch: 'the signature does not match: the secret is another one or the body was changed',
  too_old: 'the request was signed too long ago: it was held up or sent again, or this clock is fast',
  too_new: 'the request was signed in the future: one of the clocks is wrong',
  bad_event: 'the body is not an event',
};

/** The codes that are the receiver's own mistake; the sender can only come again. */
const OURS = ['bad_argument', 'bad_secret', 'no_secret'];

/**
 * Why a request is refused. The message says it in words and never quotes a secret, a
 * signature or the body.
 */
class WebhookError extends Error {
  constructor(code, message = MESSAGES[code]) {
    super(message);
    this.name = 'WebhookError';
    this.code = code;
    // Express and Fastify answer an error that nobody caught with this.
    this.statusCode = OURS.includes(code) ? 500 : code === 'bad_event' ? 400 : 401;
  }
}

module.exports = { WebhookError };
