/** Times as people write them. */
import type { Random } from './random.js';

/** `2001-02-03`. */
export function isoDate(days: number): string {
  return new Date(days * 86_400_000).toISOString().slice(0, 10);
}

/** Offsets from UTC; more often none. */
export const OFFSET_MINUTES = [0, 0, 345, -210, 840];

/** ISO-8601 of a time with so many digits of a second's fraction at most, at some offset from UTC; undefined is UTC without saying so. */
export function isoTime(
  random: Random,
  ns: bigint,
  digits: 6 | 9,
  offsets: readonly (number | undefined)[] = [undefined, ...OFFSET_MINUTES],
): string {
  const offsetMinutes = random.pick(offsets);
  const local = ns + BigInt(offsetMinutes ?? 0) * 60_000_000_000n;
  const fraction = ((local % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = Number((local - fraction) / 1_000_000_000n);
  const clock = new Date(seconds * 1000).toISOString().slice(0, 19);
  const text = random.chance(0.3) ? clock.replace('T', ' ') : clock;
  const shown = fraction.toString().padStart(9, '0').slice(0, digits);
  const zone =
    offsetMinutes === undefined ? '' : offsetMinutes === 0 && random.chance(0.7) ? 'Z' : offset(offsetMinutes);
  return `${text}.${shown}${zone}`;
}

function offset(minutes: number): string {
  const size = Math.abs(minutes);
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
