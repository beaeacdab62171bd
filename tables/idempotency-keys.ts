/**
 * Work that clients name by a key is committed once within 24 hours, whatever snapshots expire meanwhile: the keys stand in a table property that is set in the
 * same commit, and in files beside the metadata that the property lists. ADR 0040.
 */
import { randomUUID } from 'node:crypto';
import { metadataFolder, SYSTEM_CLOCK } from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import { ancestors, findSnapshot, type TableMetadata } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import { type FileIO, mapConcurrently, readKept } from '../storage/index.js';
import type { CommitOptions } from './commit.js';
import {
  decodeRecords,
  encodeRecords,
  findRecord,
  IDEMPOTENCY_KEYS,
  type IdempotencyFile,
  type IdempotencyKey,
  type IdempotencyList,
  type IdempotencyRecord,
  idempotencyList,
  idempotencyText,
  isValid,
  RECORD_BYTES,
  sortedRecords,
  untilMs,
} from './idempotency-records.js';
import type { Table } from './table.js';

/** Records that the property has itself before they go to a file. */
const MAX_RECENT = 256;
/** Files of about one size that are merged into one. */
const FILES_TO_MERGE = 8;
/** Files of more records are merged no more. */
const MAX_MERGED_RECORDS = 131_072;
const MAX_FILE_BYTES = 256 * 2 ** 20;

/** Files that were read last, by table files' `io`: they never change. */
const kept = new WeakMap<FileIO, Map<Location, Promise<Buffer>>>();

async function recordsOf(io: FileIO, { location }: IdempotencyFile): Promise<Buffer> {
  const files = kept.get(io) ?? new Map<Location, Promise<Buffer>>();
  kept.set(io, files);
  let bytes = files.get(location);
  if (bytes === undefined) {
    bytes = readKept(io, location, { maxBytes: MAX_FILE_BYTES }, (content) => {
      if (content.length % RECORD_BYTES === 0) return Buffer.from(content);
      throw new MoraineError('METADATA_CORRUPT', `The file of idempotency keys ${location} is cut short.`);
    });
    files.set(location, bytes);
    bytes.catch(() => files.delete(location));
  }
  return await bytes;
}

/** Forgets files that a table does not list any more. */
function forgetOthers(io: FileIO, { location }: TableMetadata, { files }: IdempotencyList): void {
  const listed = new Set(files.map((file) => file.location));
  const known = kept.get(io);
  for (const file of known?.keys() ?? []) if (file.startsWith(`${location}/`) && !listed.has(file)) known?.delete(file);
}

type KeyTable = Pick<Table, 'io' | 'metadata' | 'catalog'>;

const nowOf = ({ catalog }: KeyTable): number => (catalog?.clock ?? SYSTEM_CLOCK).nowMs();

/**
 * The commits of keys, as far as they are valid and part of the table's history.
 * @throws METADATA_CORRUPT, FILE_NOT_FOUND
 */
export async function findIdempotencyKeys(
  table: KeyTable,
  keys: readonly string[],
): Promise<ReadonlyMap<string, IdempotencyRecord>> {
  const found = new Map<string, IdempotencyRecord>();
  if (keys.length === 0) return found;
  const { io, metadata } = table;
  const list = idempotencyList(metadata);
  const nowMs = nowOf(table);
  const note = (record: IdempotencyRecord | undefined): void => {
    if (record === undefined || !isValid(record, nowMs) || isRolledBack(metadata, record)) return;
    const known = found.get(record.key);
    if (known === undefined || known.committedMs <= record.committedMs) found.set(record.key, record);
  };
  const wanted = new Set(keys);
  for (const record of list.recent) if (wanted.has(record.key)) note(record);
  await mapConcurrently(list.files, async (file) => {
    if (file.untilMs <= nowMs) return;
    const bytes = await recordsOf(io, file);
    for (const key of wanted) note(findRecord(bytes, key));
  });
  forgetOthers(io, metadata, list);
  return found;
}

/** Whether the commit was taken back: a snapshot that is there and not in the history. One that is not there has expired from it. */
function isRolledBack(metadata: TableMetadata, { snapshotId }: IdempotencyRecord): boolean {
  if (findSnapshot(metadata, snapshotId) === undefined) return false;
  const { currentSnapshotId } = metadata;
  if (currentSnapshotId === null) return true;
  for (const snapshot of ancestors(metadata, currentSnapshotId)) if (snapshot.snapshotId === snapshotId) return false;
  return true;
}

/** Keys of a commit that others have committed meanwhile. */
export class IdempotencyKeysTaken extends Error {}

/**
 * Options of a commit that records keys. Its attempts fail with {@link IdempotencyKeysTaken} once one of the keys is in the table.
 * @param table that the commit is of
 */
export function recordingKeys(
  table: KeyTable,
  keys: readonly IdempotencyKey[],
): Pick<CommitOptions, 'validate' | 'properties'> {
  if (keys.length === 0) return {};
  let next: IdempotencyList = { files: [], recent: [] };
  return {
    validate: async (metadata) => {
      const base = { ...table, metadata };
      const taken = await findIdempotencyKeys(
        base,
        keys.map(({ key }) => key),
      );
      if (taken.size > 0) throw new IdempotencyKeysTaken('Another commit has one of the keys.');
      next = await withRoom(base);
    },
    properties: (_, snapshotId) => {
      const committedMs = BigInt(nowOf(table));
      const added = keys.map(({ key, content, atMs = committedMs }): IdempotencyRecord => {
        return { key, content, snapshotId, committedMs: atMs };
      });
      return new Map([[IDEMPOTENCY_KEYS, idempotencyText({ ...next, recent: [...next.recent, ...added] })]]);
    },
  };
}

/** The list of a base, with its records in files once there are many. Files that no commit comes to list are left to the orphan sweep. */
async function withRoom(base: KeyTable): Promise<IdempotencyList> {
  const { files, recent: listed } = idempotencyList(base.metadata);
  const nowMs = nowOf(base);
  const valid = files.filter((file) => file.untilMs > nowMs);
  const recent = listed.filter((record) => isValid(record, nowMs) && !isRolledBack(base.metadata, record));
  if (recent.length < MAX_RECENT) return { files: valid, recent };
  return { files: await merged(base, [...valid, await written(base, recent)]), recent: [] };
}

/** Merges files of about one size while there are many of them, so that the list stays short. */
async function merged(base: KeyTable, files: readonly IdempotencyFile[]): Promise<readonly IdempotencyFile[]> {
  const tiers = new Map<number, IdempotencyFile[]>();
  for (const file of files) {
    if (file.records > MAX_MERGED_RECORDS) continue;
    const tier = Math.floor(Math.log(Math.max(1, file.records / MAX_RECENT)) / Math.log(FILES_TO_MERGE));
    tiers.set(tier, [...(tiers.get(tier) ?? []), file]);
  }
  const many = [...tiers.values()].find((tier) => tier.length >= FILES_TO_MERGE);
  if (many === undefined) return files;
  const records = await mapConcurrently(many, async (file) => decodeRecords(await recordsOf(base.io, file)));
  const others = files.filter((file) => !many.includes(file));
  return await merged(base, [...others, await written(base, records.flat())]);
}

async function written(base: KeyTable, records: readonly IdempotencyRecord[]): Promise<IdempotencyFile> {
  const sorted = sortedRecords(records, nowOf(base));
  const location = `${metadataFolder(base.metadata)}/idempotency-keys-${randomUUID()}.bin`;
  await base.io.create(location, encodeRecords(sorted));
  return { location, records: sorted.length, untilMs: untilMs(sorted) };
}
