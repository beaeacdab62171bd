/** Taking reduced rows away once the shards have merged them, or will not. What is left over is found by the sweep of the online table. */
import { isMoraineError } from '../errors/index.js';
import type { Location } from '../locations/index.js';
import type { FileIO } from '../storage/index.js';
import { readPlan } from './read-plan.js';
import { readReducedRows, reducedFilePrefix } from './reduced-rows.js';

/**
 * Deletes reduced rows and their lists, as far as they are there.
 * @param locations of the lists
 */
export async function discardReducedRows(
  io: FileIO,
  planLocation: Location,
  locations: readonly Location[],
): Promise<void> {
  if (locations.length === 0) return;
  const prefix = reducedFilePrefix(await readPlan(io, planLocation));
  for (const location of locations) {
    try {
      const { files } = await readReducedRows(io, location);
      // Only what this run has named: a list may have been written by somebody else.
      const own = files.filter(({ path }) => nameOf(path).startsWith(prefix));
      await io.delete(...own.map(({ path }) => path));
      await io.delete(location);
    } catch (error) {
      if (!isMoraineError(error, 'FILE_NOT_FOUND')) throw error;
    }
  }
}

const nameOf = (path: Location): string => path.slice(path.lastIndexOf('/') + 1);
