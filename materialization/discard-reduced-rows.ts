/** Taking reduced rows away once the shards have merged them, or will not. What is left over is found by the sweep of the online table. */
import type { Location } from '../locations/index.js';
import { discardReducedRows as discardLists } from '../reduction/index.js';
import type { FileIO } from '../storage/index.js';
import { readPlan } from './read-plan.js';
import { reducedFilePrefix } from './reduced-rows.js';

/**
 * Deletes reduced rows and their lists, as far as they are there.
 * @param locations of the lists
 */
export async function discardReducedRows(
  io: FileIO,
  planLocation: Location,
  locations: readonly Location[],
): Promise<void> {
  if (locations.length > 0) await discardLists(io, reducedFilePrefix(await readPlan(io, planLocation)), locations);
}
