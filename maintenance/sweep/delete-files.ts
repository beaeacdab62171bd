/** Deleting files that nothing reaches. */
import type { FileIO } from '../../storage/index.js';
import { reachFaultPoint } from '../../tables/index.js';

/** Files that are deleted at once: stores take up to 1,000 in one request. */
const BATCH = 250;

/** Deletes files; a missing file is not an error. Repeating it goes on where it was cut short. */
export async function deleteFiles(io: FileIO, paths: Iterable<string>, signal?: AbortSignal): Promise<number> {
  let deleted = 0;
  let batch: string[] = [];
  const flush = async (): Promise<void> => {
    signal?.throwIfAborted();
    await io.delete(...batch);
    deleted += batch.length;
    batch = [];
    reachFaultPoint('maintain-files-deleted');
  };
  for (const path of paths) {
    batch.push(path);
    if (batch.length === BATCH) await flush();
  }
  if (batch.length > 0) await flush();
  return deleted;
}
