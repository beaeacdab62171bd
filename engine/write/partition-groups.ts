/** Rows of very many partitions are written some partitions at a time, so that neither memory nor open files grow with their number. ADR 0053. */
import { randomUUID } from 'node:crypto';
import type { PartitionSpec, Schema } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { columnAlias } from '../sql/sql-text.js';
import { sqlType } from '../sql/sql-type.js';
import { partitionColumns } from './partition-column.js';

/** Partitions that are written at a time: the engine holds a block of 256 KiB for the rows of each. */
export const PARTITIONS_AT_ONCE = 64;

/** Partitions of a group on average: they are spread by hash, and few groups get many more. */
const PARTITIONS_OF_GROUP = 48;

const GROUP = 'moraine_group';

/** Rows of a table. */
export interface PartitionedRows {
  /** A statement whose columns are those of the schema: same number, same order. */
  readonly select: string;
  readonly schema: Schema;
  readonly spec: PartitionSpec;
}

/** The most partitions that rows of any values can have. */
export function mostPartitions({ fields }: PartitionSpec): number {
  return fields.reduce((product, { transform }) => {
    if (transform.kind === 'void') return product;
    return transform.kind === 'bucket' ? product * (transform.numBuckets + 1) : Infinity;
  }, 1);
}

/**
 * Does work for rows of at most about {@link PARTITIONS_AT_ONCE} partitions at a time. The rows of a partition are in one statement, and all statements together give all rows.
 * @param rows may be read twice
 * @param work is given statements one after the other, each with the number of its group
 */
export async function inPartitionGroups<T>(
  connection: Connection,
  rows: PartitionedRows,
  work: (select: string, group: number) => Promise<T>,
): Promise<readonly T[]> {
  const { fields } = rows.schema;
  if (mostPartitions(rows.spec) <= PARTITIONS_AT_ONCE) return [await work(rows.select, 0)];
  const keys = partitionColumns(rows.schema, rows.spec, columnAlias).map(({ keySql }) => keySql);
  const named = keys.map((key, index) => `${key} AS k${index}`).join(', ');
  const [[count] = []] = await connection.rows(
    `SELECT count(*) FROM (SELECT DISTINCT ${named} FROM ${typedSql(rows)})`,
  );
  const partitions = Number(count);
  if (partitions <= PARTITIONS_AT_ONCE) return [await work(rows.select, 0)];
  const groups = Math.ceil(partitions / PARTITIONS_OF_GROUP);
  const table = `groups_${randomUUID().replaceAll('-', '')}`;
  const numbered = `SELECT *, (hash(${keys.join(', ')}) % ${groups})::INTEGER AS ${GROUP} FROM ${typedSql(rows)}`;
  // In order, so that the rows of a group are read without those of the others.
  await connection.run(`CREATE TEMPORARY TABLE ${table} AS ${numbered} ORDER BY ${GROUP}`);
  try {
    const aliases = fields.map(({ id }) => columnAlias(id)).join(', ');
    const done: T[] = [];
    for (let group = 0; group < groups; group += 1)
      done.push(await work(`SELECT ${aliases} FROM ${table} WHERE ${GROUP} = ${group}`, group));
    return done;
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${table}`);
  }
}

/** The rows as a relation whose columns have the types of the schema. */
function typedSql({ select, schema: { fields } }: PartitionedRows): string {
  const aliases = fields.map(({ id }) => columnAlias(id));
  const values = fields.map(({ id, type }) => `${columnAlias(id)}::${sqlType(type)} AS ${columnAlias(id)}`);
  return `(SELECT ${values.join(', ')} FROM (${select}) AS source(${aliases.join(', ')}))`;
}
