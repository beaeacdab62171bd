/** Durations in definitions: `90s`, `15m`, `6h`, `2d`, `1w`, `500ms`, or ISO-8601 (`PT6H`, `P1DT12H`). */

const UNIT_MS: ReadonlyMap<string, bigint> = new Map([
  ['ms', 1n],
  ['s', 1000n],
  ['m', 60_000n],
  ['h', 3_600_000n],
  ['d', 86_400_000n],
  ['w', 604_800_000n],
]);

const SHORT = /^(\d{1,15})\s*(ms|s|m|h|d|w)$/;
const ISO = /^P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(?:\.(\d{1,3}))?S)?)?$/;

/** The longest duration that is accepted: 10,000 years. */
const MAX_DURATION_MS = 10_000n * 365n * 86_400_000n;

/** Milliseconds of a duration, or undefined if it is none. Years and months have no fixed length and are not accepted. */
export function parseDurationMs(text: string): bigint | undefined {
  const ms = shortForm(text) ?? isoForm(text);
  return ms === undefined || ms > MAX_DURATION_MS ? undefined : ms;
}

function shortForm(text: string): bigint | undefined {
  const match = SHORT.exec(text);
  const unit = UNIT_MS.get(match?.[2] ?? '');
  return match?.[1] === undefined || unit === undefined ? undefined : BigInt(match[1]) * unit;
}

function isoForm(text: string): bigint | undefined {
  const match = ISO.exec(text);
  if (match === null || text === 'P' || text.endsWith('T')) return undefined;
  const part = (index: number, unitMs: bigint): bigint => BigInt(match[index] ?? '0') * unitMs;
  const fraction = BigInt((match[6] ?? '').padEnd(3, '0'));
  return (
    part(1, 604_800_000n) + part(2, 86_400_000n) + part(3, 3_600_000n) + part(4, 60_000n) + part(5, 1000n) + fraction
  );
}

/** The shortest form that {@link parseDurationMs} reads back. */
export function formatDurationMs(ms: bigint): string {
  const unit = ['w', 'd', 'h', 'm', 's'].find((name) => ms !== 0n && ms % (UNIT_MS.get(name) ?? 1n) === 0n) ?? 'ms';
  return `${ms / (UNIT_MS.get(unit) ?? 1n)}${unit}`;
}
