/** Credentials of a store that end: a file always has the newest, as a catalog gives them away. */
import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerWithUsers } from './s3-server.js';
import { temporaryFolder } from './temp-folder.js';

export interface KeyTimes {
  /** New ones are made so often, in milliseconds; never by themselves unless given. */
  readonly everyMs?: number;
  /** They say that they end after so long, in milliseconds. */
  readonly lifeMs: number;
}

export class RotatedKeys {
  /** A `NAME=VALUE` for each line. */
  readonly file = join(temporaryFolder(), 'access');
  readonly #store: ServerWithUsers;
  readonly #lifeMs: number;
  #timer: NodeJS.Timeout | undefined;
  /** The store takes those of the last two. */
  #users: readonly string[] = [];

  private constructor(store: ServerWithUsers, lifeMs: number) {
    this.#store = store;
    this.#lifeMs = lifeMs;
  }

  /** Makes the first ones. */
  static async start(store: ServerWithUsers, { everyMs, lifeMs }: KeyTimes): Promise<RotatedKeys> {
    const keys = new RotatedKeys(store, lifeMs);
    await keys.rotate();
    // One that fails leaves credentials that end: the test sees that.
    if (everyMs !== undefined) keys.#timer = setInterval(() => void keys.rotate().catch(() => undefined), everyMs);
    return keys;
  }

  /** Makes new ones; those before the last are refused from now on. @param kept how many of the last ones the store still takes */
  async rotate(kept = 2): Promise<void> {
    const id = randomUUID();
    const [name, secret] = [`user-${id}`, `canary-secret-${id}`];
    await this.#store.makeUser(name, secret);
    const access = {
      's3.endpoint': this.#store.endpoint,
      'client.region': 'us-east-1',
      's3.path-style-access': 'true',
      's3.access-key-id': name,
      's3.secret-access-key': secret,
      's3.session-token-expires-at-ms': Date.now() + this.#lifeMs,
    };
    const lines = Object.entries(access).map(([key, value]) => `${key}=${String(value).replaceAll(':', '\\:')}`);
    // A reader sees all of the old ones or all of the new ones.
    writeFileSync(`${this.file}.new`, lines.join('\n'));
    renameSync(`${this.file}.new`, this.file);
    const users = [...this.#users, name];
    const gone = users.length - kept;
    this.#users = users.slice(gone);
    for (const each of users.slice(0, gone)) await this.#store.removeUser(each);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
