/** Column chunks that an earlier scan has fetched, in the files of other parts. */
import type { FileHandle } from 'node:fs/promises';
import type { ByteRange, FileFooter, FilePart } from '../engine/index.js';
import type { DiskCache } from '../storage/index.js';
import { partOfName } from './part-names.js';
import { write } from './sparse-file.js';

/** A part that lies in the cache, and the chunks of it that are wanted. */
interface KnownChunks {
  readonly name: string;
  readonly ranges: readonly ByteRange[];
}

/** Where the chunks of a part come from. */
export interface ChunkSources {
  readonly known: readonly KnownChunks[];
  /** Ranges that nobody has fetched, ascending. */
  readonly missing: readonly ByteRange[];
}

/**
 * Finds the chunks of a part among parts that are there. Each is taken from the first that has it.
 * @param names of parts in the cache
 * @throws DATA_FILE_CORRUPT; it names no file
 */
export function chunkSources(
  footer: FileFooter,
  wanted: FilePart,
  version: string,
  names: readonly string[],
): ChunkSources {
  const missing = new Set(
    wanted.rowGroups.flatMap((rowGroup) => wanted.columns.map((column) => key(column, rowGroup))),
  );
  const known = names.flatMap((name) => {
    const found = partOfName(name);
    if (found?.version !== version) return [];
    const chunks = chunksOf(found.part).filter(([column, rowGroup]) => missing.delete(key(column, rowGroup)));
    return chunks.length === 0 ? [] : [{ name, ranges: rangesOf(footer, chunks) }];
  });
  const left = chunksOf(wanted).filter(([column, rowGroup]) => missing.has(key(column, rowGroup)));
  return { known, missing: rangesOf(footer, left) };
}

type Chunk = readonly [column: number, rowGroup: number];

const key = (column: number, rowGroup: number): string => `${column} ${rowGroup}`;

const chunksOf = ({ columns, rowGroups }: FilePart): readonly Chunk[] =>
  rowGroups.flatMap((rowGroup) => columns.map((column): Chunk => [column, rowGroup]));

const rangesOf = (footer: FileFooter, chunks: readonly Chunk[]): readonly ByteRange[] =>
  chunks
    .flatMap(([column, rowGroup]) => footer.ranges({ columns: [column], rowGroups: [rowGroup] }))
    .sort((a, b) => a.offset - b.offset);

/** Bytes that are copied at a time. */
const COPIED_BYTES = 2 ** 20;

/**
 * Copies chunks into a file, at their own offsets. A part that was given up stays readable while it is open.
 * @returns the ranges of parts that were given up before, which must be fetched
 */
export async function copyKnown(
  handle: FileHandle,
  diskCache: DiskCache,
  group: string,
  known: readonly KnownChunks[],
): Promise<readonly ByteRange[]> {
  const gone: ByteRange[] = [];
  for (const { name, ranges } of known) {
    const source = await diskCache.open(group, name);
    if (source === undefined) {
      gone.push(...ranges);
      continue;
    }
    try {
      for (const range of ranges) await copyRange(source, handle, range);
    } finally {
      await source.close();
    }
  }
  return gone;
}

async function copyRange(source: FileHandle, target: FileHandle, { offset, length }: ByteRange): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(length, COPIED_BYTES));
  for (let done = 0; done < length; ) {
    const wanted = Math.min(buffer.length, length - done);
    const { bytesRead } = await source.read(buffer, 0, wanted, offset + done);
    if (bytesRead === 0) throw new Error(`a kept file ends at byte ${offset + done}`);
    await write(target, buffer.subarray(0, bytesRead), offset + done);
    done += bytesRead;
  }
}
