/** Names and ids from the seed, in place of random ones: what a test file mocks `node:crypto` with. */
import type { Random } from '../worlds/random.js';

let random: Random | undefined;

/** From now on ids come from this. */
export function seedIds(source: Random): void {
  random = source;
}

export function seededBytes(length: number): Buffer {
  const source = random;
  if (source === undefined) throw new Error('no seed for ids');
  return Buffer.from(Array.from({ length }, () => source.int(0, 255)));
}

export function seededUuid(): string {
  const hex = seededBytes(16).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)].join('-');
}
