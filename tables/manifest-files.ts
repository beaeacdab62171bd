/** Manifest lists and manifests on storage: read once, kept parsed, written under unique names. */
import { isMoraineError, MoraineError } from '../errors/index.js';
import {
  currentSchema,
  type ManifestContext,
  type ManifestEntry,
  type ManifestFile,
  manifestFileOfV1,
  readManifest,
  readManifestList,
  type Schema,
  type Snapshot,
  type TableMetadata,
  untoldFields,
} from '../iceberg/index.js';
import { type FileIO, type FileKey, FileKind, mapConcurrently, type ParsedFile, readKept } from '../storage/index.js';

const MAX_MANIFEST_BYTES = 512 * 2 ** 20;

const MANIFEST = new FileKind<readonly ManifestEntry[]>('manifest');
const MANIFEST_LIST = new FileKind<readonly ManifestFile[]>('manifest list');

/** Measured bytes of memory of a parsed entry, and of a parsed manifest file of a list, besides the bytes of its file. */
const ENTRY_BYTES = 1200;
const LISTED_BYTES = 1800;

const entriesCost = (entries: readonly ManifestEntry[], fileBytes: number): number =>
  fileBytes + ENTRY_BYTES * entries.length;

const listCost = (manifests: readonly ManifestFile[], fileBytes: number): number =>
  fileBytes + LISTED_BYTES * manifests.length;

/** Whether what was read is kept parsed: `once` is for readers of whole histories, which would fill the caches with what nobody asks for again. */
export type ReadFor = 'again' | 'once';

function damaged(what: string, location: string, error: unknown): MoraineError {
  const reason = error instanceof Error ? error.message : String(error);
  const code = isMoraineError(error) ? error.code : 'MANIFEST_CORRUPT';
  const details = { ...(isMoraineError(error) ? error.details : {}), location };
  return new MoraineError(code, `${what} ${JSON.stringify(location)} cannot be read: ${reason}`, {
    details,
    cause: error,
  });
}

async function readImmutable<T>(
  io: FileIO,
  what: string,
  key: FileKey<T>,
  parse: (bytes: Uint8Array) => T,
  cost: (value: T, fileBytes: number) => number,
  readFor: ReadFor,
): Promise<T> {
  const { location } = key;
  try {
    const load = (): Promise<ParsedFile<T>> =>
      readKept(io, location, { maxBytes: MAX_MANIFEST_BYTES }, (bytes) => {
        const value = parse(bytes);
        return { value, costBytes: cost(value, bytes.length) };
      });
    return readFor === 'once' ? (await load()).value : await io.cache.get(key, load);
  } catch (error) {
    throw damaged(what, location, error);
  }
}

/** Early v1 snapshots list the locations of their manifests and nothing else about them. */
async function listedInMetadata(io: FileIO, snapshot: Snapshot): Promise<readonly ManifestFile[]> {
  return mapConcurrently(snapshot.manifests ?? [], async (location) => {
    try {
      return await readKept(io, location, { maxBytes: MAX_MANIFEST_BYTES }, (bytes) =>
        manifestFileOfV1(location, bytes, snapshot.snapshotId),
      );
    } catch (error) {
      throw damaged('Manifest', location, error);
    }
  });
}

/**
 * The manifests of a snapshot.
 * @throws MoraineError `MANIFEST_CORRUPT`, `FILE_NOT_FOUND`, `LOCATION_REFUSED`, naming the file
 */
export async function readSnapshotManifests(
  io: FileIO,
  snapshot: Snapshot | null,
  readFor: ReadFor = 'again',
): Promise<readonly ManifestFile[]> {
  if (snapshot === null) return [];
  const { manifestList } = snapshot;
  if (manifestList === undefined) return listedInMetadata(io, snapshot);
  const parse = (bytes: Uint8Array) => readManifestList(bytes, manifestList);
  return readImmutable(io, 'Manifest list', { kind: MANIFEST_LIST, location: manifestList }, parse, listCost, readFor);
}

/** Schemas and specs that reading manifests needs, the current schema first. */
export function manifestContext(metadata: TableMetadata): ManifestContext {
  const isCurrent = (schema: Schema) => schema.schemaId === metadata.currentSchemaId;
  const schemas = [...metadata.schemas.filter(isCurrent), ...metadata.schemas.filter((schema) => !isCurrent(schema))];
  return { specs: metadata.partitionSpecs, schemas };
}

/**
 * The inheritance of a manifest's entries depends on the list that names it, and the types of their partition values on the
 * table's schemas, so both are part of the cache's key; so is the length, in which another file of that name would differ.
 */
function manifestKey(manifest: ManifestFile, metadata: TableMetadata): FileKey<readonly ManifestEntry[]> {
  const {
    manifestPath: location,
    manifestLength,
    addedSnapshotId,
    sequenceNumber,
    partitionSpecId,
    firstRowId,
  } = manifest;
  const spec = metadata.partitionSpecs.find(({ specId }) => specId === partitionSpecId);
  const untold = spec === undefined ? [] : untoldFields(spec, currentSchema(metadata), metadata.schemas);
  const types = [metadata.currentSchemaId, ...untold].join(',');
  const parts = [manifestLength, addedSnapshotId, sequenceNumber, partitionSpecId, firstRowId ?? '', types];
  return { kind: MANIFEST, location, variant: parts.join('/') };
}

/**
 * The entries of a manifest, with inherited snapshot ids and sequence numbers filled in.
 * @throws MoraineError `MANIFEST_CORRUPT`, `FILE_NOT_FOUND`, `LOCATION_REFUSED`, naming the file
 */
export async function readManifestEntries(
  io: FileIO,
  metadata: TableMetadata,
  manifest: ManifestFile,
  readFor: ReadFor = 'again',
): Promise<readonly ManifestEntry[]> {
  const parse = (bytes: Uint8Array) => readManifest(bytes, manifestContext(metadata), manifest);
  return readImmutable(io, 'Manifest', manifestKey(manifest, metadata), parse, entriesCost, readFor);
}

/** Creates a manifest list and remembers it. */
export async function createManifestList(
  io: FileIO,
  location: string,
  bytes: Uint8Array,
  content: readonly ManifestFile[],
): Promise<void> {
  await io.create(location, bytes);
  io.cache.put({ kind: MANIFEST_LIST, location }, { value: content, costBytes: listCost(content, bytes.length) });
}

/** Remembers the entries of a manifest that was just written, as a list with this manifest file has them. */
export function rememberManifest(
  io: FileIO,
  metadata: TableMetadata,
  manifest: ManifestFile,
  entries: readonly ManifestEntry[],
): void {
  io.cache.put(manifestKey(manifest, metadata), {
    value: entries,
    costBytes: entriesCost(entries, Number(manifest.manifestLength)),
  });
}

/** Whether a manifest may hold live files; early v1 lists do not count them. */
export function mayHaveLiveFiles(manifest: ManifestFile): boolean {
  return manifest.addedFilesCount !== 0 || manifest.existingFilesCount !== 0;
}
