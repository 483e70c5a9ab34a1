import { Unavailable } from './inbox.js';

const { SLACK_TOKEN, SLACK_CHANNEL, SLACK_API = 'https://slack.com/api' } = process.env;
// fetch quotes a header that it cannot send.
if (SLACK_TOKEN && !/^[\x21-\x7e]+$/.test(SLACK_TOKEN)) throw new Error('SLACK_TOKEN is not a token');
if (SLACK_TOKEN && !SLACK_CHANNEL) throw new Error('SLACK_TOKEN is set and SLACK_CHANNEL is not: set it to the ID of a channel');

/** Slack's own words for trouble that passes. */
const AWAY = ['ratelimited', 'service_unavailable', 'fatal_error', 'internal_error'];

/**
 * What is done with an event: it is printed, and posted to Slack if there is a token. It
 * may run twice for one event, after a crash. An error has it tried again, three times in
 * all; while Slack is away it waits.
 */
export async function handle(event) {
  const text = describe(event);
  console.log(text);
  if (SLACK_TOKEN) await post(text);
}

function describe({ test, type, data }) {
  if (test) return `It works: ${data.message ?? 'a test event'}`;
  switch (type) {
    case 'scan.completed':
      return `${data.domain}: ${data.score} (${data.grade}), ${data.critical_issues ?? '?'} critical`;
    case 'alert.triggered':
      return `${data.severity}: ${data.title}, ${data.domain}`;
    default: // new types may be added
      return `${type}: ${JSON.stringify(data)}`;
  }
}

async function post(text) {
  const response = await fetch(`${SLACK_API}/chat.postMessage`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SLACK_TOKEN}`, 'content-type': 'application/json; charset=utf-8' },
    // Else <!channel> in a title would call everybody.
    body: JSON.stringify({ channel: SLACK_CHANNEL, text: text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') }),
    redirect: 'manual', // what it leads to is not Slack
    signal: AbortSignal.timeout(10_000),
  }).catch(unreachable);
  const seconds = Number(response.headers.get('retry-after'));
  const { status } = response;
  if (status === 429 || status >= 500 || (status >= 300 && status < 400)) throw new Unavailable(`Slack answered ${status}`, seconds);
  if (!response.ok) throw new Error(`Slack answered ${status}`);
  const answer = await response.json().catch(unreachable);
  if (AWAY.includes(answer.error)) throw new Unavailable(`Slack: ${answer.error}`, seconds);
  if (!answer.ok) throw new Error(`Slack: ${answer.error}`); // it says no with 200, too
}

function unreachable(error) {
  throw new Unavailable(`Slack cannot be reached: ${error.cause?.code ?? error.message}`);
}
