import { randomUUID } from 'node:crypto';
import {
  type Connection,
  type Input,
  type InputFormat,
  inputError,
  readInput,
  type TargetTypes,
} from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import {
  currentSchema,
  type DataFile,
  defaultSpec,
  parsePartitionSpec,
  sameTransform,
  type TableMetadata,
} from '../iceberg/index.js';
import type { Project } from '../project/index.js';
import { sizeOfFiles, stageRows } from '../staging/index.js';
import { commitAppend, requireWritable, type Table } from '../tables/index.js';
import { createTable } from './create-table.js';
import { exactRows, FILE_AND_TABLE } from './input-columns.js';

export interface AppendFileOptions {
  /** Create the table, with the columns of the file, if it does not exist. */
  readonly create?: boolean;
  /** Partition transforms of the table that is created; those of a table that exists already must be the same. */
  readonly partition?: string;
  /** Told by the file's extension unless given. */
  readonly format?: InputFormat;
  readonly signal?: AbortSignal;
}

/** Result of an append. */
export interface AppendFileResult {
  readonly created: boolean;
  readonly rows: bigint;
  readonly files: number;
  readonly bytes: bigint;
  /** The table's snapshot with the rows; null if the file had none and nothing was committed. */
  readonly snapshotId: bigint | null;
}

/**
 * Appends the rows of a Parquet, CSV or JSON Lines file to a table in one commit. Columns are matched by name, and every
 * value must fit its column exactly.
 *
 * @param file absolute path, in a folder that the project may read
 * @throws `INPUT_UNREADABLE`, `TABLE_NOT_FOUND`, `COLUMN_NOT_FOUND`, `TYPE_MISMATCH`, `COMMIT_CONFLICT`, `COMMIT_STATE_UNKNOWN`
 */
export async function appendFile(
  project: Project,
  tableName: string,
  file: string,
  options: AppendFileOptions = {},
): Promise<AppendFileResult> {
  if (options.partition !== undefined && options.create !== true) {
    throw new MoraineError('INVALID_ARGUMENT', 'a partitioning goes with the creation of the table (--create)');
  }
  const engine = await project.engine();
  return engine.withConnection(
    async (connection) => {
      const { table, created, input } = await openTarget(project, tableName, options, (types) =>
        readInput(connection, file, { format: options.format, types }),
      );
      const files = await stageInput(connection, table, input).catch((error: unknown) => {
        throw inputError(file, error);
      });
      if (files.length === 0) return { created, rows: 0n, files: 0, bytes: 0n, snapshotId: null };
      const { snapshotId } = await commitAppend(table, { files, run: { key: `append-${randomUUID()}` } });
      return { created, ...sizeOfFiles(files), snapshotId };
    },
    options.signal === undefined ? {} : { signal: options.signal },
  );
}

interface Target {
  readonly table: Table;
  readonly created: boolean;
  readonly input: Input;
}

/** The table, and the file read with the table's types; a table that is created gets the types of the file's values. */
async function openTarget(
  project: Project,
  tableName: string,
  { create, partition }: AppendFileOptions,
  read: (types?: TargetTypes) => Promise<Input>,
): Promise<Target> {
  try {
    const table = await project.loadTable(tableName);
    requireWritable(table);
    if (partition !== undefined) checkPartition(table.metadata, partition);
    const { fields } = currentSchema(table.metadata);
    return { table, created: false, input: await read(new Map(fields.map(({ name, type }) => [name, type]))) };
  } catch (error) {
    if (create !== true || !isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) throw error;
  }
  const { catalog, identifier } = await project.resolveTable(tableName);
  const input = await read();
  try {
    await createTable(catalog, identifier, { schema: input.schema, partition });
  } catch (error) {
    // Somebody else created it meanwhile: then its columns and partitioning count.
    if (!isMoraineError(error, 'TABLE_ALREADY_EXISTS')) throw error;
    return openTarget(project, tableName, partition === undefined ? {} : { partition }, read);
  }
  return { table: await project.loadTable(tableName), created: true, input };
}

/** @throws `INVALID_ARGUMENT` if the table is partitioned otherwise */
function checkPartition(metadata: TableMetadata, partition: string): void {
  const wanted = parsePartitionSpec(partition, currentSchema(metadata));
  const { fields } = defaultSpec(metadata);
  const same =
    fields.length === wanted.fields.length &&
    wanted.fields.every((field, index) => {
      const actual = fields[index];
      return actual?.sourceId === field.sourceId && sameTransform(actual.transform, field.transform);
    });
  if (same) return;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `the table exists and is not partitioned by ${partition}; leave the partitioning out`,
  );
}

async function stageInput(connection: Connection, table: Table, input: Input): Promise<readonly DataFile[]> {
  const select = await exactRows(connection, input, currentSchema(table.metadata), FILE_AND_TABLE);
  return stageRows(connection, table, { select, namePrefix: randomUUID() });
}
