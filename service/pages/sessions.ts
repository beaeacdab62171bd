/** Sessions of people who look at the pages: random tokens that stand for an API key, in the memory of this process. */
import { createHash, randomBytes } from 'node:crypto';
import { type ApiKey, mayUse } from '../api-keys.js';

const TOKEN_BYTES = 32;
const MAX_SESSIONS = 1_000;
/** A working day. */
export const SESSION_MS = 12 * 3_600_000;

interface Session {
  readonly keyId: string;
  readonly endsMs: number;
}

export class Sessions {
  readonly #keys: () => readonly ApiKey[];
  /** By the hash of the token, the oldest first. */
  readonly #sessions = new Map<string, Session>();

  /** @param keys those that are valid now: a session ends with its key */
  constructor(keys: () => readonly ApiKey[]) {
    this.#keys = keys;
  }

  /** @returns the token */
  begin({ id: keyId }: ApiKey, nowMs = Date.now()): string {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    this.#sessions.set(hashOf(token), { keyId, endsMs: nowMs + SESSION_MS });
    return token;
  }

  /** The key of a session that may read. */
  keyOf(token: string | undefined, nowMs = Date.now()): ApiKey | undefined {
    const session = token === undefined ? undefined : this.#sessions.get(hashOf(token));
    if (session === undefined || session.endsMs <= nowMs) return undefined;
    const key = this.#keys().find(({ id }) => id === session.keyId);
    return key !== undefined && mayUse(key, 'read') ? key : undefined;
  }

  end(token: string | undefined): void {
    if (token !== undefined) this.#sessions.delete(hashOf(token));
  }
}

/** So that looking a token up takes no time that tells of others. */
const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64');
