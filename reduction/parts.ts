/** Parts of a reduction: each file of a source is in exactly one, so that it is read once, and parts have about equally many bytes. Pure. */
import type { Location } from '../locations/index.js';

/** Parts at most: every shard is told of all of them. */
export const MAX_PARTS = 128;

/**
 * The files of each part: from the largest to the smallest, each goes to the part with the fewest bytes so far. The same files make the
 * same parts, whoever asks.
 * @param bytes to read of each file
 */
export function partsOf(bytes: ReadonlyMap<Location, bigint>, parts: number): readonly ReadonlySet<Location>[] {
  return sizedPartsOf(bytes, parts).map(({ paths }) => paths);
}

/** The files of a part, and their bytes. */
export interface SizedPart {
  readonly paths: ReadonlySet<Location>;
  readonly bytes: bigint;
}

/** Whether parts take about as long as each other: none has more than twice the bytes of another. */
export function areAlike(parts: readonly Pick<SizedPart, 'bytes'>[]): boolean {
  return smallOf(parts).length === 0;
}

/** Numbers of the parts that end far sooner than the largest one: those with less than half of its bytes. */
export function smallOf(parts: readonly Pick<SizedPart, 'bytes'>[]): readonly number[] {
  const most = parts.reduce((so, { bytes }) => (bytes > so ? bytes : so), 0n);
  return parts.flatMap(({ bytes }, part) => (2n * bytes < most ? [part] : []));
}

/** As {@link partsOf}, with the bytes of each. */
export function sizedPartsOf(bytes: ReadonlyMap<Location, bigint>, parts: number): readonly SizedPart[] {
  const files = [...bytes].sort(([a, aBytes], [b, bBytes]) => {
    if (aBytes !== bBytes) return aBytes > bBytes ? -1 : 1;
    return a < b ? -1 : 1;
  });
  const loads = Array.from({ length: parts }, () => ({ bytes: 0n, paths: new Set<Location>() }));
  for (const [path, size] of files) {
    const lightest = loads.reduce((least, load) => (load.bytes < least.bytes ? load : least));
    lightest.bytes += size;
    lightest.paths.add(path);
  }
  return loads;
}
