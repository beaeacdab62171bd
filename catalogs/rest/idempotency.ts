/**
 * Keys under which a server carries a request out once, however often it is sent.
 * Source: Iceberg REST catalog specification, header `Idempotency-Key` and `idempotency-key-lifetime` of `CatalogConfig`.
 */
import { randomBytes } from 'node:crypto';
import type { JsonValue } from '../../iceberg/index.js';

/** A new key: a UUID of version 7. Source: RFC 9562, section 5.7. */
export function idempotencyKey(nowMs: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/**
 * How long a server remembers a key, in milliseconds; undefined where it takes none, or says it in a way that is not a duration of
 * ISO 8601 in days, hours, minutes and seconds.
 */
export function keyLifetimeMs(given: JsonValue | undefined): number | undefined {
  const match = typeof given === 'string' ? DURATION.exec(given) : null;
  if (match === null) return undefined;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  return 1000 * (86_400 * days + 3600 * hours + 60 * minutes + seconds);
}
