'use strict';

const assert = require('node:assert/strict');
const { createHmac } = require('node:crypto');
const { test } = require('node:test');
const webhooks = require('@compliancelayer/webhooks');

const { WebhookError, checkSecrets, parse, unwrap, verify } = webhooks;
const secret = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
const other = 'whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7';

function signed(data, { id = '0195', at = Math.floor(Date.now() / 1000), type = 'scan.completed' } = {}) {
  const body = Buffer.from(`{"id":"${id}","type":"${type}","created_at":"2026-03-08T12:34:56.789Z","data":${data}}`);
  const signature = createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(`${id}.${at}.`).update(body).digest('base64');
  return { headers: { 'webhook-id': id, 'webhook-timestamp': String(at), 'webhook-signature': 'v1,' + signature }, body, secrets: [secret] };
}

function refused(work, code, says = /./) {
  assert.throws(work, (error) => {
    assert.ok(error instanceof WebhookError, error);
    assert.equal(error.code, code);
    assert.match(error.message, says);
    return true;
  });
}

test('import and require give the same code', async () => {
  const imported = await import('@compliancelayer/webhooks');
  assert.deepEqual(Object.keys(imported).sort(), Object.keys(webhooks).sort());
  for (const name of Object.keys(webhooks)) assert.equal(imported[name], webhooks[name]);
});

test('the clock is read when now is left out', () => {
  assert.equal(verify(signed('{}')).scheme, 'standard');
  refused(() => verify(signed('{}', { at: Math.floor(Date.now() / 1000) - 400 })), 'too_old');
  refused(() => verify(signed('{}', { at: Math.floor(Date.now() / 1000) + 400 })), 'too_new');
});

test('the event', () => {
  const event = unwrap(signed('{"domain":"example.com","scan_id":9007199254740993}'));
  assert.equal(event.id, '0195');
  assert.equal(event.createdAt.getTime(), Date.UTC(2026, 2, 8, 12, 34, 56, 789));
  assert.equal(event.data.domain, 'example.com');
  assert.equal(event.dataText, '{"domain":"example.com","scan_id":9007199254740993}');
  assert.equal(event.test, false);
  assert.equal(unwrap(signed('{"test":true}')).test, true);
  for (const data of ['{"test":1}', '{"__proto__":{"test":true}}', 'null', '[true]', '"test"']) {
    assert.equal(unwrap(signed(data)).test, false, data);
  }
});

test('several secrets in one text, as in an environment variable', () => {
  assert.equal(verify({ ...signed('{}'), secrets: `${other}, ${secret}` }).secretIndex, 1);
  assert.equal(verify({ ...signed('{}'), secrets: secret }).secretIndex, 0);
  assert.equal(verify({ ...signed('{}'), secrets: [undefined, null, '', secret] }).secretIndex, 3);
  for (const none of [undefined, null, '', ' , ', [], [undefined]]) refused(() => verify({ ...signed('{}'), secrets: none }), 'no_secret');
  for (const bad of [[5], [{}], ['whsec_x'], 'password', [secret, [secret]]]) refused(() => verify({ ...signed('{}'), secrets: bad }), 'bad_secret');
});

test('secrets are checked at the start', () => {
  for (const good of [secret, [secret], [other, secret], `${other},${secret}`, ['', secret]]) checkSecrets(good);
  for (const none of [undefined, null, '', [], ['', undefined]]) refused(() => checkSecrets(none), 'no_secret');
  for (const bad of ['password', [secret + '\n'], [5], [secret, 'whsec_']]) refused(() => checkSecrets(bad), 'bad_secret');
  for (const wrong of [5, {}, true]) refused(() => checkSecrets(wrong), 'bad_argument');
});

test('a parsed body is refused, and the error says what to do', () => {
  const request = signed('{}');
  for (const body of [JSON.parse(request.body), {}, [], undefined, null, 5, true, new Map()]) {
    refused(() => verify({ ...request, body }), 'bad_argument', /raw body.*express\.raw.*addContentTypeParser/);
    refused(() => parse(body), 'bad_argument', /raw body/);
  }
});

test('any view of the bytes is a body', () => {
  const { body, ...rest } = signed('{}');
  const padded = new Uint8Array(body.length + 8);
  padded.set(body, 8);
  for (const view of [new Uint8Array(body), padded.subarray(8), new DataView(padded.buffer, 8), padded.slice(8).buffer]) {
    assert.equal(unwrap({ ...rest, body: view }).id, '0195');
  }
});

test('nothing but a WebhookError is thrown', () => {
  const request = signed('{}');
  const trap = new Proxy({}, { get() { throw new Error('trap'); }, ownKeys() { throw new Error('trap'); } });
  const loop = { [Symbol.iterator]: () => ({ next() { throw new TypeError('broken'); } }) };
  for (const bad of [undefined, null, 5, 'x', trap]) {
    refused(() => verify(bad), 'bad_argument');
    refused(() => unwrap(bad), 'bad_argument');
  }
  for (const headers of [undefined, null, 5, 'webhook-id: a', trap, loop, [[]], [['webhook-id']], [null], { 'webhook-id': {} }, { 'webhook-id': Symbol('x') }, new Map([[{}, 1]])]) {
    assert.throws(() => verify({ ...request, headers }), WebhookError);
  }
  for (const now of [null, 'now', NaN, Infinity, new Date(NaN), {}]) refused(() => verify({ ...request, now }), 'bad_argument');
  for (const toleranceSeconds of [NaN, null, 'x', -1, {}]) {
    assert.equal(verify({ ...request, toleranceSeconds }).scheme, 'standard');
    refused(() => verify({ ...request, toleranceSeconds, now: Date.now() + 400_000 }), 'too_old');
  }
});

test('an error quotes nothing and says how to answer', () => {
  const request = signed('{"private":true}');
  for (const [change, statusCode] of [[{ secrets: [other] }, 401], [{ headers: {} }, 401], [{ body: request.body.toString() + ' ' }, 401], [{ secrets: [secret + '='] }, 500], [{ secrets: [] }, 500], [{ body: {} }, 500]]) {
    assert.throws(
      () => unwrap({ ...request, ...change }),
      (error) => {
        assert.equal(error.statusCode, statusCode, error.code);
        assert.doesNotMatch(`${error.stack}${JSON.stringify(error)}`, /AAECAwQF|ZGVmZ2hp|private|v1,/);
        return true;
      },
    );
  }
  assert.throws(() => parse('{}'), { statusCode: 400, name: 'WebhookError' });
});

test('the headers of node:http as they are', () => {
  const { headers, ...rest } = signed('{}');
  const http = { host: 'x', 'set-cookie': ['a', 'b'], 'content-length': 5, ...headers };
  assert.equal(verify({ ...rest, headers: http }).scheme, 'standard');
  assert.equal(verify({ ...rest, headers: new Headers(headers) }).scheme, 'standard');
  assert.equal(verify({ ...rest, headers: new Map(Object.entries(headers)) }).scheme, 'standard');
  refused(() => verify({ ...rest, headers: { ...headers, 'webhook-id': ['0195', '0195'] } }), 'bad_header');
  refused(() => verify({ ...rest, headers: { ...headers, 'Webhook-Id': '0195' } }), 'bad_header');
});
