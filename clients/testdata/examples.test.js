// What the example does when something fails. It runs beside inbox.js and handle.js, in a
// folder where the library is installed.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import fs from 'node:fs/promises';
import http from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import timers from 'node:timers/promises';

const token = 'xoxb-1-example';
let answer; // of what stands for Slack
const slack = http.createServer((request, response) => answer(response)).listen(0, '127.0.0.1');
await once(slack, 'listening');
slack.unref(); // what never comes is a failure, and not waited for
Object.assign(process.env, { SLACK_TOKEN: token, SLACK_CHANNEL: '#c', SLACK_API: `http://127.0.0.1:${slack.address().port}` });

const pauses = [];
timers.setTimeout = async (ms) => void pauses.push(ms); // nobody waits here
syncBuiltinESMExports();
const { Inbox, Unavailable } = await import('./inbox.js');
const { handle } = await import('./handle.js');

/** Has a function of node:fs/promises fail the first time that its arguments are these. */
function failOnce(name, are) {
  const real = fs[name];
  fs[name] = async (...given) => {
    if (!are(...given)) return real(...given);
    fs[name] = real;
    syncBuiltinESMExports();
    throw Object.assign(new Error('input/output error'), { code: 'EIO' });
  };
  syncBuiltinESMExports();
}

const hash = (id) => createHash('sha256').update(id).digest('hex');
const keep = (inbox, id) => inbox.keep({ id }, JSON.stringify({ id, type: 'a.b', created_at: '2026-01-02T03:04:05Z', data: {} }));
const folder = () => fs.mkdtemp('inbox-');

/** An inbox whose handler writes down what it is given, and does what is due for the id. */
async function opened(at, due = {}) {
  const emitter = new EventEmitter();
  const ids = [];
  const inbox = await Inbox.open(at, async ({ id }) => {
    ids.push(id);
    await due[id]?.();
    emitter.emit(id);
  });
  return { inbox, ids, handled: (id) => once(emitter, id) };
}

test('an event whose name could not be synced is handled when the sender comes again', async () => {
  const { inbox, ids, handled } = await opened(await folder());
  const done = handled('a');
  failOnce('open', (file, flags) => flags === 'r');
  await assert.rejects(keep(inbox, 'a'), /input\/output error/);
  assert.equal(await keep(inbox, 'a'), false);
  await done;
  assert.deepEqual(ids, ['a']);
  await inbox.close();
});

test('an event is kept though its part cannot be removed', async () => {
  const at = await folder();
  const { inbox, handled } = await opened(at);
  const done = handled('a');
  failOnce('rm', (file) => file.endsWith('.part'));
  assert.equal(await keep(inbox, 'a'), true);
  await done;
  await inbox.close();
  await (await opened(at)).inbox.close();
  assert.deepEqual((await fs.readdir(at)).sort(), [`${hash('a')}.done`, `${hash('a')}.json`]);
});

test('copies of what is in hand or done are not handled', async () => {
  const { inbox, ids, handled } = await opened(await folder());
  const done = handled('b');
  await Promise.all(['a', 'a', 'a'].map((id) => keep(inbox, id)));
  await keep(inbox, 'a');
  await keep(inbox, 'b');
  await done;
  await keep(inbox, 'a');
  const last = handled('c');
  await keep(inbox, 'c');
  await last;
  assert.deepEqual(ids, ['a', 'b', 'c']);
  await inbox.close();
});

test('an event whose mark cannot be written is handled once, and again after the next start', async () => {
  const at = await folder();
  const first = await opened(at);
  failOnce('writeFile', (file) => file.endsWith('.done'));
  const done = first.handled('b');
  await keep(first.inbox, 'a');
  await keep(first.inbox, 'a');
  await keep(first.inbox, 'b');
  await done;
  await first.inbox.close();
  assert.deepEqual(first.ids, ['a', 'b']);
  assert.deepEqual((await fs.readdir(at)).filter((file) => file.endsWith('.failed')), []);

  const second = await opened(at);
  await second.handled('a');
  await second.inbox.close();
  assert.deepEqual(second.ids, ['a']);
});

test('a mark without its event does not hide a later one', async () => {
  const at = await folder();
  for (const end of ['done', 'failed']) await fs.writeFile(path.join(at, `${hash(end)}.${end}`), '');
  const { inbox, ids, handled } = await opened(at);
  assert.deepEqual(await fs.readdir(at), []);
  const done = handled('failed');
  await keep(inbox, 'done');
  await keep(inbox, 'failed');
  await done;
  assert.deepEqual(ids, ['done', 'failed']);
  await inbox.close();
});

test('an event waits while what it needs is away, and those behind it keep their places', async () => {
  const at = await folder();
  const asked = [undefined, NaN, undefined, undefined, undefined, undefined, undefined, 7, 1e12];
  const away = () => {
    if (asked.length > 0) throw new Unavailable('away', asked.shift());
  };
  const { inbox, ids, handled } = await opened(at, { a: away });
  const done = handled('b');
  pauses.length = 0;
  await keep(inbox, 'a');
  await keep(inbox, 'b');
  await done;
  await inbox.close();
  assert.deepEqual(pauses, [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 7000, 3_600_000]);
  assert.deepEqual(ids, [...Array(10).fill('a'), 'b']);
  assert.ok((await fs.readdir(at)).includes(`${hash('a')}.done`));
});

test('any other error is an attempt, and the third is the last', async () => {
  const at = await folder();
  const fail = () => {
    throw new Error('no');
  };
  const { inbox, ids, handled } = await opened(at, { a: fail });
  const done = handled('b');
  pauses.length = 0;
  await keep(inbox, 'a');
  await keep(inbox, 'b');
  await done;
  await inbox.close();
  assert.deepEqual(pauses, [2000, 4000]);
  assert.deepEqual(ids, ['a', 'a', 'a', 'b']);
  assert.equal(await fs.readFile(path.join(at, `${hash('a')}.failed`), 'utf8'), 'Error: no');
});

const said = (body, status = 200, headers = {}) => (response) => response.writeHead(status, headers).end(body);
const no = (error) => JSON.stringify({ ok: false, error });
for (const [name, answers, away, seconds] of [
  ['hangs up', (response) => response.destroy(), true],
  ['breaks off', (response) => response.writeHead(200, { 'content-length': 99 }).write('{', () => response.destroy()), true],
  ['answers with a page', said('<html>'), true],
  // Who follows a redirect is answered as if it were done.
  ['redirects', (response) => (response.req.method === 'POST' ? said('', 302, { location: '/elsewhere' }) : said('{"ok":true}'))(response), true],
  ['answers 429', said('', 429, { 'retry-after': '30' }), true, 30],
  ['answers 500', said('oops', 500), true],
  ['answers 503', said('', 503, { 'retry-after': '5' }), true, 5],
  ['says ratelimited', said(no('ratelimited'), 200, { 'retry-after': '3' }), true, 3],
  ['says service_unavailable', said(no('service_unavailable')), true],
  ['says fatal_error', said(no('fatal_error')), true],
  ['says internal_error', said(no('internal_error')), true],
  ['says channel_not_found', said(no('channel_not_found')), false],
  ['answers 400', said('', 400), false],
]) {
  test(`Slack ${name}`, async () => {
    answer = answers;
    const got = await handle({ test: true, type: 'a.b', data: {} }).catch((error) => error);
    assert.ok(got instanceof Error, `want an error, got ${got}`);
    assert.equal(got instanceof Unavailable, away, got.stack);
    if (seconds !== undefined) assert.equal(got.seconds, seconds);
    else assert.ok(!(got.seconds > 0), `waits ${got.seconds}`);
  });
}
