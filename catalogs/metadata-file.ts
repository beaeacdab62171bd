/** Table metadata files: reading with limits, writing, and the cache of both. */
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { parseTableMetadata, type TableMetadata, tableMetadataToJson, withMetadataLogEntry } from '../iceberg/index.js';
import { comparableLocation, type Location } from '../locations/index.js';
import { type FileIO, FileKind, type ParsedFile } from '../storage/index.js';
import { type LoadedTable } from './catalog.js';
import { afterOutcome } from './commit-outcome.js';
import { isGzipMetadataFile, isMetadataFile, metadataFolder } from './location-names.js';

const gunzipAsync = promisify(gunzip);
const gzipAsync = promisify(gzip);
/** Half the time of the default level, for files 7 % larger. */
const GZIP = { level: 1 };

/** How large a metadata file may be, as stored and once decompressed. */
export interface MetadataLimits {
  readonly maxBytes: number;
  readonly maxDecompressedBytes: number;
}

export const DEFAULT_METADATA_LIMITS: MetadataLimits = { maxBytes: 64 * 2 ** 20, maxDecompressedBytes: 512 * 2 ** 20 };

/** Metadata, and the file that it was read from. */
interface ReadMetadata {
  readonly identity: string;
  readonly metadata: TableMetadata;
}

const METADATA = new FileKind<ReadMetadata>('metadata');

function corrupt(location: string, cause: unknown): MoraineError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = isMoraineError(cause) ? cause.code : 'METADATA_CORRUPT';
  return new MoraineError(code, `Table metadata ${JSON.stringify(location)} cannot be read: ${reason}`, {
    details: { ...(isMoraineError(cause) ? cause.details : {}), location },
    cause,
  });
}

async function decompress(location: string, bytes: Uint8Array, limits: MetadataLimits): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await gunzipAsync(bytes, { maxOutputLength: limits.maxDecompressedBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw corrupt(location, error);
    const message = `Table metadata ${JSON.stringify(location)} is larger than ${limits.maxDecompressedBytes} bytes once decompressed.`;
    throw new MoraineError('LIMIT_EXCEEDED', message, { details: { location } });
  }
}

/**
 * Reads a metadata file, gzip or not, past every cache.
 * @throws MoraineError `FILE_NOT_FOUND`, `LIMIT_EXCEEDED`, `METADATA_CORRUPT`, `FORMAT_VERSION_UNSUPPORTED`, each naming the file
 */
export async function readTableMetadata(
  io: FileIO,
  location: string,
  limits: MetadataLimits = DEFAULT_METADATA_LIMITS,
): Promise<TableMetadata> {
  return (await parseFile(io, location, limits)).value;
}

/** Measured bytes of memory for each byte of JSON, with the texts of snapshots that a commit keeps. */
const MEMORY_FACTOR = 4;

async function parseFile(io: FileIO, location: Location, limits: MetadataLimits): Promise<ParsedFile<TableMetadata>> {
  const stored = await io.read(location, { maxBytes: limits.maxBytes });
  const bytes = await decompress(location, stored, limits);
  try {
    return { value: parseTableMetadata(bytes), costBytes: MEMORY_FACTOR * bytes.length };
  } catch (error) {
    throw corrupt(location, error);
  }
}

/** A name that nobody gives twice, as Java, PyIceberg and Moraine make them. */
const UNIQUE_NAME = /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}[^/]*$/i;

/**
 * What a metadata file is told from another one by that has its location: a table that was dropped and made again may have one of the same
 * name, such as `v1.metadata.json`, and a commit must not be based on that of the old table. A store is not asked about a unique name: it
 * would be the one request of each warm read.
 */
async function identityOf(io: FileIO, location: Location): Promise<string> {
  if (io.localFiles(location) === null && UNIQUE_NAME.test(location)) return location;
  return (await io.stat(location)).identity;
}

/** Reads a metadata file that a catalog points at; each is parsed once. */
export async function readTableMetadataCached(io: FileIO, location: Location): Promise<TableMetadata> {
  const identity = await identityOf(io, location);
  const key = { kind: METADATA, location };
  const load = async (): Promise<ParsedFile<ReadMetadata>> => {
    const { value: metadata, costBytes } = await parseFile(io, location, DEFAULT_METADATA_LIMITS);
    return { value: { identity, metadata }, costBytes };
  };
  const kept = await io.cache.get(key, load);
  if (kept.identity === identity) return kept.metadata;
  io.cache.forget(key);
  return (await io.cache.get(key, load)).metadata;
}

/** Writes a new metadata file, compressed if it is named so; `FILE_ALREADY_EXISTS` if the name is taken. */
export async function writeTableMetadata(io: FileIO, location: string, metadata: TableMetadata): Promise<void> {
  const bytes = new TextEncoder().encode(tableMetadataToJson(metadata));
  await io.create(location, isGzipMetadataFile(location) ? await gzipAsync(bytes, GZIP) : bytes);
  const identity = await identityOf(io, location);
  io.cache.put(
    { kind: METADATA, location },
    { value: { identity, metadata }, costBytes: MEMORY_FACTOR * bytes.length },
  );
}

/** Gives up a metadata file that has been replaced: kept versions of a long history would fill the memory. */
export function forgetTableMetadata(io: FileIO, location: Location): void {
  io.cache.forget({ kind: METADATA, location });
}

const DEFAULT_PREVIOUS_VERSIONS_MAX = 100;
/** A commit ends after at most this many deletions; the orphan sweep removes the other files. */
const MAX_DELETED_PER_COMMIT = 1000;
/** Metadata files that are looked at, and deleted, at once. */
const CONCURRENCY = 16;

function previousVersionsMax(metadata: TableMetadata): number {
  const value = Number(metadata.properties.get('write.metadata.previous-versions-max'));
  return Number.isInteger(value) && value >= 1 ? value : DEFAULT_PREVIOUS_VERSIONS_MAX;
}

/** Appends the file that is being replaced to the log, bounded by `write.metadata.previous-versions-max` (100). */
export function withMetadataLog(metadata: TableMetadata, base: LoadedTable): TableMetadata {
  const updatedMs = base.metadata.lastUpdatedMs;
  return withMetadataLogEntry(metadata, base.metadataLocation, previousVersionsMax(metadata), updatedMs);
}

/**
 * Deletes metadata files that a commit dropped from the log, at most 1,000 of them, if
 * `write.metadata.delete-after-commit.enabled` is true. Only metadata of this very table goes, that lies in its metadata folder and that no
 * table is at: a log may name any file. What cannot be deleted is left as an orphan.
 * @param inUse the metadata files that tables are at; null: it is not known, and all is left to the orphan sweep
 */
export async function deleteExpiredMetadata(
  io: FileIO,
  base: TableMetadata,
  current: TableMetadata,
  inUse: () => Promise<readonly string[] | null>,
): Promise<void> {
  if (current.properties.get('write.metadata.delete-after-commit.enabled') !== 'true') return;
  const kept = new Set(current.metadataLog.map((entry) => comparableLocation(entry.metadataFile)));
  const dropped = base.metadataLog
    .map((entry) => comparableLocation(entry.metadataFile))
    .filter((location) => !kept.has(location))
    .slice(0, MAX_DELETED_PER_COMMIT);
  if (dropped.length === 0) return;
  const locations = await inUse();
  if (locations === null) return;
  const used = new Set(locations.map(comparableLocation));
  const folder = await io.canonical(metadataFolder(current));
  const deleteIfOwn = async (location: string): Promise<void> => {
    if (used.has(location) || !isMetadataFile(location) || dirname(await io.canonical(location)) !== folder) return;
    if ((await readTableMetadata(io, location)).tableUuid === current.tableUuid) await io.delete(location);
  };
  for (let first = 0; first < dropped.length; first += CONCURRENCY) {
    const some = dropped.slice(first, first + CONCURRENCY);
    await afterOutcome(...some.map((location) => () => deleteIfOwn(location)));
  }
}
