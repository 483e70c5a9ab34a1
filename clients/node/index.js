'use strict';

const { createHmac, timingSafeEqual } = require('node:crypto');
const { WebhookError } = require('./error.js');
const { bodyId, parseBytes } = require('./event.js');
const { pick, single } = require('./headers.js');

const DEFAULT_TOLERANCE_SECONDS = 300;

/** Checks that a request was signed with one of the secrets; see index.d.ts. */
function verify(request) {
  return guarded(() => verifyRequest(request));
}

/** Checks secrets at the start of a program; see index.d.ts. */
function checkSecrets(secrets) {
  guarded(() => {
    if (keysOf(secrets).length === 0) throw new WebhookError('no_secret');
  });
}

/** Reads a body that was verified; see index.d.ts. */
function parse(body) {
  return guarded(() => parseBytes(bytesOf(body)));
}

/** Verifies, then parses; see index.d.ts. */
function unwrap(request) {
  return guarded(() => {
    verifyRequest(request);
    return parseBytes(bytesOf(request.body));
  });
}

/** Keeps the promise that nothing but a WebhookError is thrown, whatever is passed. */
function guarded(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof WebhookError) throw error;
    throw new WebhookError('bad_argument', 'what was passed could not be read');
  }
}

function verifyRequest(request) {
  if (request === null || typeof request !== 'object') {
    throw new WebhookError('bad_argument', 'pass an object with headers, body and secrets');
  }
  const body = bytesOf(request.body);
  const keys = keysOf(request.secrets);
  const headers = pick(request.headers);
  if (headers.standard.length > 0) return verifyStandard(headers, body, keys, request);
  if (headers.simple.length === 0) throw new WebhookError('no_signature');

  const signature = single(headers.simple, 'X-ComplianceLayer-Signature');
  if (!/^[0-9a-f]{64}$/.test(signature)) {
    throw new WebhookError('bad_header', 'X-ComplianceLayer-Signature is not 64 lower-case hexadecimal characters');
  }
  const secretIndex = match([signature], keys, ({ whole }) => createHmac('sha256', whole).update(body).digest('hex'));
  return { scheme: 'simple', secretIndex };
}

function verifyStandard(headers, body, keys, { now, toleranceSeconds }) {
  const id = single(headers.id, 'webhook-id');
  // A full stop would let the border between id and timestamp be moved.
  if (id.includes('.')) throw new WebhookError('bad_header', 'webhook-id contains a full stop');
  const timestamp = single(headers.timestamp, 'webhook-timestamp');
  if (!/^(0|[1-9][0-9]{0,10})$/.test(timestamp)) {
    throw new WebhookError('bad_header', 'webhook-timestamp is not whole unix seconds');
  }
  const entries = headers.standard.flatMap((list) => list.split(/[\t\n\v\f\r ]+/)).filter((entry) => entry.startsWith('v1,'));
  if (entries.length === 0) throw new WebhookError('no_signature', 'webhook-signature lists no v1 signature');
  const secretIndex = match(entries, keys, ({ decoded }) => 'v1,' + createHmac('sha256', decoded).update(`${id}.${timestamp}.`).update(body).digest('base64'));

  // From here on the request is known to be genuine, so that the errors below tell the
  // truth about its time and its id.
  checkAge(seconds(now) - Number(timestamp), toleranceSeconds);
  const inBody = bodyId(body);
  if (inBody !== '' && inBody !== id) throw new WebhookError('bad_header', 'webhook-id is not the id in the body');
  return { scheme: 'standard', secretIndex };
}

/** Gives the place of the secret whose signature is among the candidates. */
function match(candidates, keys, sign) {
  if (keys.length === 0) throw new WebhookError('no_secret');
  for (const key of keys) {
    const want = Buffer.from(sign(key));
    for (const candidate of candidates) {
      const got = Buffer.from(candidate);
      // timingSafeEqual throws on other lengths. The length is no secret.
      if (got.length === want.length && timingSafeEqual(got, want)) return key.index;
    }
  }
  throw new WebhookError('mismatch');
}

/**
 * Reads the secrets. An empty one is passed over, so that the variable of an old secret
 * may be left empty.
 */
function keysOf(secrets) {
  if (secrets === undefined || secrets === null) return [];
  // A text may hold several, as an environment variable does during a rotation.
  const list = typeof secrets === 'string' ? secrets.split(/[\s,]+/) : secrets;
  if (!Array.isArray(list)) throw new WebhookError('bad_argument', 'secrets must be a list of texts');
  const keys = [];
  for (const [index, text] of list.entries()) {
    if (text === undefined || text === null || text === '') continue;
    const encoded = typeof text === 'string' && text.startsWith('whsec_') ? text.slice('whsec_'.length) : '';
    const decoded = Buffer.from(encoded, 'base64');
    // Buffer passes over what is not base64, and a second spelling of the same bytes;
    // written again it must be the same text.
    if (decoded.length < 24 || decoded.length > 64 || decoded.toString('base64') !== encoded) {
      throw new WebhookError('bad_secret');
    }
    keys.push({ index, whole: Buffer.from(text), decoded });
  }
  return keys;
}

function seconds(now) {
  if (now === undefined) return Date.now() / 1000;
  const millis = now instanceof Date ? now.getTime() : now;
  if (typeof millis !== 'number' || !Number.isFinite(millis)) {
    throw new WebhookError('bad_argument', 'now must be a Date or milliseconds, as Date.now() gives');
  }
  return millis / 1000;
}

function checkAge(age, toleranceSeconds) {
  const tolerance = typeof toleranceSeconds === 'number' && toleranceSeconds > 0 ? toleranceSeconds : DEFAULT_TOLERANCE_SECONDS;
  if (age > tolerance) throw new WebhookError('too_old');
  if (age < -tolerance) throw new WebhookError('too_new');
}

/** Gives the bytes of a body, and says what to do when it was parsed already. */
function bytesOf(body) {
  if (typeof body === 'string') return Buffer.from(body);
  if (ArrayBuffer.isView(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (body instanceof ArrayBuffer) return Buffer.from(body);
  throw new WebhookError(
    'bad_argument',
    'body must be the raw body, a Buffer or a text: JSON that was parsed and is written again is other bytes, which nobody signed. ' +
      "Express: express.raw({ type: '*/*' }) on this route, before any express.json(). " +
      "Fastify: addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => done(null, body)). " +
      'Fetch: await request.arrayBuffer()',
  );
}

module.exports = { DEFAULT_TOLERANCE_SECONDS, WebhookError, checkSecrets, parse, unwrap, verify };
