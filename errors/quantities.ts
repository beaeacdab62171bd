/** Counts, sizes and durations as people read them. Exact numbers are in what `--json` prints. */

/** A whole number; text where JSON keeps 64 bits exact. */
type Quantity = number | bigint | string;

/** A count with its digits in groups of three: `5,819,079`. */
export function countText(count: Quantity): string {
  return BigInt(count).toLocaleString('en-US');
}

/** A number of things as people read it: `1 file`, `5,819,079 rows`. */
export function countedText(count: Quantity, noun: string): string {
  return `${countText(count)} ${nounFor(count, noun)}`;
}

/** A number of things in messages and reports, with plain digits: `1 file`, `5819079 rows`. */
export function counted(count: Quantity, noun: string): string {
  return `${count} ${nounFor(count, noun)}`;
}

const nounFor = (count: Quantity, noun: string): string => (String(count) === '1' ? noun : `${noun}s`);

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** A size in bytes with three digits and a decimal unit: `0 B`, `13.8 MB`, `138 MB`. */
export function sizeText(bytes: Quantity): string {
  let value = Number(bytes);
  let unit = 0;
  // 999.95 kB would be shown as 1000 kB.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < SIZE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${SIZE_UNITS[unit] ?? ''}`;
}

/** What was asked of object stores: `3 requests, 1.2 MB read, 0 B written`. */
export function trafficText(traffic: {
  readonly requests: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}): string {
  const { requests, readBytes, writtenBytes } = traffic;
  return `${countedText(requests, 'request')}, ${sizeText(readBytes)} read, ${sizeText(writtenBytes)} written`;
}

/** A duration: `850 ms`, `4.2 s`, `20 min 39 s`, `2 h 5 min`, `3 d 4 h`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
