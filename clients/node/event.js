'use strict';

const { WebhookError } = require('./error.js');

// More levels than this are refused, as in the other libraries.
const MAX_DEPTH = 10_000;

/**
 * Gives the members of a JSON object as they are written, by name; of a repeated name
 * the last counts. Whatever is not a JSON object gives null.
 */
function members(text) {
  try {
    const parsed = JSON.parse(text);
    if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) return null;
  } catch {
    return null;
  }
  // From here on the grammar is known to be right, so only borders are looked for.
  const found = new Map();
  let i = skipSpace(text, text.indexOf('{') + 1);
  while (text[i] !== '}') {
    const nameEnd = endOfString(text, i);
    const name = JSON.parse(text.slice(i, nameEnd));
    i = skipSpace(text, skipSpace(text, nameEnd) + 1); // past the colon
    const end = endOfValue(text, i);
    if (end < 0) return null;
    found.set(name, text.slice(i, end));
    i = skipSpace(text, end);
    if (text[i] === ',') i = skipSpace(text, i + 1);
  }
  return found;
}

function skipSpace(text, i) {
  while (text[i] === ' ' || text[i] === '\t' || text[i] === '\n' || text[i] === '\r') i++;
  return i;
}

function endOfString(text, i) {
  for (i++; text[i] !== '"'; i++) {
    if (text[i] === '\\') i++;
  }
  return i + 1;
}

/** The place behind the value that begins at i, or -1 if it is too deep. */
function endOfValue(text, i) {
  for (let depth = 0; ; ) {
    switch (text[i]) {
      case '"':
        i = endOfString(text, i);
        break;
      case '{':
      case '[':
        i++;
        // The object around the value is a level too.
        if (++depth >= MAX_DEPTH) return -1;
        continue;
      case '}':
      case ']':
        i++;
        depth--;
        break;
      case ',':
      case ':':
      case ' ':
      case '\t':
      case '\n':
      case '\r':
        i++;
        continue;
      default: // a number or a word
        while (i < text.length && !' \t\n\r,]}'.includes(text[i])) i++;
    }
    if (depth === 0) return i;
  }
}

/** Reads a JSON text that is not empty; everything else gives ''. */
function readText(raw) {
  if (raw === undefined || raw[0] !== '"') return '';
  // Half of a surrogate pair is no letter, and becomes the replacement character.
  return Buffer.from(JSON.parse(raw)).toString();
}

/** The id in a body, or '' when it is not an object or has none. */
function bodyId(bytes) {
  const found = members(bytes.toString());
  return found === null ? '' : readText(found.get('id'));
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|[+-](\d\d):(\d\d))$/;

/** Reads a time as RFC 3339 has it, or gives null. */
function readTime(text) {
  const match = TIME.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second, zoneHour = 0, zoneMinute = 0] = match.slice(1).map((part) => part && Number(part));
  // Date takes 24:00 and, in some versions, days that a month does not have.
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  if (month < 1 || month > 12 || day < 1 || day > days[month - 1]) return null;
  if (hour > 23 || minute > 59 || second > 59 || zoneHour > 23 || zoneMinute > 59) return null;
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? null : time;
}

/** Reads a body; see index.d.ts. */
function parseBytes(bytes) {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new WebhookError('bad_event', 'the body is not valid UTF-8');
  }
  const found = members(text);
  if (found === null) throw new WebhookError('bad_event', 'the body is not a JSON object');
  const id = readText(found.get('id'));
  if (id === '') throw new WebhookError('bad_event', 'id is missing or not a text');
  const type = readText(found.get('type'));
  if (type === '') throw new WebhookError('bad_event', 'type is missing or not a text');
  const createdAt = readTime(readText(found.get('created_at')));
  if (createdAt === null) throw new WebhookError('bad_event', 'created_at is missing or not an RFC 3339 time');
  const dataText = found.get('data');
  if (dataText === undefined) throw new WebhookError('bad_event', 'data is missing');
  const data = JSON.parse(dataText);
  const test = data !== null && typeof data === 'object' && Object.hasOwn(data, 'test') && data.test === true;
  return { id, type, createdAt, data, dataText, test };
}

module.exports = { bodyId, parseBytes };
