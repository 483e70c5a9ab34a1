// An inbox of files: an event is on disk before the sender is answered, a copy is known,
// and what was not handled when the program ended is handled when it starts again.
//
// NAME.json is an event, with NAME.done when it was handled or NAME.failed when it was
// given up; NAME is a hash of its id. Use your database in place of this when you have
// one: a table with a unique key on the id does the same.
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from '@compliancelayer/webhooks';

const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 2000; // twice as long each time
const LONGEST_PAUSE_MS = 60_000;
const LONGEST_ASKED_S = 3600; // a Retry-After beyond it is a mistake
const KEEP_MS = 7 * 24 * 3600 * 1000; // for so long copies are known

/** What a handler throws when what it needs is away: the event waits, and uses up no attempt. */
export class Unavailable extends Error {
  /** With the seconds to wait if they are known, else it is 2, 4 ... 60. */
  constructor(message, seconds) {
    super(message);
    this.seconds = seconds;
  }
}

export class Inbox {
  #folder;
  #handle;
  #stopping = new AbortController();
  #work = Promise.resolve();
  #inHand = new Set();

  constructor(folder, handle) {
    this.#folder = folder;
    this.#handle = handle;
  }

  /** Opens the inbox and takes up what an earlier run left. */
  static async open(folder, handle) {
    await mkdir(folder, { recursive: true });
    const inbox = new Inbox(folder, handle);
    for (const name of await inbox.#waiting()) inbox.#enqueue(name);
    return inbox;
  }

  /** Keeps an event, synced to disk; false when it was here before. */
  async keep(event, body) {
    const name = createHash('sha256').update(event.id).digest('hex');
    const part = this.#path(`${name}.${randomUUID()}.part`);
    let isNew = true;
    try {
      await writeFile(part, body, { flag: 'wx', flush: true });
      // Of many copies at once exactly one gets the name, and never half a file.
      await link(part, this.#path(`${name}.json`));
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      isNew = false;
    } finally {
      await rm(part, { force: true }).catch(() => {}); // else the next start removes it
    }
    await this.#sync();
    this.#enqueue(name); // of a copy, too: the sync may have failed for the first
    return isNew;
  }

  /** Waits for the event in hand; the rest stays for the next start. */
  async close() {
    this.#stopping.abort();
    await this.#work;
  }

  #path(file) {
    return path.join(this.#folder, file);
  }

  /** Syncs the folder, so that the name of a file outlives a power cut. */
  async #sync() {
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  /** Names what is left to handle, oldest first, and removes what is too old to keep or stands alone. */
  async #waiting() {
    const files = new Set(await readdir(this.#folder));
    const waiting = [];
    for (const file of files) {
      const { name, ext } = path.parse(file);
      if (ext === '.part') await rm(this.#path(file)); // never answered
      // Left by a crash between the two removals below, it would hide a later event.
      if ((ext === '.done' || ext === '.failed') && !files.has(`${name}.json`)) await rm(this.#path(file));
      if (ext !== '.json' || files.has(`${name}.failed`)) continue;
      const { mtimeMs } = await stat(this.#path(file));
      if (!files.has(`${name}.done`)) {
        waiting.push({ name, mtimeMs });
      } else if (mtimeMs < Date.now() - KEEP_MS) {
        await rm(this.#path(file));
        await rm(this.#path(`${name}.done`));
      }
    }
    return waiting.sort((a, b) => a.mtimeMs - b.mtimeMs).map(({ name }) => name);
  }

  #enqueue(name) {
    if (this.#inHand.has(name)) return;
    this.#inHand.add(name);
    this.#work = this.#work
      .then(() => this.#take(name))
      .then(() => this.#inHand.delete(name))
      .catch((error) => {
        // It stays in hand, so that no copy has it handled again.
        if (error.name !== 'AbortError') console.error('left for the next start:', error);
      });
  }

  /** Handles one event, and marks it afterwards: a crash between runs it again. */
  async #take(name) {
    if (this.#stopping.signal.aborted || this.#isOver(name)) return;
    const event = parse(await readFile(this.#path(`${name}.json`)));
    for (let attempt = 1, pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      let wait = pause;
      try {
        await this.#handle(event);
        break;
      } catch (error) {
        if (error instanceof Unavailable) {
          console.error(`event ${event.id} waits: ${error.message}`);
          if (error.seconds > 0) wait = Math.min(error.seconds, LONGEST_ASKED_S) * 1000;
        } else {
          console.error(`event ${event.id}, attempt ${attempt}:`, error);
          if (attempt++ === ATTEMPTS) return await writeFile(this.#path(`${name}.failed`), String(error));
        }
      }
      await sleep(wait, undefined, { signal: this.#stopping.signal });
    }
    await writeFile(this.#path(`${name}.done`), '');
  }

  #isOver(name) {
    return ['done', 'failed'].some((end) => existsSync(this.#path(`${name}.${end}`)));
  }
}
