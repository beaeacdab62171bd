/**
 * Files as the engine opens them: where they are, or fetched. Of a data file of a store its end is fetched first, and then, when it is
 * known what a scan reads, these columns of these row groups: at their own offsets, in a file whose footer names nothing else. The engine
 * opens such a file in place, and cannot reach what was not fetched.
 */
import { createHash } from 'node:crypto';
import { type ByteRange, type Connection, FileFooter, type FilePart, type RemoteFile } from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { type LocalPath, type Location, localPath } from '../locations/index.js';
import { cacheGroup, type DiskCache, type FileIO, FileKind, joined, type ParsedFile } from '../storage/index.js';
import { type ChunkSources, chunkSources, copyKnown } from './known-ranges.js';
import { nameOfPart, partOfName, partToRead } from './part-names.js';
import { write, writePieces, writeSparse } from './sparse-file.js';

/** Bytes of a file that are asked for at a time. */
const RANGE_BYTES = 8 * 2 ** 20;

/** Requests for parts of one file at a time. */
const RANGES_AT_ONCE = 4;

/** Ranges that are no further apart are asked for as one. */
const GAP_BYTES = 8 * 1024;

/** Bytes of a file's end that are fetched first where nothing is kept. */
const END_BYTES = 64 * 1024;

/** Length of the footer, and the magic. */
const TRAILER_BYTES = 8;

const MAGIC = Buffer.from('PAR1', 'latin1');

/** The path of a file that is opened whole; it lasts as long as the connection. */
export async function openablePath(connection: Connection, io: FileIO, location: Location): Promise<LocalPath> {
  const localFiles = io.localFiles(location);
  if (localFiles !== null) return await localFiles.pathOf(location);
  const group = await groupOf(io, location);
  const copier = (_: string, copy: string): Promise<void> => {
    return place(io.diskCache(location), group, 'whole', copy, (path) => fetchFile(io, location, path));
  };
  return localPath(await connection.copies.of(location, copier));
}

/** The paths that an engine must be allowed to read besides its temporary folder, where it finds copies. */
export async function localPathsOf(io: FileIO, locations: readonly Location[]): Promise<readonly LocalPath[]> {
  return await Promise.all(locations.flatMap((location) => io.localFiles(location)?.pathOf(location) ?? []));
}

/** A data file to open. */
interface DataFileAt {
  readonly location: Location;
  /** What its manifest says. */
  readonly fileSizeInBytes: bigint;
}

/** A data file as a scan has it. */
export interface OpenablePath {
  readonly path: LocalPath;
  readonly remote?: RemoteFile;
}

/**
 * The path of a Parquet file, which has at least the file's end. It lasts as long as the connection.
 * @throws MoraineError `LOCATION_REFUSED` for one outside the storage roots; for a file that is fetched `FILE_NOT_FOUND`,
 *   `FILE_CHANGED` if it is replaced meanwhile, `STORAGE_UNAVAILABLE`, `DATA_FILE_CORRUPT`
 */
export async function openableParquet(connection: Connection, io: FileIO, file: DataFileAt): Promise<OpenablePath> {
  const { location, fileSizeInBytes } = file;
  const localFiles = io.localFiles(location);
  if (localFiles !== null) return { path: await localFiles.pathOf(location) };
  const group = await groupOf(io, location, fileSizeInBytes);
  const end = await io.cache.get({ location, kind: FILE_END, variant: String(fileSizeInBytes) }, () =>
    loadEnd(io, location, group),
  );
  // The scan says so; a file that is put right must be seen.
  if (BigInt(end.sizeBytes) !== fileSizeInBytes) await forgetEnd(io, location, group, fileSizeInBytes);
  const copier = async (_: string, copy: string): Promise<void> => {
    await writeSparse(copy, end.sizeBytes, (handle) => write(handle, end.bytes, end.sizeBytes - end.bytes.length));
  };
  const path = localPath(await connection.copies.of(location, copier));
  if (end.bytes.length === end.sizeBytes) return { path };
  return { path, remote: new StoredFile(connection, io, { location, group, end, path }) };
}

/** The end of a file: its footer and what follows, or all of a small file. */
interface FileEnd {
  readonly sizeBytes: number;
  readonly identity: string;
  readonly bytes: Uint8Array;
}

const FILE_END = new FileKind<FileEnd>('end of a data file');

/** From the cache on the disk, or from the store. */
async function loadEnd(io: FileIO, location: Location, group: string): Promise<ParsedFile<FileEnd>> {
  const load = async (): Promise<Uint8Array> => endToBytes(await fetchEnd(io, location));
  const diskCache = io.diskCache(location);
  const end = endFromBytes(await (diskCache === null ? load() : diskCache.bytes(group, 'end', load)));
  return { value: end, costBytes: end.bytes.length + END_COST };
}

const END_COST = 300;

/** Whoever tries again reads the file that is there then. */
async function forgetEnd(io: FileIO, location: Location, group: string, fileSizeInBytes: bigint): Promise<void> {
  io.cache.forget({ location, kind: FILE_END, variant: String(fileSizeInBytes) });
  await io.diskCache(location)?.forget(group);
}

/** A line of JSON before the bytes. */
function endToBytes({ bytes, ...status }: FileEnd): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify(status)}\n`), bytes]);
}

function endFromBytes(stored: Uint8Array): FileEnd {
  const text = Buffer.from(stored.buffer, stored.byteOffset, stored.length);
  const line = text.indexOf('\n');
  const status = JSON.parse(text.toString('utf8', 0, line)) as Pick<FileEnd, 'sizeBytes' | 'identity'>;
  return { ...status, bytes: text.subarray(line + 1) };
}

/** Bytes of a file's end that are fetched before its parts; more where they are kept on the disk. */
export function fetchedEndBytes(io: FileIO, location: Location): number {
  return io.diskCache(location)?.endBytes ?? END_BYTES;
}

async function fetchEnd(io: FileIO, location: Location): Promise<FileEnd> {
  const { sizeBytes, identity, bytes: tail } = await io.readTail(location, fetchedEndBytes(io, location));
  if (tail.length === sizeBytes) return { sizeBytes, identity, bytes: tail };
  const length = Buffer.from(tail.buffer, tail.byteOffset, tail.length).readUInt32LE(tail.length - TRAILER_BYTES);
  const wanted = Math.min(length + TRAILER_BYTES, sizeBytes);
  if (wanted <= tail.length) return { sizeBytes, identity, bytes: tail.slice(tail.length - wanted) };
  const missing = { offset: sizeBytes - wanted, length: wanted - tail.length, identity };
  return { sizeBytes, identity, bytes: Buffer.concat([await joined(io.readRange(location, missing)), tail]) };
}

interface StoredAt {
  readonly location: Location;
  readonly group: string;
  readonly end: FileEnd;
  /** Where the scan finds the end. */
  readonly path: LocalPath;
}

/** A data file of a store, of which parts are fetched. */
class StoredFile implements RemoteFile {
  readonly #connection: Connection;
  readonly #io: FileIO;
  readonly #file: StoredAt;
  #footer: FileFooter | undefined;

  constructor(connection: Connection, io: FileIO, file: StoredAt) {
    this.#connection = connection;
    this.#io = io;
    this.#file = file;
  }

  get footer(): FileFooter {
    const { end, location } = this.#file;
    this.#footer ??= naming(location, () => {
      return new FileFooter(end.bytes.subarray(0, end.bytes.length - TRAILER_BYTES), end.sizeBytes);
    });
    return this.#footer;
  }

  async fetch(part: FilePart): Promise<LocalPath> {
    const { location, group, end, path } = this.#file;
    const version = createHash('sha256').update(end.identity).digest('hex').slice(0, 16);
    const diskCache = this.#io.diskCache(location);
    const fetched = (await diskCache?.names(group)) ?? [];
    const name = partToRead(fetched, version, part) ?? nameOfPart(version, part);
    const copier = (_: string, copy: string): Promise<void> => {
      return place(diskCache, group, name, copy, (to) => {
        const made = partOfName(name)?.part ?? part;
        const sources = naming(location, () => chunkSources(this.footer, made, version, fetched));
        return this.#write(made, sources, to);
      });
    };
    const copies = this.#connection.copies;
    return localPath(await copies.of(`${location} ${name}`, copier, { original: location, standsFor: path }));
  }

  async #write(part: FilePart, { known, missing }: ChunkSources, path: string): Promise<void> {
    const { location, group, end } = this.#file;
    const { footer } = this;
    const tail = naming(location, () => footer.tailOf(part));
    const diskCache = this.#io.diskCache(location);
    await writeSparse(path, footer.offset, async (handle) => {
      await write(handle, MAGIC, 0);
      const gone = diskCache === null ? [] : await copyKnown(handle, diskCache, group, known);
      const waiting = requestsFor([...missing, ...gone].sort((a, b) => a.offset - b.offset)).values();
      const lane = async (): Promise<void> => {
        for (const range of waiting) {
          this.#connection.throwIfAborted();
          const pieces = this.#io.readRange(location, { ...range, identity: end.identity });
          await writePieces(handle, pieces, range.offset);
        }
      };
      await Promise.all(Array.from({ length: RANGES_AT_ONCE }, lane));
      await write(handle, tail, footer.offset);
    }).catch(async (error: unknown) => {
      if (isMoraineError(error, 'FILE_CHANGED')) {
        await forgetEnd(this.#io, location, group, BigInt(end.sizeBytes));
      }
      throw error;
    });
  }
}

/** Requests that fetch ranges (ascending): those that are close together as one, long ones in pieces. */
export function requestsFor(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const joined: { offset: number; length: number }[] = [];
  for (const { offset, length } of ranges) {
    const last = joined.at(-1);
    if (last !== undefined && offset <= last.offset + last.length + GAP_BYTES) {
      last.length = Math.max(last.length, offset + length - last.offset);
    } else joined.push({ offset, length });
  }
  return joined.flatMap(({ offset, length }) => {
    const pieces = Math.ceil(length / RANGE_BYTES);
    return Array.from({ length: pieces }, (_, index) => {
      const start = index * RANGE_BYTES;
      return { offset: offset + start, length: Math.min(RANGE_BYTES, length - start) };
    });
  });
}

/** What files of the cache belong to. @throws LOCATION_REFUSED */
async function groupOf(io: FileIO, location: Location, sizeBytes?: bigint): Promise<string> {
  return cacheGroup(io, await io.canonical(location), sizeBytes);
}

async function place(
  diskCache: DiskCache | null,
  group: string,
  name: string,
  copy: string,
  make: (path: string) => Promise<void>,
): Promise<void> {
  if (diskCache === null) await make(copy);
  else await diskCache.place(group, name, copy, make);
}

async function fetchFile(io: FileIO, location: Location, path: string): Promise<void> {
  const { sizeBytes, identity } = await io.stat(location);
  await writeSparse(path, 0, async (handle) => {
    for (const range of requestsFor([{ offset: 0, length: sizeBytes }])) {
      await writePieces(handle, io.readRange(location, { ...range, identity }), range.offset);
    }
  });
}

function naming<T>(location: Location, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!isMoraineError(cause, 'DATA_FILE_CORRUPT')) throw cause;
    throw new MoraineError('DATA_FILE_CORRUPT', `${cause.message} (${location})`, {
      details: { path: location },
      cause,
    });
  }
}
