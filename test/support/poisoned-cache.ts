/** A cache whose files have wrong bytes wherever nothing was fetched: pages of Parquet, in places where pages may be. */
import { readFile, writeFile } from 'node:fs/promises';
import { FileFooter } from '../../engine/index.js';
import { DiskCache } from '../../storage/index.js';

const TRAILER_BYTES = 8;

export class PoisonedCache extends DiskCache {
  /** Parts that were made, by the last part of their names. */
  readonly made: string[] = [];

  override place(group: string, name: string, to: string, make: (path: string) => Promise<void>): Promise<void> {
    return super.place(group, name, to, async (path) => {
      await make(path);
      if (name === 'whole') return;
      this.made.push(name.slice(name.indexOf('.') + 1));
      await writeFile(path, poisoned(await readFile(path)));
    });
  }
}

/** The file of a part with its own first pages in all of its holes. */
export function poisoned(content: Buffer): Buffer {
  const length = content.readUInt32LE(content.length - TRAILER_BYTES);
  const start = content.length - TRAILER_BYTES - length;
  const footer = new FileFooter(content.subarray(start, start + length), content.length);
  const rowGroups = Array.from({ length: footer.rowGroupCount }, (_, index) => index);
  const columns = Array.from({ length: footer.columnCount }, (_, index) => index);
  const ranges = footer.ranges({ columns, rowGroups });
  const [first] = ranges;
  const wrong = content.subarray(first?.offset ?? 0, (first?.offset ?? 0) + Math.max(first?.length ?? 0, 4));
  const result = Buffer.from(content);
  let hole = 4;
  for (const { offset, length: bytes } of [...ranges, { offset: start, length: 0 }]) {
    for (let at = hole; at < offset; at += wrong.length) wrong.copy(result, at, 0, Math.min(wrong.length, offset - at));
    hole = Math.max(hole, offset + bytes);
  }
  return result;
}
