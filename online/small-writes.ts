/**
 * Small writes: few rows of several partitions become one file without a partition, in place of a file for each. ADR 0039.
 */
import { randomUUID } from 'node:crypto';
import { type Connection, columnAlias, transformSql } from '../engine/index.js';
import { largest, MoraineError } from '../errors/index.js';
import {
  currentSchema,
  type DataFile,
  isUnpartitioned,
  type NestedField,
  type PartitionSpec,
  type PrimitiveType,
  type TableMetadata,
} from '../iceberg/index.js';
import { type RowsToStage, type StagingTable, stageRows } from '../staging/index.js';
import { commitUnmoved, hasCode, loadTable, requireWritable, retryConflicts, type Table } from '../tables/index.js';
import { onlineSpecOf, type PlacingColumns } from './online-partitioning.js';
import { MAX_PART_ROWS } from './parts/cell.js';

/** Rows that are written as one file without a partition: as many as a part of decoded rows has. */
export const MAX_FEW_ROWS = MAX_PART_ROWS;

/** Whether so many rows are written as one file without a partition. */
export function isFew(rows: bigint): boolean {
  return rows <= BigInt(MAX_FEW_ROWS);
}

/** The spec of files without a partition; undefined: the table has none yet. */
export function sharedSpecOf({ partitionSpecs }: TableMetadata): PartitionSpec | undefined {
  return partitionSpecs.find(isUnpartitioned);
}

/**
 * The table with a spec of files without a partition, which is added if it has none. The default spec stays.
 * @throws COMMIT_CONFLICT, COMMIT_STATE_UNKNOWN; TABLE_NOT_FOUND if it was dropped
 */
export async function withSharedSpec(table: Table): Promise<Table> {
  if (sharedSpecOf(table.metadata) !== undefined) return table;
  const catalog = requireWritable(table);
  const { identifier, io } = table;
  return await retryConflicts(
    catalog,
    async () => {
      const base = await loadTable(catalog, io, identifier);
      if (sharedSpecOf(base.metadata) !== undefined) return base;
      const { partitionSpecs, tableUuid } = base.metadata;
      const specId = largest(partitionSpecs.map((spec) => spec.specId)) + 1;
      const { metadata, metadataLocation } = await commitUnmoved(catalog, base, {
        requirements: [{ type: 'assert-table-uuid', uuid: tableUuid }],
        updates: [{ action: 'add-spec', spec: { specId, fields: [] } }],
      });
      return { ...base, metadata, metadataLocation };
    },
    hasCode('COMMIT_CONFLICT'),
  );
}

/** Rows of an online table to be staged. */
export interface OnlineRowsToStage {
  /** Gives the columns of the table's current schema. */
  readonly select: string;
  readonly columns: PlacingColumns;
  readonly namePrefix: string;
}

/**
 * Stages rows that are added to an online table: few rows of several partitions as one file, others as a file for each.
 * @returns the table that the files are for, which may have got a spec
 * @throws COMMIT_CONFLICT if it has other columns by then than the rows
 */
export async function stageOnlineRows(
  connection: Connection,
  table: Table,
  { select, columns, namePrefix }: OnlineRowsToStage,
): Promise<{ readonly table: Table; readonly files: readonly DataFile[] }> {
  const { metadata } = table;
  const settings = { namePrefix, sortBy: [columns.keyId], sortOrderId: metadata.defaultSortOrderId };
  const { fields } = currentSchema(metadata);
  const few = await collectFewRows(connection, select, fields, onlineSpecOf(metadata, columns));
  if (few === null) return { table, files: await stageRows(connection, table, { ...settings, select }) };
  try {
    const target = few.isSpread ? await withSharedSpec(table) : table;
    requireSameColumns(table, target.metadata);
    return { table: target, files: await stageFewRows(connection, target, few, settings) };
  } finally {
    await few.release();
  }
}

/** @throws COMMIT_CONFLICT if a table has other columns than it had, or is another one */
export function requireSameColumns({ metadata, identifier }: Table, now: TableMetadata): void {
  if (now.tableUuid === metadata.tableUuid && now.currentSchemaId === metadata.currentSchemaId) return;
  throw new MoraineError(
    'COMMIT_CONFLICT',
    `The online table of '${identifier.name}' got other columns during the write. Write again.`,
  );
}

/** Stages collected rows: as one file without a partition if they are of several partitions and the table has a spec for it. */
export async function stageFewRows(
  connection: Connection,
  table: StagingTable,
  { select, isSpread }: FewRows,
  settings: Omit<RowsToStage, 'select' | 'spec' | 'collected'>,
): Promise<readonly DataFile[]> {
  const spec = isSpread ? sharedSpecOf(table.metadata) : undefined;
  const rows = { ...settings, select, collected: 'already' } as const;
  return await stageRows(connection, table, spec === undefined ? rows : { ...rows, spec });
}

/** Rows that are few, collected in a temporary table. */
export interface FewRows {
  readonly select: string;
  /** Whether they are of several partitions. */
  readonly isSpread: boolean;
  release(): Promise<void>;
}

/**
 * Collects rows of an online table if they are few; null: they are more.
 * @param select gives the columns of the table's current schema
 */
export async function collectFewRows(
  connection: Connection,
  select: string,
  fields: readonly NestedField[],
  spec: PartitionSpec | undefined,
): Promise<FewRows | null> {
  const partition = spec === undefined ? [] : partitionSql(spec, fields);
  if (partition.length === 0) return null;
  const table = `moraine_few_${randomUUID().replaceAll('-', '')}`;
  const release = (): Promise<void> => connection.run(`DROP TABLE IF EXISTS ${table}`);
  const aliases = fields.map(({ id }) => columnAlias(id)).join(', ');
  await connection.run(
    `CREATE TEMPORARY TABLE ${table} AS SELECT * FROM (${select}) AS rows(${aliases}) LIMIT ${MAX_FEW_ROWS + 1}`,
  );
  try {
    const counted = `count(*), count(DISTINCT (${partition.join(', ')}))`;
    const [[rows, partitions] = []] = await connection.rows(`SELECT ${counted} FROM ${table}`);
    if (isFew(BigInt(String(rows)))) return { select: `FROM ${table}`, isSpread: Number(partitions) > 1, release };
  } catch (error) {
    await release();
    throw error;
  }
  await release();
  return null;
}

/** The partition of a row, by the aliases of its columns. */
function partitionSql(spec: PartitionSpec, fields: readonly NestedField[]): readonly string[] {
  return spec.fields.flatMap(({ sourceId, transform }) => {
    const type = fields.find(({ id }) => id === sourceId)?.type;
    return type === undefined ? [] : [transformSql(transform, type as PrimitiveType, columnAlias(sourceId))];
  });
}
