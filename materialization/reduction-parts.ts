/** The parts of a plan's reduction. Pure. */
import type { Location } from '../locations/index.js';
import { areAlike, partsOf, sizedPartsOf } from '../reduction/index.js';
import type { MaterializationPlan } from './plan.js';

type PlannedReads = Pick<MaterializationPlan, 'appendReads' | 'rebuild'>;

/** Paths of the files of one part; undefined if the plan has no such part. */
export function filesOfPart(
  plan: PlannedReads & Pick<MaterializationPlan, 'reduction'>,
  part: number,
): ReadonlySet<Location> | undefined {
  return plan.reduction === null ? undefined : partsOf(plannedBytes(plan), plan.reduction.parts)[part];
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

/** Whether the parts of a plan take about as long as each other. */
export function arePartsAlike(plan: PlannedReads & Pick<MaterializationPlan, 'reduction'>): boolean {
  return plan.reduction?.engine === 'duckdb' && areAlike(sizedPartsOf(plannedBytes(plan), plan.reduction.parts));
}
