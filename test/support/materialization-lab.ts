/** A source table, an engine and a catalog in a temporary folder, and what engines do to a source: append, overwrite, compact, roll back, expire. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Catalog, parseTableName } from '../../catalogs/index.js';
import { type Engine, openEngine, quoteLiteral, readableScanSql } from '../../engine/index.js';
import type { Definitions, FeatureView } from '../../features/index.js';
import { currentSchema, type DataFile, type NestedField, type Schema, type TableUpdate } from '../../iceberg/index.js';
import type { MaterializationDeps } from '../../materialization/index.js';
import { type OnlineWriteResult, writeOnlineBatch } from '../../online/index.js';
import { fileToOpen, openFiles, openScan } from '../../scans/index.js';
import { stageRows } from '../../staging/index.js';
import type { FileIO } from '../../storage/index.js';
import { commitAppend, commitOverwrite, loadTable, planFiles, selectSnapshot, type Table } from '../../tables/index.js';
import { PUT_FOLDER } from './put-file.js';
import { openTestStore } from './test-store.js';

export interface SourceRow {
  readonly k: number;
  /** Seconds since 1970. */
  readonly at: number;
  /** Seconds since 1970; null: unknown. */
  readonly created?: number | null;
  readonly v: number | null;
}

export const SOURCE = 'demo.source';
const SOURCE_ID = { namespace: ['demo'], name: 'source' };

const field = (id: number, name: string, kind: 'long' | 'timestamptz' | 'double'): NestedField => ({
  id,
  name,
  required: false,
  type: { kind },
});

export const SOURCE_SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    field(1, 'k', 'long'),
    field(2, 'event_ts', 'timestamptz'),
    field(3, 'created', 'timestamptz'),
    field(4, 'v', 'double'),
  ],
};

export const VIEW: FeatureView = {
  name: 'readings',
  entities: ['thing'],
  source: { table: SOURCE, timestampField: 'event_ts', createdTimestampField: 'created' },
  ttlMs: null,
  online: true,
  features: undefined,
  onlineBuckets: 4,
};

export class Lab {
  readonly folder: string;
  readonly io: FileIO;
  readonly catalog: Catalog;
  readonly engine: Engine;
  view: FeatureView = VIEW;
  /** Join keys of the entity `thing`. */
  joinKeys: readonly string[] = ['k'];

  private constructor(folder: string, io: FileIO, catalog: Catalog, engine: Engine) {
    this.folder = folder;
    this.io = io;
    this.catalog = catalog;
    this.engine = engine;
  }

  /** @param options of {@link openTestStore}; others: further folders with tables to read */
  static async open(options: { others?: readonly string[]; arePointersInMemory?: boolean } = {}): Promise<Lab> {
    const { others = [] } = options;
    const folder = await mkdtemp(join(tmpdir(), 'moraine-lab-'));
    const { io, catalog } = await openTestStore(folder, options);
    const engine = await openEngine({
      memoryLimitBytes: 512 * 2 ** 20,
      threads: 1,
      tempDirectory: join(folder, 'tmp'),
      allowedDirectories: [folder, PUT_FOLDER, ...others],
    });
    return new Lab(folder, io, catalog, engine);
  }

  async close(): Promise<void> {
    await this.engine.close();
    await this.catalog.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  get definitions(): Definitions {
    return {
      entities: new Map([['thing', { name: 'thing', joinKeys: this.joinKeys }]]),
      featureViews: new Map([[this.view.name, this.view]]),
      featureServices: new Map(),
    };
  }

  get deps(): MaterializationDeps {
    const { catalog, io, engine } = this;
    return {
      catalog,
      io,
      engine,
      definitions: () => Promise.resolve(this.definitions),
      loadSource: (name) => loadTable(catalog, io, parseTableName(name).identifier),
    };
  }

  async createSource(schema: Schema = SOURCE_SCHEMA): Promise<void> {
    if (!(await this.catalog.namespaceExists(['demo']))) await this.catalog.createNamespace(['demo']);
    await this.catalog.createTable(SOURCE_ID, { schema });
  }

  source(): Promise<Table> {
    return loadTable(this.catalog, this.io, SOURCE_ID);
  }

  online(): Promise<Table> {
    return loadTable(this.catalog, this.io, { namespace: ['moraine_online'], name: this.view.name });
  }

  async append(rows: readonly SourceRow[]): Promise<bigint> {
    return this.appendSelect(valuesSql(rows));
  }

  /** @param select columns in the order of the source's schema */
  async appendSelect(select: string): Promise<bigint> {
    const table = await this.source();
    return (await commitAppend(table, { files: await this.#write(table, select) })).snapshotId;
  }

  /** Data files of the source with these rows, for a commit to come. */
  async write(rows: readonly SourceRow[]): Promise<readonly DataFile[]> {
    return this.#write(await this.source(), valuesSql(rows));
  }

  /** Copy-on-write: every file that holds a matching row is replaced by one without it. */
  async deleteWhere(condition: string): Promise<bigint> {
    return this.#rewrite(condition, `SELECT * FROM rows WHERE NOT coalesce((${condition}), false)`);
  }

  /** Copy-on-write: matching rows get another value. */
  async updateWhere(condition: string, v: number): Promise<bigint> {
    return this.#rewrite(
      condition,
      `SELECT k, event_ts, created, CASE WHEN ${condition} THEN ${v} ELSE v END FROM rows`,
    );
  }

  async #rewrite(condition: string, select: string): Promise<bigint> {
    const table = await this.source();
    const { schema, snapshot } = selectSnapshot(table.metadata);
    const { files } = await planFiles(table, { schema, snapshot });
    const removeFiles: string[] = [];
    const added: DataFile[] = [];
    for (const planned of files) {
      const { file } = planned;
      await this.engine.withConnection(async (connection) => {
        const rows = await readableScanSql(connection, {
          schema,
          ...(await openFiles(connection, table, [fileToOpen(planned)])),
        });
        const [count] = await connection.rows(`SELECT count(*) FROM ${rows} WHERE ${condition}`);
        if (count?.[0] === 0n) return;
        removeFiles.push(file.filePath);
        const changed = { select: `WITH rows AS (SELECT * FROM ${rows}) ${select}`, namePrefix: randomUUID() };
        added.push(...(await stageRows(connection, table, changed)));
      });
    }
    if (removeFiles.length === 0) return snapshot?.snapshotId ?? -1n;
    return (await commitOverwrite(table, { removeFiles, files: added })).snapshotId;
  }

  /**
   * All rows of the table in one new file, in a snapshot that says `replace`.
   * @param live condition on the rows that delete files left; all of them, if there are none
   */
  async compact(live = 'true'): Promise<bigint> {
    const table = await this.source();
    const { schema, snapshot } = selectSnapshot(table.metadata);
    const { files } = await planFiles(table, { schema, snapshot, appliesDeletes: live !== 'true' });
    const added = await this.engine.withConnection(async (connection) => {
      const rows = files.map((planned) => ({ ...fileToOpen(planned), deleted: undefined }));
      const scan = await readableScanSql(connection, { schema, ...(await openFiles(connection, table, rows)) });
      return stageRows(connection, table, { select: `SELECT * FROM ${scan} WHERE ${live}`, namePrefix: randomUUID() });
    });
    const overwritten = await commitOverwrite(table, {
      removeFiles: files.map(({ file }) => file.filePath),
      files: added,
    });
    await this.relabel(overwritten.snapshotId, 'replace');
    return overwritten.snapshotId;
  }

  /** Gives a snapshot another operation, as another engine might have written it. */
  async relabel(snapshotId: bigint, operation: string): Promise<void> {
    const { metadata } = await this.source();
    const snapshot = metadata.snapshots.find((candidate) => candidate.snapshotId === snapshotId);
    if (snapshot === undefined) throw new Error('no such snapshot');
    const main = metadata.refs.get('main');
    const back = metadata.snapshots.find((candidate) => candidate.snapshotId === snapshot.parentSnapshotId);
    if (main === undefined || back === undefined) throw new Error('nothing to go back to');
    const relabelled = { ...snapshot, summary: new Map([...snapshot.summary, ['operation', operation]]) };
    await this.update(SOURCE_ID, [
      { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: back.snapshotId } },
      { action: 'remove-snapshots', snapshotIds: [snapshotId] },
    ]);
    await this.update(SOURCE_ID, [
      {
        action: 'add-snapshot',
        snapshot: { ...relabelled, sequenceNumber: (await this.source()).metadata.lastSequenceNumber + 1n },
      },
      { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId } },
    ]);
  }

  async rollback(name: 'source' | 'online', snapshotId: bigint): Promise<void> {
    const identifier = name === 'source' ? SOURCE_ID : { namespace: ['moraine_online'], name: this.view.name };
    await this.update(identifier, [
      { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId } },
    ]);
  }

  /** Expires every snapshot of the source but the current one. */
  async expire(): Promise<void> {
    const { metadata } = await this.source();
    const snapshotIds = metadata.snapshots
      .map(({ snapshotId }) => snapshotId)
      .filter((id) => id !== metadata.currentSnapshotId);
    if (snapshotIds.length > 0) await this.update(SOURCE_ID, [{ action: 'remove-snapshots', snapshotIds }]);
  }

  async dropSource(): Promise<void> {
    await this.catalog.dropTable(SOURCE_ID);
  }

  async update(
    identifier: { namespace: readonly string[]; name: string },
    updates: readonly TableUpdate[],
  ): Promise<void> {
    await this.catalog.commitTable(identifier, { requirements: [], updates });
  }

  /** Adds a pushed row to the online table. */
  async push(row: SourceRow): Promise<void> {
    const table = await this.online();
    const schema = currentSchema(table.metadata);
    const columns: Record<string, string> = {
      k: `${row.k}`,
      v: `${row.v ?? 'NULL'}`,
      event_timestamp: `make_timestamptz(${row.at * 1e6})`,
      created_timestamp: row.created == null ? 'NULL' : `make_timestamptz(${row.created * 1e6})`,
      _pushed: 'true',
    };
    const select = `SELECT ${schema.fields.map(({ name }) => columns[name] ?? 'NULL').join(', ')}`;
    await commitAppend(table, { files: await this.#write(table, select) });
  }

  /** Writes rows of a client into the online table, in one commit. */
  async pushRows(rows: readonly SourceRow[], options: { readonly pushed?: boolean } = {}): Promise<OnlineWriteResult> {
    const open = () =>
      Promise.resolve(`SELECT k, v, event_ts, created FROM (${valuesSql(rows)}) AS t(k, event_ts, created, v)`);
    return await writeOnlineBatch(this.deps, { view: this.view.name, open, ...options });
  }

  /** Rows of a select over a table's live files, called `rows`. */
  async query(table: Table, select: string): Promise<unknown[][]> {
    const { schema, snapshot } = selectSnapshot(table.metadata);
    const plan = await planFiles(table, { schema, snapshot, appliesDeletes: true });
    return this.engine.withConnection(async (connection) => {
      const { scan } = await openScan(connection, { table, snapshot, schema }, plan);
      const rows = await readableScanSql(connection, { ...scan, schema, extras: { sequenceNumber: 'seq' } });
      return connection.rows(`WITH rows AS (SELECT * FROM ${rows}) ${select}`);
    });
  }

  async #write(table: Table, select: string): Promise<readonly DataFile[]> {
    return this.engine.withConnection((connection) =>
      stageRows(connection, table, { select, namePrefix: randomUUID() }),
    );
  }
}

function valuesSql(rows: readonly SourceRow[]): string {
  const tuples = rows.map(
    ({ k, at, created, v }) =>
      `(${k}::BIGINT, make_timestamptz(${at * 1e6}), ${created == null ? 'NULL::TIMESTAMPTZ' : `make_timestamptz(${created * 1e6})`}, ${v === null ? 'NULL::DOUBLE' : `${quoteLiteral(String(v))}::DOUBLE`})`,
  );
  return `SELECT * FROM (VALUES ${tuples.join(', ')})`;
}
