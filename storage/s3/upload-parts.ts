/** Content of an upload, in parts. */
import { asOne } from '../file-io.js';

/** Parts of an upload: all of one size but the last, as R2 wants them. 10,000 of them are 160 GB. */
const PART_BYTES = 16 * 2 ** 20;

/** Content in parts of {@link PART_BYTES}, the last of which may be shorter. A piece that is a part is not copied. */
export async function* partsOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of content) {
    for (let start = 0; start < piece.length; ) {
      const some = piece.subarray(start, start + PART_BYTES - bytes);
      waiting.push(some);
      bytes += some.length;
      start += some.length;
      if (bytes < PART_BYTES) continue;
      yield asOne(waiting);
      [waiting, bytes] = [[], 0];
    }
  }
  if (bytes > 0) yield asOne(waiting);
  return undefined;
}

/** Pieces of several contents, one after the other. */
export async function* chained(
  ...parts: readonly (Uint8Array | AsyncIterable<Uint8Array>)[]
): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Uint8Array) yield part;
    else yield* part;
  }
}

/** Runs `use` on each item as it comes, some at a time; the results are in the order of the items. */
export async function inOrder<T, R>(
  items: AsyncIterable<T>,
  atOnce: number,
  use: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: Promise<R>[] = [];
  const running = new Set<Promise<unknown>>();
  for await (const item of items) {
    const result = use(item, results.length);
    results.push(result);
    result.catch(() => undefined); // the first that fails is reported
    const settled = result.finally(() => running.delete(settled));
    settled.catch(() => undefined);
    running.add(settled);
    if (running.size >= atOnce) await Promise.race(running);
  }
  return await Promise.all(results);
}
