'use strict';

// Thousands of changed requests, the same ones every time: none is accepted, and nothing
// but a WebhookError is thrown.
const assert = require('node:assert/strict');
const { createHmac } = require('node:crypto');
const { test } = require('node:test');
const { WebhookError, parse, unwrap, verify } = require('@compliancelayer/webhooks');

/** Mulberry32: small, seeded, good enough to choose places with. */
function random(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Changes, removes, adds or cuts off bytes. */
function mutate(bytes, pick) {
  const at = pick(bytes.length);
  switch (pick(4)) {
    case 0: {
      const changed = Buffer.from(bytes);
      changed[at] ^= 1 + pick(255);
      return changed;
    }
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([pick(256)]), bytes.subarray(at)]);
    default:
      return bytes.subarray(0, at);
  }
}

const secret = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
const at = 1772973296;

function genuine(n) {
  const id = `0195-${n}`;
  const body = Buffer.from(`{"id":"${id}","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{"n":${n},"a":["é",{"b":null}]}}`);
  if (n % 2 === 0) {
    return { headers: { 'x-compliancelayer-signature': createHmac('sha256', secret).update(body).digest('hex') }, body };
  }
  const signature = createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(`${id}.${at}.`).update(body).digest('base64');
  return { headers: { 'webhook-id': id, 'webhook-timestamp': String(at), 'webhook-signature': 'v1,' + signature }, body };
}

test('ten thousand changed requests', () => {
  const pick = random(20260308);
  for (let n = 0; n < 10_000; n++) {
    const { headers, body } = genuine(n);
    const request = { headers, body, secrets: [secret], now: at * 1000 };
    assert.equal(unwrap(request).data.n, n);
    const names = ['body', ...Object.keys(headers)];
    const what = names[pick(names.length)];
    if (what === 'body') {
      request.body = mutate(body, pick);
      if (request.body.equals(body)) continue; // a byte that was there twice
    } else {
      const was = Buffer.from(headers[what], 'latin1');
      request.headers[what] = mutate(was, pick).toString('latin1');
      // White space around an entry is no part of it.
      if (request.headers[what].trim() === was.toString('latin1')) continue;
    }
    assert.throws(() => unwrap(request), WebhookError, `${n}: the ${what} was changed: ${JSON.stringify(request)}`);
  }
});

test('thousands of broken bodies under a right signature', () => {
  const pick = random(123456);
  let events = 0;
  for (let n = 0; n < 6_000; n++) {
    let { body } = genuine(n);
    for (let times = pick(4); times >= 0 && body.length > 0; times--) body = mutate(body, pick);
    const headers = { 'x-compliancelayer-signature': createHmac('sha256', secret).update(body).digest('hex') };
    assert.equal(verify({ headers, body, secrets: [secret] }).scheme, 'simple');
    try {
      const event = parse(body);
      assert.deepEqual(event.data, JSON.parse(event.dataText));
      assert.deepEqual(event.data, JSON.parse(body.toString()).data);
      events++;
    } catch (error) {
      assert.ok(error instanceof WebhookError, error.stack);
      assert.equal(error.code, 'bad_event');
    }
  }
  assert.ok(events > 100 && events < 5_900, `${events} were events`);
});
