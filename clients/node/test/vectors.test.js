'use strict';

// Every case of testdata/signatures.json, which Go and Python are held to as well.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { WebhookError, parse, unwrap, verify } = require('@compliancelayer/webhooks');

const file = process.env.SIGNATURES ?? path.join(__dirname, '../../../testdata/signatures.json');
const cases = JSON.parse(fs.readFileSync(file, 'utf8'));

/** What verify and parse say to a case, written as the file writes it. */
function verdict(request) {
  const got = { ok: false, secret_index: 0 };
  try {
    const { scheme, secretIndex } = verify(request);
    Object.assign(got, { ok: true, scheme, secret_index: secretIndex });
  } catch (error) {
    assert.ok(error instanceof WebhookError, error);
    assert.throws(() => unwrap(request), { code: error.code });
    return { ...got, error: error.code };
  }
  try {
    const event = parse(request.body);
    assert.deepEqual(unwrap(request), event);
    assert.deepEqual(event.data, JSON.parse(event.dataText));
    got.event = { id: event.id, type: event.type, created_at: event.createdAt.toISOString(), data: event.dataText };
  } catch (error) {
    assert.ok(error instanceof WebhookError, error);
    assert.throws(() => unwrap(request), { code: error.code });
    got.event_error = error.code;
  }
  return got;
}

function request(c, headers = c.headers) {
  return { headers, body: Buffer.from(c.body, 'base64'), secrets: c.secrets, now: c.now * 1000, toleranceSeconds: c.tolerance };
}

/** The headers as an object: a name that is there in one spelling has a list when repeated. */
function asObject(pairs) {
  const object = Object.create(null);
  for (const [name, value] of pairs) {
    if (name in object) object[name] = [object[name], value].flat();
    else object[name] = value;
  }
  return object;
}

/** A Headers, or null when it could not have these: it joins, trims and refuses. */
function asHeaders(pairs) {
  const headers = new Headers();
  for (const [name, value] of pairs) {
    try {
      if (headers.has(name) || value !== value.trim()) return null;
      headers.append(name, value);
    } catch {
      return null;
    }
  }
  return headers;
}

test('the file is whole', () => assert.ok(cases.length >= 400, `${cases.length} cases`));

test('every case, with its headers as pairs', () => {
  for (const c of cases) assert.deepEqual(verdict(request(c)), c.want, c.name);
});

test('every case, with its headers as an object', () => {
  for (const c of cases) assert.deepEqual(verdict(request(c, asObject(c.headers))), c.want, c.name);
});

test('every case, with its headers as the flat list of node:http', () => {
  for (const c of cases) assert.deepEqual(verdict(request(c, c.headers.flat())), c.want, c.name);
});

test('every case that it can hold, with its headers as a Headers', () => {
  let held = 0;
  for (const c of cases) {
    const headers = asHeaders(c.headers);
    if (headers === null) continue;
    assert.deepEqual(verdict(request(c, headers)), c.want, c.name);
    held++;
  }
  assert.ok(held > cases.length / 2, `${held} cases`);
});

test('every case whose body is a text, with its body as a string', () => {
  let texts = 0;
  for (const c of cases) {
    const bytes = Buffer.from(c.body, 'base64');
    if (!Buffer.from(bytes.toString()).equals(bytes)) continue;
    assert.deepEqual(verdict({ ...request(c), body: bytes.toString() }), c.want, c.name);
    texts++;
  }
  assert.ok(texts > cases.length / 2, `${texts} cases`);
});
