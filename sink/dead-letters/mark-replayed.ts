/** Writing into dead letters when they became rows: their files are written again, since most engines read those without delete files faster. */
import { randomUUID } from 'node:crypto';
import { type Connection, loadRows, quoteIdentifier, sqlType } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import { currentSchema, currentSnapshot, isJsonArray, isJsonObject, parseJson } from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import { stageRows } from '../../staging/index.js';
import type { FileIO } from '../../storage/index.js';
import {
  commitOverwrite,
  commitUpdates,
  loadTable,
  requireWritable,
  retryConflicts,
  type Table,
} from '../../tables/index.js';
import type { TableWork } from '../protocol/pending-work.js';
import type { SinkDeps } from '../sink-options.js';
import { deadLetterRowsSql, planDeadLetters } from './dead-letter-rows.js';
import type { DeadLetterColumn } from './dead-letter-table.js';
import { isMarked, type MarkedBatch, markedProperties } from './marked-batch.js';

/** Dead letters that became rows in one commit. */
export interface ReplayedList {
  readonly ids: readonly string[];
  /** Keys of the rows that an upsert made of them, by id. */
  readonly keys: ReadonlyMap<string, string>;
  readonly replayedAtMs: number;
}

/** Stores a list for {@link markReplayed}, at a location that is nobody else's. */
export async function storeReplayed(
  io: FileIO,
  location: Location,
  { ids, keys, replayedAtMs }: ReplayedList,
): Promise<void> {
  const list = { 'replayed-at-ms': String(replayedAtMs), ids, keys: Object.fromEntries(keys) };
  await io.create(location, Buffer.from(JSON.stringify(list)));
}

async function readReplayed(io: FileIO, location: Location): Promise<ReplayedList> {
  const json = parseJson(Buffer.from(await io.read(location)).toString());
  const list = isJsonObject(json) ? json : {};
  const { ids, keys = {}, 'replayed-at-ms': at } = list;
  if (ids !== undefined && isJsonArray(ids) && isJsonObject(keys) && typeof at === 'string') {
    const known = Object.entries(keys).flatMap(([id, key]) => (typeof key === 'string' ? [[id, key] as const] : []));
    return { ids: ids.filter((id) => typeof id === 'string'), keys: new Map(known), replayedAtMs: Number(at) };
  }
  throw new MoraineError('METADATA_CORRUPT', `${location} is no list of replayed dead letters.`);
}

/** The commit that has made rows of dead letters. */
interface ReplayCommit {
  /** Of the table that has the rows. */
  readonly tableUuid: string;
  /** That of its snapshot; null: it is not known any more. */
  readonly sequenceNumber: bigint | null;
}

/**
 * Sets `replayed_at`, and what goes with it, of the dead letters of a list that have none. Done again it does nothing, and needs no list: a sweep takes that once the replay
 * has ended. Dead letters that others append or compact meanwhile stay.
 * @throws MoraineError `FILE_NOT_FOUND` if the list is gone, `COMMIT_CONFLICT`, and what scanning and committing throws
 */
export async function markReplayed(
  { catalog, engine }: SinkDeps,
  table: Table,
  { batchId, file }: TableWork,
  commit: ReplayCommit,
): Promise<void> {
  const batch = { batchId, tableUuid: commit.tableUuid };
  if (isMarked(table.metadata, batch)) return;
  const { sequenceNumber } = commit;
  const list = { ...(await readReplayed(table.io, file)), ...batch, sequenceNumber };
  await retryConflicts(requireWritable(table), async () => {
    const current = await loadTable(catalog, table.io, table.identifier);
    if (isMarked(current.metadata, batch)) return;
    const isDone = await engine.withConnection((connection) => markOnce(current, connection, list));
    // Others may have marked them, or deleted them.
    if (!isDone) await rememberMarked(current, batch);
  });
}

/** Notes of a batch that a state of the dead-letter table has nothing to mark of. */
async function rememberMarked(table: Table, batch: MarkedBatch): Promise<void> {
  const snapshot = currentSnapshot(table.metadata);
  if (snapshot === null) return;
  const updates = markedProperties(batch, snapshot.sequenceNumber);
  await commitUpdates(table, ({ properties }) =>
    [...updates].every(([name, value]) => properties.get(name) === value)
      ? null
      : [{ action: 'set-properties', updates }],
  );
}

const column = (name: DeadLetterColumn): string => quoteIdentifier(name);
const MICROSECONDS = 1_000n;

/** @returns false: there was nothing to mark */
async function markOnce(
  table: Table,
  connection: Connection,
  { ids, keys, replayedAtMs, sequenceNumber, ...batch }: ReplayedList & ReplayCommit & MarkedBatch,
): Promise<boolean> {
  const schema = currentSchema(table.metadata);
  const plan = await planDeadLetters(table);
  if (plan.files.length === 0) return false;
  const listed = `moraine_replayed_${randomUUID().replaceAll('-', '_')}`;
  await loadRows(
    connection,
    listed,
    [{ kind: 'string' }, { kind: 'string' }],
    ids.map((id) => [id, keys.get(id) ?? null]),
  );
  try {
    const isListed = `${column('replayed_at')} IS NULL AND ${column('id')} IN (SELECT c0 FROM ${listed})`;
    const numbered = await deadLetterRowsSql(connection, table, plan);
    const found = await connection.rows(`SELECT DISTINCT moraine_file FROM ${numbered} WHERE ${isListed}`);
    const files = found.flatMap(([number]) => plan.files[Number(number)] ?? []);
    if (files.length === 0) return false;
    const rows = await deadLetterRowsSql(connection, table, { ...plan, files });
    const marks: ReadonlyMap<string, string> = new Map<DeadLetterColumn, string>([
      ['replayed_at', `make_timestamptz(${BigInt(replayedAtMs) * MICROSECONDS})`],
      ['replayed_sequence', sequenceNumber === null ? 'NULL' : String(sequenceNumber)],
      ['replayed_key', 'listed.c1'],
    ]);
    const columns = schema.fields.map(({ name, type }) => {
      const [own, mark] = [`letters.${quoteIdentifier(name)}`, marks.get(name)];
      const isMarked = `listed.c0 IS NOT NULL AND letters.${column('replayed_at')} IS NULL`;
      return `CAST(${mark === undefined ? own : `CASE WHEN ${isMarked} THEN ${mark} ELSE ${own} END`} AS ${sqlType(type)})`;
    });
    const joined = `${rows} AS letters LEFT JOIN ${listed} AS listed ON letters.${column('id')} = listed.c0`;
    const namePrefix = `replayed-${randomUUID()}`;
    const written = await stageRows(connection, table, {
      select: `SELECT ${columns.join(', ')} FROM ${joined}`,
      namePrefix,
    });
    const replaced = new Set(files.map(({ file }) => file.filePath));
    await commitOverwrite(table, {
      files: written,
      removeFiles: [...replaced],
      validateNoNewFilesFrom: table.metadata.currentSnapshotId,
      validateFiles: (file) => replaced.has(file.filePath),
      properties: ({ lastSequenceNumber }) => markedProperties(batch, lastSequenceNumber + 1n),
      run: { key: namePrefix },
    });
    return true;
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${listed}`);
  }
}
