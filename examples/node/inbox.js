// An inbox of files: an event is on disk before the sender is answered, a copy is known,
// and what was not handled when the program ended is handled when it starts again.
//
// NAME.json is an event, with NAME.done when it was handled or NAME.failed when it was
// given up; NAME is a hash of its id. Use your database in place of this when you have
// one: a table with a unique key on the id does the same.
import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from '@compliancelayer/webhooks';

const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 2000; // twice as long each time
const KEEP_MS = 7 * 24 * 3600 * 1000; // for so long copies are known

export class Inbox {
  #folder;
  #handle;
  #stopping = new AbortController();
  #work = Promise.resolve();

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
    const file = await open(part, 'wx');
    try {
      await file.writeFile(body);
      await file.sync();
    } finally {
      await file.close();
    }
    try {
      // Of many copies at once exactly one gets the name, and never half a file.
      await link(part, this.#path(`${name}.json`));
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      return false;
    } finally {
      await rm(part);
      await this.#sync();
    }
    this.#enqueue(name);
    return true;
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

  /** Names what is left to handle, oldest first, and removes what is too old to keep. */
  async #waiting() {
    const files = new Set(await readdir(this.#folder));
    const waiting = [];
    for (const file of files) {
      const { name, ext } = path.parse(file);
      if (ext === '.part') await rm(this.#path(file)); // never answered
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
    this.#work = this.#work
      .then(() => this.#take(name))
      .catch((error) => {
        if (error.name !== 'AbortError') console.error('left for the next start:', error);
      });
  }

  /** Handles one event, and marks it afterwards: a crash between runs it again. */
  async #take(name) {
    if (this.#stopping.signal.aborted) return;
    const event = parse(await readFile(this.#path(`${name}.json`)));
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#handle(event);
        return await writeFile(this.#path(`${name}.done`), '');
      } catch (error) {
        console.error(`event ${event.id}, attempt ${attempt}:`, error);
        if (attempt === ATTEMPTS) return await writeFile(this.#path(`${name}.failed`), String(error));
      }
      await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), undefined, { signal: this.#stopping.signal });
    }
  }
}
