/** Projects of both engines on one lake, and views on packed worlds. */
import { type Connection, digestRows, readableScanSql } from '../../engine/index.js';
import { type Definitions, parseDefinitions } from '../../features/index.js';
import { currentSchema, currentSnapshot, type Schema } from '../../iceberg/index.js';
import { openProject, type Project } from '../../project/index.js';
import { openScan, planSource } from '../../scans/index.js';
import { loadTable } from '../../tables/index.js';
import { fromDuckDb } from '../worlds/values.js';
import type { PackedWorlds } from './packed-worlds.js';
import { PUT_FOLDER } from './put-file.js';
import { temporaryFolder } from './temp-folder.js';
import type { TrinoLake } from './trino-lake.js';

export interface TrinoProjectOptions {
  /** A folder of the project's own; unless given one of the running test. */
  readonly cwd?: string;
  readonly uri?: string;
  readonly catalogs?: Readonly<Record<string, string>>;
  readonly maxStagedSize?: number;
  /** Of `trino.options`. */
  readonly options?: Readonly<Record<string, string>>;
}

/** A project whose online tables are in `namespace`, and staging tables in `NAMESPACE_staging`. */
export async function openTrinoProject(
  lake: Pick<TrinoLake, 'trino' | 'place'>,
  type: 'duckdb' | 'trino',
  namespace: string,
  { cwd = temporaryFolder(), ...more }: TrinoProjectOptions = {},
): Promise<Project> {
  return await openProject({
    cwd,
    fileFolders: [PUT_FOLDER, cwd],
    config: {
      ...lake.place,
      engine: { type },
      trino: { uri: lake.trino, catalogs: { door: 'door' }, staging: `${namespace}_staging`, ...more },
      online: { namespace },
    },
  });
}

/** Views on a table: with a ttl and without, of all columns and of some, with and without entities. */
function definitionsOf(table: string, columns: readonly string[]): Definitions {
  const source = { table, timestampField: 'at', createdTimestampField: 'created' };
  const entities = [
    { name: 'world', joinKeys: ['w'] },
    { name: 'entity', joinKeys: ['Entity Key'] },
  ];
  const value = {
    entities,
    featureViews: [
      { name: 'whole', entities: ['world', 'entity'], source, online: true },
      {
        name: 'young',
        entities: ['entity', 'world'],
        ttl: '2s',
        source: { table, timestampField: 'at' },
        features: [{ name: columns[0] ?? '' }],
        online: true,
      },
      { name: 'of_worlds', entities: ['world'], source, online: true, onlineBuckets: 2 },
      { name: 'recent', entities: ['world', 'entity'], ttl: '2s', source },
      { name: 'of_all', entities: [], source },
    ],
  };
  return parseDefinitions([{ value }]);
}

/** Views on the columns that the table has now. */
export async function viewDefinitions(worlds: PackedWorlds): Promise<Definitions> {
  const { metadata } = await worlds.table();
  const { namespace, name } = worlds.identifier;
  const amount = currentSchema(metadata).fields.find(({ id }) => id === worlds.idOf(5))?.name ?? '';
  return definitionsOf(`${namespace.join('.')}.${name}`, [amount]);
}

/** Every entity of every world at moments around those of its rows. */
export function frameSql(table: string): string {
  const moments = `(SELECT unnest(range(-4000000, 5000000, 750000)) AS us)`;
  return `SELECT DISTINCT w, "Entity Key", make_timestamptz(us) AS event_timestamp FROM packed.${table} CROSS JOIN ${moments}`;
}

/** The digest of rows, and each of them, sorted, as a text. */
export async function rowsOf(connection: Connection, select: string, schema: Schema) {
  const { digest } = await digestRows(connection, select, schema);
  const rows = await connection.rows(select);
  const names = schema.fields.map(({ name }) => name);
  const text = (row: readonly unknown[]) =>
    row.map((value, index) => `${names[index]}: ${show(fromDuckDb(value as never))}`).join(', ');
  return { digest, rows: rows.map(text).sort() };
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'bigint' ? String(each) : Object.is(each, -0) ? '-0' : each instanceof Map ? [...each] : each,
  );

/** The rows of an online table, as {@link rowsOf} gives them. */
export async function onlineRows(project: Project, name: string) {
  const namespace = project.config.online.namespace.split('.');
  const table = await loadTable(await project.catalog(), project.io, { namespace, name });
  const schema = currentSchema(table.metadata);
  const source = { table, schema, snapshot: currentSnapshot(table.metadata) ?? null };
  return await (await project.engine()).withConnection(async (connection) => {
    const { scan } = await openScan(connection, source, await planSource(source));
    const rows = await readableScanSql(connection, { ...scan, schema });
    return await rowsOf(connection, `SELECT * FROM ${rows}`, schema);
  });
}
