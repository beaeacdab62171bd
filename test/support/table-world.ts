/** A folder with a warehouse, a SQL catalog on SQLite and an engine: what a test of tables needs. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Catalog, type TableIdentifier, withTableDefaults } from '../../catalogs/index.js';
import { type Engine, openEngine } from '../../engine/index.js';
import { type JsonValue, parsePartitionSpec, parseSchema, type Schema } from '../../iceberg/index.js';
import { stageRows } from '../../staging/index.js';
import type { FileIO } from '../../storage/index.js';
import { type CommitResult, commitAppend, loadTable, type Table } from '../../tables/index.js';
import { PUT_FOLDER } from './put-file.js';
import { temporaryFolder } from './temp-folder.js';
import { openTestStore } from './test-store.js';

export interface TableWorld {
  readonly folder: string;
  readonly warehouse: string;
  /** As SQLAlchemy writes it, for PyIceberg. */
  readonly catalogUri: string;
  readonly io: FileIO;
  readonly catalog: Catalog;
  readonly engine: Engine;
  create(name: string, schema: Schema, partitioning?: string, formatVersion?: 2 | 3): Promise<Table>;
  load(name: string): Promise<Table>;
  /** Appends the rows of a statement whose columns are the table's. */
  append(name: string, select: string): Promise<CommitResult>;
}

/** Opens a world in a temporary folder; it is closed and removed when the test has finished. */
export async function openTableWorld(): Promise<TableWorld> {
  const folder = temporaryFolder();
  const catalogUri = `sqlite:///${folder}/catalog.db`;
  const { io, catalog, warehouse } = await openTestStore(folder, { name: 'local' });
  const engine = await openEngine({
    memoryLimitBytes: 1 << 30,
    threads: 2,
    tempDirectory: join(folder, 'tmp'),
    allowedDirectories: [folder, PUT_FOLDER],
  });
  onTestFinished(async () => {
    await engine.close();
    await catalog.close();
  });
  await catalog.createNamespace(['demo']);
  const identifier = (name: string): TableIdentifier => ({ namespace: ['demo'], name });
  const load = (name: string): Promise<Table> => loadTable(catalog, io, identifier(name));
  return {
    folder,
    warehouse,
    catalogUri,
    io,
    catalog,
    engine,
    load,
    async create(name, schema, partitioning, formatVersion = 2) {
      const partitionSpec = partitioning === undefined ? undefined : parsePartitionSpec(partitioning, schema);
      const request = { schema, formatVersion, ...(partitionSpec === undefined ? {} : { partitionSpec }) };
      await catalog.createTable(identifier(name), withTableDefaults(request));
      return load(name);
    },
    async append(name, select) {
      const table = await load(name);
      const files = await writeRows(engine, table, select);
      return commitAppend(table, { files });
    },
  };
}

/** Writes the rows of a statement as data files of a table, without committing them. */
export async function writeRows(engine: Engine, table: Table, select: string) {
  return engine.withConnection((connection) => stageRows(connection, table, { select, namePrefix: randomUUID() }));
}

/** A schema from a short list of `name: type` (types as in the specification), all optional. */
export function schemaOf(columns: Readonly<Record<string, unknown>>): Schema {
  const fields = Object.entries(columns).map(([name, type], index) => ({ id: index + 1, name, required: false, type }));
  return parseSchema({ 'schema-id': 0, type: 'struct', fields } as unknown as JsonValue);
}
