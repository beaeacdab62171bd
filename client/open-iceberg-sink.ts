/** A sink without a project: what a program says of its catalog and its table is all that there is. */
import { type ConfigInput } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import type { Schema } from '../iceberg/index.js';
import { openProject } from '../project/index.js';
import { IcebergSink, type SinkOptions } from '../sink/index.js';
import { createMissingTable } from './create-table.js';

/** A sink and the catalog that it opens. Numbers and times as the options of {@link SinkOptions}. */
export interface IcebergSinkConfig
  extends Omit<SinkOptions, 'table' | 'name' | 'batchIntervalMs' | 'deadLetters' | 'materialize' | 'onCommit'> {
  /** As `uri` of a catalog of `moraine.yaml`: a SQLite file, `postgresql://..`, the address of a REST catalog and so on. */
  readonly catalogUri?: string;
  /** `sql` unless given. */
  readonly catalogType?: 'sql' | 'rest' | 'glue' | 'hive' | 'memory';
  /** The catalog's name, under which SQL catalogs keep their tables; `local`, as in the configuration of a new project, unless given. */
  readonly catalogName?: string;
  /** Where new tables go: a folder or a bucket; what a REST catalog calls a warehouse. */
  readonly warehousePath?: string;
  /** `options` of the catalog as in `moraine.yaml`: credentials and the like. */
  readonly catalogOptions?: Readonly<Record<string, string | number | boolean>>;
  /** As `storage` in `moraine.yaml`: where tables may lie, and how their stores are reached. */
  readonly storage?: NonNullable<ConfigInput['storage']>;
  /** `NAMESPACE.TABLE`. */
  readonly tableName: string;
  /** Tells the sinks of a table apart; `sink` unless given. */
  readonly sinkName?: string;
  /** Seconds after which a batch that is not full is committed; 10 unless given. */
  readonly batchIntervalSeconds?: number;
  /** `NAMESPACE.TABLE` for records that are no rows. */
  readonly deadLetterTable?: string;
  /** Columns of the table, if it is to be created where it does not exist. */
  readonly schema?: Schema;
  /**
   * Partition transforms of a table that is created, such as `day(at)` and `bucket[16](device_id)`; `day(#7)` is of the column whose field id is 7 in `schema`. A record has
   * the columns; what is derived of them, such as `at_day`, no record has.
   */
  readonly partitionBy?: readonly string[];
  /** Where rows are kept that do not fit into memory. */
  readonly temporaryFolder?: string;
  /** Memory of the query engine, such as `512MB`. */
  readonly memoryLimit?: string;
  /** Told of every commit. */
  readonly onCommit?: NonNullable<SinkOptions['onCommit']>;
}

/** An open sink with its catalog. */
export interface OpenedIcebergSink {
  readonly sink: IcebergSink;
  /** Commits what is buffered, and closes the sink, the catalog and the engine. If the commit fails they are closed all the same. */
  close(): Promise<void>;
}

const SINK = 'sink';
const CATALOG = 'local';
const MS_PER_S = 1_000;

/**
 * Opens a sink by its configuration alone, and creates its table if it does not exist and `schema` is given.
 * @throws MoraineError `CONFIG_INVALID`, `TABLE_NOT_FOUND`, `SCHEMA_INVALID`, and as `IcebergSink.open`
 * @example
 * const { sink, close } = await openIcebergSink({ catalogUri: 'catalog.db', warehousePath: 'warehouse', tableName: 'iot.uplinks' });
 * await sink.writer(0).writeBatch(jsonObjects([{ device_id: 'a1', at: new Date() }]));
 * await close();
 */
export async function openIcebergSink(config: IcebergSinkConfig): Promise<OpenedIcebergSink> {
  const {
    catalogName = CATALOG,
    catalogUri,
    catalogType,
    warehousePath,
    catalogOptions,
    storage,
    temporaryFolder,
    memoryLimit,
    ...rest
  } = config;
  const { tableName, sinkName = SINK, batchIntervalSeconds, deadLetterTable, schema, partitionBy, ...options } = rest;
  const engine = {
    ...(temporaryFolder === undefined ? {} : { tempDirectory: temporaryFolder }),
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
  };
  const catalog = {
    ...(catalogType === undefined ? {} : { type: catalogType }),
    ...(catalogUri === undefined ? {} : { uri: catalogUri }),
    ...(warehousePath === undefined ? {} : { warehouse: warehousePath }),
    ...(catalogOptions === undefined ? {} : { options: { ...catalogOptions } }),
  };
  const project = await openProject({
    config: { catalogs: { [catalogName]: catalog }, engine, ...(storage === undefined ? {} : { storage }) },
  });
  try {
    const table = await project.resolveTable(tableName);
    if (schema !== undefined && !(await table.catalog.tableExists(table.identifier))) {
      await createMissingTable(table.catalog, table.identifier, { schema, partition: partitionBy?.join(', ') });
    } else if (schema === undefined && partitionBy !== undefined)
      throw new MoraineError('INVALID_ARGUMENT', 'partitionBy is for a table that is created: give its schema, too.');
    const deadLetters = deadLetterTable === undefined ? undefined : await project.resolveTable(deadLetterTable);
    const sink = await IcebergSink.open(
      { catalog: table.catalog, io: project.io, engine: await project.engine() },
      {
        ...options,
        ...{ table: table.identifier, name: sinkName },
        ...(batchIntervalSeconds === undefined ? {} : { batchIntervalMs: batchIntervalSeconds * MS_PER_S }),
        ...(deadLetters === undefined ? {} : { deadLetters: deadLetters.identifier }),
      },
    );
    const close = async (): Promise<void> => {
      try {
        await sink.close();
      } finally {
        await project.close();
      }
    };
    return { sink, close };
  } catch (error) {
    await project.close();
    throw error;
  }
}
