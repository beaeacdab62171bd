/** Rows deleted as merge-on-read engines do it: by position-delete files, by deletion vectors, by equality-delete files. */
import type { TableIdentifier } from '../../catalogs/index.js';
import { readableScanSql } from '../../engine/index.js';
import { currentSchema, type DataFile, isUnpartitioned } from '../../iceberg/index.js';
import { openScan } from '../../scans/index.js';
import { loadTable, type PlannedFile, planFiles, selectSnapshot, type Table } from '../../tables/index.js';
import type { Random } from '../worlds/random.js';
import { type DeletePartition, DeleteWriter } from './delete-writer.js';
import type { Lab } from './materialization-lab.js';
import { textOf } from './online-values.js';

export type DeletedBy = 'nothing' | 'positions' | 'vectors' | 'equality' | 'equality everywhere';

/** A data file, and the places of its rows that go. */
interface FileHits {
  readonly planned: PlannedFile;
  readonly positions: number[];
}

/**
 * Deletes the live rows that have some values, as `DELETE FROM table WHERE ..` does in another engine.
 * @param values SQL of the values by column; rows with null equal null
 * @returns by what they were deleted; nothing: no row had the values
 */
export async function deleteAsOthers(
  lab: Lab,
  identifier: TableIdentifier,
  random: Random,
  values: ReadonlyMap<string, string>,
): Promise<DeletedBy> {
  const table = await loadTable(lab.catalog, lab.io, identifier);
  const hits = await liveRows(lab, table, values);
  if (hits.length === 0) return 'nothing';
  const writer = new DeleteWriter(lab, identifier);
  const { formatVersion, partitionSpecs } = table.metadata;
  const partitions = partitionsOf(hits);
  // A vector has all deleted positions of its file: where there are some, they would have to be read first.
  const isFresh = hits.every(
    ({ planned: { deletes } }) => deletes?.vector === undefined && (deletes?.positions.length ?? 0) === 0,
  );
  if (random.chance(0.6) && (formatVersion === 2 || isFresh)) {
    const byVector = formatVersion === 3;
    const files = byVector ? hits.map((hit) => [hit]) : partitions;
    const deletes = files.map(async (those) => {
      const fields = partitionOf(those[0]);
      if (byVector)
        return writer.vectors(
          those.map(({ planned, positions }) => ({ path: planned.file.filePath, positions })),
          fields,
        );
      const rows = those.flatMap(({ planned: { file }, positions }) =>
        positions.map((position) => ({ path: file.filePath, position })),
      );
      return [await writer.positions(rows, fields)];
    });
    await commitBySpec(writer, (await Promise.all(deletes)).flat());
    return byVector ? 'vectors' : 'positions';
  }
  const plain = random.chance(0.5) ? partitionSpecs.find(isUnpartitioned) : undefined;
  // Those of a spec without fields reach files of all specs, the others files of their partition.
  const places =
    plain === undefined ? partitions.map(([hit]) => partitionOf(hit)) : [{ specId: plain.specId, partition: [] }];
  const { fields } = currentSchema(table.metadata);
  const ids = [...values.keys()].map((name) => [name, fields.find((field) => field.name === name)?.id ?? 0] as const);
  const select = `SELECT ${[...values].map(([name, sql]) => `${sql} AS "${name}"`).join(', ')}`;
  const deletes: DataFile[] = [];
  for (const place of places) deletes.push(await writer.equality(Object.fromEntries(ids), select, place));
  await commitBySpec(writer, deletes);
  return plain === undefined ? 'equality' : 'equality everywhere';
}

async function liveRows(lab: Lab, table: Table, values: ReadonlyMap<string, string>): Promise<readonly FileHits[]> {
  const { schema, snapshot } = selectSnapshot(table.metadata);
  const plan = await planFiles(table, { schema, snapshot, appliesDeletes: true });
  const extras = { fileNumber: 'file', rowNumber: 'pos' };
  const where = [...values].map(([name, sql]) => `"${name}" IS NOT DISTINCT FROM ${sql}`).join(' AND ');
  const rows = await lab.engine.withConnection(async (connection) => {
    const { scan } = await openScan(connection, { table, snapshot, schema }, plan);
    const live = await readableScanSql(connection, { ...scan, schema, extras });
    return connection.rows(`SELECT file, pos FROM ${live} WHERE ${where}`);
  });
  return plan.files.flatMap((planned, place): readonly FileHits[] => {
    const positions = rows.flatMap(([file, pos]) => (Number(file) === place ? [Number(pos)] : []));
    return positions.length === 0 ? [] : [{ planned, positions }];
  });
}

function partitionOf(hit: FileHits | undefined): DeletePartition {
  if (hit === undefined) return {};
  const { specId, partition } = hit.planned.file;
  return { specId, partition };
}

/** The files of each partition. */
function partitionsOf(hits: readonly FileHits[]): readonly (readonly FileHits[])[] {
  const partitions = new Map<string, FileHits[]>();
  for (const hit of hits) {
    const { specId, partition } = hit.planned.file;
    const key = `${specId} ${textOf(partition)}`;
    partitions.set(key, [...(partitions.get(key) ?? []), hit]);
  }
  return [...partitions.values()];
}

/** A manifest has files of one spec. */
async function commitBySpec(writer: DeleteWriter, deletes: readonly DataFile[]): Promise<void> {
  for (const specId of new Set(deletes.map((file) => file.specId)))
    await writer.commit(deletes.filter((file) => file.specId === specId));
}
