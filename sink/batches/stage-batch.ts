/** Buffered records become files that no snapshot lists yet. */
import { randomUUID } from 'node:crypto';
import { type Connection, type Engine, quoteIdentifier } from '../../engine/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { currentSchema, type Schema } from '../../iceberg/index.js';
import { printableLocation } from '../../locations/index.js';
import { stageRows } from '../../staging/index.js';
import { mapConcurrently } from '../../storage/index.js';
import { readManifestEntries, readStagedManifest, type Table } from '../../tables/index.js';
import type { OpenedRecords } from '../sink-records.js';
import { keepNewestOfEachKey, keyJsonSql } from '../upserts/upsert-deletes.js';
import { type UpsertColumns, type UpsertOptions, upsertColumns } from '../upserts/upsert-options.js';
import type { BufferedBatch } from './batch-buffer.js';
import { deleteStaged, stageListed } from './stage-listed.js';
import {
  type KeyPlaces,
  pendingFromJson,
  rangesFromJson,
  type SnapshotBatch,
  type StagedBatch,
} from './staged-batch.js';

/** Relations that are read in one statement: parts of a union are planned one within the other. */
const MAX_UNION = 100;

/**
 * Writes the records of a batch, those of all writers together: one file for each partition of the table, more only beyond the target size.
 * On failure nothing of it remains, and the records may be staged again.
 * @param upsert of records with one key one is written; `tracesKeys`: the batch says which
 * @param evolves whether the sink may change the table's schema
 * @throws what opening the records and `stageRows` throw
 */
export async function stageBatch(
  engine: Engine,
  table: Table,
  batch: BufferedBatch,
  upsert?: UpsertOptions & { readonly tracesKeys?: boolean },
  evolves = false,
): Promise<StagedBatch> {
  const id = randomUUID();
  const { files, rows, rejected, ...traced } = await engine.withConnection(async (connection) => {
    const opened: OpenedRecords[] = [];
    try {
      const schema = currentSchema(table.metadata);
      for (const records of batch.records) opened.push(await records.open(connection, schema, evolves));
      const filled = opened.filter((records) => records.rows > 0n);
      const found = opened.flatMap((records) => records.rejected);
      if (filled.length === 0) return { files: [], rows: 0n, rejected: found };
      const columns = upsert === undefined ? null : upsertColumns(schema, upsert);
      const select = await (columns === null
        ? unionOf(connection, schema, filled)
        : newestOf(connection, schema, filled, columns));
      const traces = columns !== null && upsert?.tracesKeys === true;
      const places = traces ? { keyPlaces: await keyPlaces(connection, columns, opened) } : {};
      // One thread writes files in order: a second one would only spin.
      const written = await stageRows(connection, table, { select, namePrefix: id, collected: 'already' });
      const count = filled.reduce((sum, records) => sum + records.rows, 0n);
      return { files: written, rows: count, rejected: found, ...places };
    } finally {
      if (upsert !== undefined || opened.length > MAX_UNION) await connection.run(`DROP TABLE IF EXISTS ${ROWS}`);
      for (const records of opened) await records.close();
    }
  });
  const schemaId = table.metadata.currentSchemaId;
  const written = files.reduce((sum, { recordCount }) => sum + recordCount, 0n);
  const listed = files.length === 0 ? null : await stageListed(table, files, id);
  const manifests = listed === null ? [] : [listed.manifest];
  const { ranges, delivery } = batch;
  return {
    ...{
      id,
      parts: [],
      ranges,
      manifests,
      schemaIds: [schemaId],
      delivery,
      rows: written,
      superseded: rows - written,
      rejected,
    },
    ...{ pending: [], files: listed?.files ?? [], ...traced },
  };
}

const ROWS = 'moraine_sink_rows';
const namesOf = ({ fields }: Schema): string => fields.map(({ name }) => quoteIdentifier(name)).join(', ');

const unionAll = (names: string, opened: readonly OpenedRecords[]): string =>
  opened.map(({ sql }) => `SELECT ${names} FROM (${sql})`).join(' UNION ALL ');

async function unionOf(connection: Connection, schema: Schema, opened: readonly OpenedRecords[]): Promise<string> {
  const names = namesOf(schema);
  return opened.length <= MAX_UNION ? unionAll(names, opened) : await collected(connection, names, opened);
}

/** The rows of all records in their order, as a temporary table. */
async function collected(connection: Connection, names: string, opened: readonly OpenedRecords[]): Promise<string> {
  await connection.run(`CREATE TEMP TABLE ${ROWS} AS ${unionAll(names, opened.slice(0, MAX_UNION))}`);
  for (let first = MAX_UNION; first < opened.length; first += MAX_UNION)
    await connection.run(`INSERT INTO ${ROWS} ${unionAll(names, opened.slice(first, first + MAX_UNION))}`);
  return `SELECT ${names} FROM ${ROWS}`;
}

async function newestOf(
  connection: Connection,
  schema: Schema,
  opened: readonly OpenedRecords[],
  columns: UpsertColumns,
): Promise<string> {
  const select = await collected(connection, namesOf(schema), opened);
  await keepNewestOfEachKey(connection, ROWS, columns);
  return select;
}

/** Which of the rows of {@link newestOf} stay. */
async function keyPlaces(
  connection: Connection,
  columns: UpsertColumns,
  opened: readonly OpenedRecords[],
): Promise<KeyPlaces> {
  const key = keyJsonSql(columns.key, ({ name }) => quoteIdentifier(name));
  const rows = await connection.rows(`SELECT ${key}, rowid FROM ${ROWS}`);
  return {
    places: new Map(rows.map(([text, place]) => [String(text), Number(place)])),
    omitted: opened.flatMap(({ omitted = [] }) => omitted),
  };
}

/** A batch of a host's checkpoint, or a part of one. @throws MoraineError `FILE_NOT_FOUND`, `MANIFEST_CORRUPT` */
export async function restoreBatch(table: Table, batch: SnapshotBatch): Promise<StagedBatch> {
  const manifest = batch.manifest === null ? null : await readStagedManifest(table, batch.manifest);
  const entries = manifest === null ? [] : await readManifestEntries(table.io, table.metadata, manifest);
  const files = entries.map(({ dataFile }) => dataFile.filePath);
  if (manifest !== null) files.push(manifest.manifestPath);
  const [ranges, pending] = [rangesFromJson(batch), pendingFromJson(batch)];
  const { id, schemaId, delivery = 'exactly-once' } = batch;
  const found = { rows: BigInt(batch.rows), superseded: 0n, rejected: [], delivery };
  const schemaIds = schemaId === undefined ? [] : [schemaId];
  const manifests = manifest === null ? [] : [manifest];
  return { id, parts: [], ranges, manifests, schemaIds, ...found, pending, files };
}

/** Files that were written longer ago are looked for before they are committed. */
const LASTING_MS = 3_600_000;

/**
 * Makes sure that the files of a batch are still there: an orphan sweep takes those that nobody has committed in days.
 * @param stagedAtMs when they were written, by the clock; 0: nobody knows
 * @throws MoraineError `FILE_NOT_FOUND`
 */
export async function requireFiles(
  { io }: Table,
  { id, pending, files }: StagedBatch,
  stagedAtMs: number,
): Promise<void> {
  if (Math.abs(Date.now() - stagedAtMs) <= LASTING_MS) return;
  const others = pending.flatMap((work) => (work.kind === 'materialize' ? [] : [work.file]));
  await mapConcurrently([...files, ...others], async (location) => {
    try {
      await io.stat(location);
    } catch (error) {
      if (!isMoraineError(error, 'FILE_NOT_FOUND')) throw error;
      const message = `The staged batch ${id} cannot be committed: its file ${printableLocation(location)} is gone, perhaps swept. Open the sink anew and read on from its positions.`;
      throw new MoraineError('FILE_NOT_FOUND', message, { details: { batch: id, location }, cause: error });
    }
  });
}

/** Deletes the files of a batch that certainly did not land and will not. */
export async function discardBatch(table: Table, { files }: StagedBatch): Promise<void> {
  await deleteStaged(table, files);
}
