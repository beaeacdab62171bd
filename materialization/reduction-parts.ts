/** Parts of a reduction: each file of a plan is in exactly one, so that it is read once, and parts have about equally many bytes. Pure. */
import type { Location } from '../locations/index.js';
import type { MaterializationPlan } from './plan.js';

type PlannedReads = Pick<MaterializationPlan, 'appendReads' | 'rebuild'>;

/** Paths of the files of one part; undefined if the plan has no such part. */
export function filesOfPart(
  plan: PlannedReads & Pick<MaterializationPlan, 'reduction'>,
  part: number,
): ReadonlySet<Location> | undefined {
  return plan.reduction === null ? undefined : partsOf(plan, plan.reduction.parts)[part];
}

/**
 * The files of each part: from the largest to the smallest, each goes to the part with the fewest bytes so far. The same plan has the
 * same parts, whoever asks.
 */
export function partsOf(plan: PlannedReads, parts: number): readonly ReadonlySet<Location>[] {
  const files = [...plannedBytes(plan)].sort(([a, aBytes], [b, bBytes]) => {
    if (aBytes !== bBytes) return aBytes > bBytes ? -1 : 1;
    return a < b ? -1 : 1;
  });
  const loads = Array.from({ length: parts }, () => ({ bytes: 0n, paths: new Set<Location>() }));
  for (const [path, bytes] of files) {
    const lightest = loads.reduce((least, load) => (load.bytes < least.bytes ? load : least));
    lightest.bytes += bytes;
    lightest.paths.add(path);
  }
  return loads.map(({ paths }) => paths);
}

/** Bytes to read of each file: those that several reads want are read for each of them. */
function plannedBytes({ appendReads, rebuild }: PlannedReads): ReadonlyMap<Location, bigint> {
  const bytes = new Map<Location, bigint>();
  for (const { files } of [...appendReads, ...(rebuild?.reads ?? [])]) {
    for (const { path, fileSizeInBytes } of files) bytes.set(path, (bytes.get(path) ?? 0n) + fileSizeInBytes);
  }
  return bytes;
}

/** How many different files a plan reads. */
export const countFiles = (plan: PlannedReads): number => plannedBytes(plan).size;
