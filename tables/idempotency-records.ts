/**
 * Idempotency keys of commits, as bytes and as a table property. Pure.
 *
 * A record has 40 bytes: the key (16), the digest of what was written under it (8), the snapshot id (8) and the time of the commit, or of the work if the key has that, in milliseconds (8), both big-endian.
 * Files of records are sorted by key. The property lists the files, and has the records of the latest commits itself.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';

/** A key and what was written under it, as digests. */
export interface IdempotencyKey {
  /** 16 bytes in hex. */
  readonly key: string;
  /** 8 bytes in hex. */
  readonly content: string;
  /** Since when it is valid, in milliseconds since the epoch; since the commit by default. */
  readonly atMs?: bigint | undefined;
}

const KEY_DIGITS = 32;
const CONTENT_DIGITS = 16;

/**
 * The key that a name stands for.
 * @param name told apart from others by what it begins with
 * @param contentDigest in hex; a key without one is the same whatever is written under it
 */
export function idempotencyKey(name: string, contentDigest = '0'.repeat(CONTENT_DIGITS)): IdempotencyKey {
  const key = createHash('sha256').update(name).digest('hex').slice(0, KEY_DIGITS);
  return { key, content: contentDigest.slice(0, CONTENT_DIGITS) };
}

export interface IdempotencyRecord extends Omit<IdempotencyKey, 'atMs'> {
  readonly snapshotId: bigint;
  /** Time of the commit, or of the work where the key has it. */
  readonly committedMs: bigint;
}

/** A file of records. */
export interface IdempotencyFile {
  readonly location: Location;
  readonly records: number;
  /** When the last of its keys ends to be valid, in milliseconds since the epoch. */
  readonly untilMs: number;
}

/** What a table knows of keys. */
export interface IdempotencyList {
  readonly files: readonly IdempotencyFile[];
  readonly recent: readonly IdempotencyRecord[];
}

/** Table property. */
export const IDEMPOTENCY_KEYS = 'moraine.idempotency-keys';
/** How long a key is valid, in milliseconds. */
export const IDEMPOTENCY_MS = 24 * 3_600_000;
export const RECORD_BYTES = 40;
const KEY_BYTES = 16;
const CONTENT_BYTES = 8;

const listJson = z.object({
  files: z.array(z.object({ location: z.string(), records: z.int().min(0), 'until-ms': z.int() })),
  recent: z.string(),
});

/** @throws METADATA_CORRUPT: without the list nobody knows what was written */
export function idempotencyList({ properties }: Pick<TableMetadata, 'properties'>): IdempotencyList {
  const text = properties.get(IDEMPOTENCY_KEYS);
  if (text === undefined) return { files: [], recent: [] };
  try {
    const { files, recent } = listJson.parse(JSON.parse(text));
    return {
      files: files.map(({ location, records, 'until-ms': untilMs }) => ({ location, records, untilMs })),
      recent: decodeRecords(Buffer.from(recent, 'base64')),
    };
  } catch (error) {
    const message = `The table property ${IDEMPOTENCY_KEYS} cannot be read. Remove it to go on; writes of the last 24 hours under an idempotency key may then be done again.`;
    throw new MoraineError('METADATA_CORRUPT', message, { cause: error });
  }
}

/** The value of the property. */
export function idempotencyText({ files, recent }: IdempotencyList): string {
  return JSON.stringify({
    files: files.map(({ location, records, untilMs }) => ({ location, records, 'until-ms': untilMs })),
    recent: encodeRecords(recent).toString('base64'),
  } satisfies z.input<typeof listJson>);
}

/** The files that a table's property lists; none if it cannot be read, which whoever writes under a key is told. */
export function idempotencyFiles(metadata: TableMetadata): readonly IdempotencyFile[] {
  try {
    return idempotencyList(metadata).files;
  } catch (error) {
    if (isMoraineError(error, 'METADATA_CORRUPT')) return [];
    throw error;
  }
}

/** Metadata whose property names the files by their new locations. */
export function withRelocatedKeys(metadata: TableMetadata, of: (location: Location) => Location): TableMetadata {
  const files = idempotencyFiles(metadata).map((file) => ({ ...file, location: of(file.location) }));
  if (files.length === 0) return metadata;
  const { recent } = idempotencyList(metadata);
  const text = idempotencyText({ files, recent });
  return { ...metadata, properties: new Map([...metadata.properties, [IDEMPOTENCY_KEYS, text]]) };
}

export function encodeRecords(records: readonly IdempotencyRecord[]): Buffer {
  const bytes = Buffer.alloc(records.length * RECORD_BYTES);
  for (const [index, { key, content, snapshotId, committedMs }] of records.entries()) {
    const at = index * RECORD_BYTES;
    bytes.write(key, at, 'hex');
    bytes.write(content, at + KEY_BYTES, 'hex');
    bytes.writeBigInt64BE(snapshotId, at + KEY_BYTES + CONTENT_BYTES);
    bytes.writeBigInt64BE(committedMs, at + KEY_BYTES + CONTENT_BYTES + 8);
  }
  return bytes;
}

export function decodeRecords(bytes: Buffer): readonly IdempotencyRecord[] {
  if (bytes.length % RECORD_BYTES !== 0) throw new TypeError('half a record');
  return Array.from({ length: bytes.length / RECORD_BYTES }, (_, index) => recordAt(bytes, index));
}

function recordAt(bytes: Buffer, index: number): IdempotencyRecord {
  const at = index * RECORD_BYTES;
  return {
    key: bytes.toString('hex', at, at + KEY_BYTES),
    content: bytes.toString('hex', at + KEY_BYTES, at + KEY_BYTES + CONTENT_BYTES),
    snapshotId: bytes.readBigInt64BE(at + KEY_BYTES + CONTENT_BYTES),
    committedMs: bytes.readBigInt64BE(at + KEY_BYTES + CONTENT_BYTES + 8),
  };
}

/** Records for a file: in the order of the keys, of each key the newest, without those that are not valid any more. */
export function sortedRecords(records: readonly IdempotencyRecord[], nowMs: number): readonly IdempotencyRecord[] {
  const newest = new Map<string, IdempotencyRecord>();
  for (const record of records) {
    const known = newest.get(record.key);
    const isNewest = known === undefined || known.committedMs < record.committedMs;
    if (isNewest && isValid(record, nowMs)) newest.set(record.key, record);
  }
  return [...newest.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The record of a key in the bytes of a file. */
export function findRecord(bytes: Buffer, key: string): IdempotencyRecord | undefined {
  const wanted = Buffer.from(key, 'hex');
  let [low, high] = [0, bytes.length / RECORD_BYTES];
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = middle * RECORD_BYTES;
    const order = wanted.compare(bytes, at, at + KEY_BYTES);
    if (order === 0) return recordAt(bytes, middle);
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return undefined;
}

export function isValid({ committedMs }: IdempotencyRecord, nowMs: number): boolean {
  return Number(committedMs) + IDEMPOTENCY_MS > nowMs;
}

/** When the last of some records ends to be valid. */
export function untilMs(records: readonly IdempotencyRecord[]): number {
  return records.reduce((last, { committedMs }) => Math.max(last, Number(committedMs) + IDEMPOTENCY_MS), 0);
}
