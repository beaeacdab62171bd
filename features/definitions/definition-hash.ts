/** Canonical JSON of definitions, and hashes of it. */
import { createHash } from 'node:crypto';

/** A value that canonical JSON can hold. A map is written as an object, whatever its keys. */
export type CanonicalValue =
  | null
  | boolean
  | number
  | string
  | bigint
  | readonly CanonicalValue[]
  | ReadonlyMap<string, CanonicalValue | undefined>
  | { readonly [key: string]: CanonicalValue | undefined };

/** JSON with sorted keys, without white space and without undefined members: equal values give equal text. */
export function canonicalJson(value: CanonicalValue): string {
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly CanonicalValue[]).map(canonicalJson).join(',')}]`;
  const entries =
    value instanceof Map ? [...(value as ReadonlyMap<string, CanonicalValue | undefined>)] : Object.entries(value);
  const members = entries
    .filter((entry): entry is [string, CanonicalValue] => entry[1] !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** SHA-256 of the canonical JSON, in lower-case hex. */
export function canonicalHash(value: CanonicalValue): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}
