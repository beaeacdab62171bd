/** Deleting files that nothing reaches. */
import { type FileIO } from '../../storage/index.js';
import { reachFaultPoint } from '../../tables/index.js';

/** Files that are deleted at once. */
const CONCURRENCY = 16;

/** Deletes files; a missing file is not an error. Repeating it goes on where it was cut short. */
export async function deleteFiles(io: FileIO, paths: Iterable<string>, signal?: AbortSignal): Promise<number> {
  let deleted = 0;
  let batch: string[] = [];
  const flush = async (): Promise<void> => {
    signal?.throwIfAborted();
    await Promise.all(batch.map((path) => io.delete(path)));
    deleted += batch.length;
    batch = [];
    reachFaultPoint('maintain-files-deleted');
  };
  for (const path of paths) {
    batch.push(path);
    if (batch.length === CONCURRENCY) await flush();
  }
  if (batch.length > 0) await flush();
  return deleted;
}
