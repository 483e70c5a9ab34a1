'use strict';

const { WebhookError } = require('./error.js');

/** The headers that are looked at. The regular expressions match ASCII alone. */
const KNOWN = {
  id: /^webhook-id$/i,
  timestamp: /^webhook-timestamp$/i,
  standard: /^webhook-signature$/i,
  simple: /^x-compliancelayer-signature$/i,
};

/**
 * Picks the known headers out of a plain object, a Headers, pairs, or the flat list
 * that node:http calls rawHeaders. Each gives the list of its values.
 */
function pick(headers) {
  const picked = { id: [], timestamp: [], standard: [], simple: [] };
  for (const [name, value] of pairs(headers)) {
    if (typeof name !== 'string') continue;
    const known = Object.keys(KNOWN).find((key) => KNOWN[key].test(name));
    if (known === undefined || value === undefined || value === null) continue;
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one !== 'string' && typeof one !== 'number') {
        throw new WebhookError('bad_argument', `the value of the header ${name.toLowerCase()} is not a text`);
      }
      picked[known].push(String(one));
    }
  }
  return picked;
}

function* pairs(headers) {
  if (headers === null || typeof headers !== 'object') {
    throw new WebhookError('bad_argument', 'headers must be the headers of the request: an object, a Headers or a list of pairs');
  }
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    for (let i = 0; i + 1 < headers.length; i += 2) yield [headers[i], headers[i + 1]];
    return;
  }
  yield* typeof headers[Symbol.iterator] === 'function' ? headers : Object.entries(headers);
}

/**
 * The value of a header that must be there exactly once: of a repeated one nobody
 * knows which value the next reader takes.
 */
function single(values, name) {
  if (values.length === 0 || values[0] === '') throw new WebhookError('bad_header', `${name} is missing`);
  if (values.length > 1) throw new WebhookError('bad_header', `${name} is there ${values.length} times`);
  return values[0];
}

module.exports = { pick, single };
