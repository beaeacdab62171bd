/** API keys: random, kept as hashes, each with scopes. Pure but for the random bytes. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

/** `admin` may do what every scope may. */
export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** A key as it is kept. */
export interface ApiKey {
  /** Part of the key that is no secret. */
  readonly id: string;
  /** Name for people: who uses it. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** SHA-256 of the whole key, in hex. A key has 256 random bits, so that no slow hash is needed. */
  readonly sha256: string;
  readonly createdAt: string;
}

const apiKey = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{8}$/),
  name: z.string().min(1),
  scopes: z.array(z.enum(SCOPES)).min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.string(),
});

/** The content of a file of keys. */
export const keyFileSchema = z.strictObject({ keys: z.array(apiKey) });

const ID_BYTES = 4;
const SECRET_BYTES = 32;
const KEY = /^moraine_([0-9a-f]{8})_[A-Za-z0-9_-]{43}$/;

/** A new key: what its user gets, and what is kept. */
export function newApiKey(
  name: string,
  scopes: readonly Scope[],
  createdAt: Date,
): { readonly key: string; readonly kept: ApiKey } {
  const id = randomBytes(ID_BYTES).toString('hex');
  const key = `moraine_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  return { key, kept: { id, name, scopes, sha256: sha256(key).toString('hex'), createdAt: createdAt.toISOString() } };
}

/** The kept key that an `Authorization` header has; the hashes are compared in constant time. */
export function findApiKey(keys: readonly ApiKey[], authorization: string | undefined): ApiKey | undefined {
  const key = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  const id = key === undefined ? undefined : KEY.exec(key)?.[1];
  const kept = keys.find((candidate) => candidate.id === id);
  if (key === undefined || kept === undefined) return undefined;
  return timingSafeEqual(sha256(key), Buffer.from(kept.sha256, 'hex')) ? kept : undefined;
}

export function mayUse({ scopes }: ApiKey, scope: Scope): boolean {
  return scopes.includes(scope) || scopes.includes('admin');
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
