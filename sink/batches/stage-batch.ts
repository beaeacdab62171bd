/** Buffered records become files that no snapshot lists yet. */
import { randomUUID } from 'node:crypto';
import { afterOutcome } from '../../catalogs/index.js';
import { type Connection, type Engine, quoteIdentifier } from '../../engine/index.js';
import { currentSchema, type Schema } from '../../iceberg/index.js';
import { stageRows } from '../../staging/index.js';
import { readStagedManifest, stageManifest, type Table } from '../../tables/index.js';
import type { OpenedRecords } from '../sink-records.js';
import type { BufferedBatch } from './batch-buffer.js';
import { rangesFromJson, type SnapshotBatch, type StagedBatch } from './staged-batch.js';

/** Relations that are read in one statement: parts of a union are planned one within the other. */
const MAX_UNION = 100;

/**
 * Writes the records of a batch, those of all writers together: one file for each partition of the table, more only beyond the target size.
 * On failure nothing of it remains, and the records may be staged again.
 * @throws what opening the records and `stageRows` throw
 */
export async function stageBatch(engine: Engine, table: Table, batch: BufferedBatch): Promise<StagedBatch> {
  const id = randomUUID();
  const { files, rows, rejected } = await engine.withConnection(async (connection) => {
    const opened: OpenedRecords[] = [];
    try {
      const schema = currentSchema(table.metadata);
      for (const records of batch.records) opened.push(await records.open(connection, schema));
      const filled = opened.filter((records) => records.rows > 0n);
      const found = opened.flatMap((records) => records.rejected);
      if (filled.length === 0) return { files: [], rows: 0n, rejected: found };
      const select = await unionOf(connection, schema, filled);
      const written = await stageRows(connection, table, { select, namePrefix: id });
      return { files: written, rows: filled.reduce((sum, records) => sum + records.rows, 0n), rejected: found };
    } finally {
      for (const records of opened) await records.close();
    }
  });
  const manifest = files.length === 0 ? null : await stageManifest(table, files, id);
  return { id, ranges: batch.ranges, manifest, rows, rejected, files };
}

async function unionOf(connection: Connection, schema: Schema, opened: readonly OpenedRecords[]): Promise<string> {
  const names = schema.fields.map(({ name }) => quoteIdentifier(name)).join(', ');
  const union = (some: readonly OpenedRecords[]) =>
    some.map(({ sql }) => `SELECT ${names} FROM (${sql})`).join(' UNION ALL ');
  if (opened.length <= MAX_UNION) return union(opened);
  await connection.run(`CREATE TEMP TABLE moraine_sink_rows AS ${union(opened.slice(0, MAX_UNION))}`);
  for (let first = MAX_UNION; first < opened.length; first += MAX_UNION)
    await connection.run(`INSERT INTO moraine_sink_rows ${union(opened.slice(first, first + MAX_UNION))}`);
  return `SELECT ${names} FROM moraine_sink_rows`;
}

/** A batch of a host's checkpoint. @throws MoraineError `FILE_NOT_FOUND`, `MANIFEST_CORRUPT` */
export async function restoreBatch(table: Table, batch: SnapshotBatch): Promise<StagedBatch> {
  const manifest = batch.manifest === null ? null : await readStagedManifest(table, batch.manifest);
  const ranges = rangesFromJson(batch);
  return { id: batch.id, ranges, manifest, rows: BigInt(batch.rows), rejected: [], files: [] };
}

/** Deletes the files of a batch that certainly did not land and will not. What cannot be deleted is left to the orphan sweep. */
export async function discardBatch({ io }: Table, { files, manifest }: StagedBatch): Promise<void> {
  const locations = files.map(({ filePath }) => filePath);
  if (manifest !== null) locations.push(manifest.manifestPath);
  await afterOutcome(...locations.map((location) => () => io.delete(location)));
}
