/** A table with columns `id`, `category` and `amount` in a local catalog, sinks on it, and its rows read back past our own scan. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalog, CommitRequest, CreateTableRequest, LoadedTable, TableIdentifier } from '../../catalogs/index.js';
import { type Engine, openEngine, quoteLiteral } from '../../engine/index.js';
import { currentSchema, currentSnapshot, findSnapshot } from '../../iceberg/index.js';
import { IcebergSink, type SinkOptions, type SinkRecords } from '../../sink/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, loadTable, planFiles, type Table } from '../../tables/index.js';
import { IDENTIFIER, type TableFixture, tableFixture } from './table-fixture.js';

/** An engine for the tests of a file. */
export async function openSinkEngine(): Promise<{ engine: Engine; close: () => Promise<void> }> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-sink-')));
  const allowedDirectories = [realpathSync(tmpdir())];
  const engine = await openEngine({ memoryLimitBytes: 1 << 29, threads: 2, tempDirectory: folder, allowedDirectories });
  const close = async () => {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { engine, close };
}

/** Records with these ids; category `c0` to `c2` by the id. Negative ids are rejected. */
export function records(...ids: readonly number[]): SinkRecords {
  return positioned(null, ids);
}

function positioned(partition: string | null, ids: readonly number[], from = 0): SinkRecords {
  return {
    count: ids.length,
    bytes: 10 * ids.length,
    open: async () => {
      const good = ids.filter((id) => id >= 0);
      const rejected = ids.flatMap((id, index) => {
        const position = partition === null ? null : { partition, offset: BigInt(from + index) };
        return id < 0 ? [{ reason: 'NEGATIVE', message: `${id}`, raw: Buffer.from(`${id}`), position }] : [];
      });
      const values = good.map((id) => `(${id}::BIGINT, 'c${id % 3}', ${id}::DOUBLE)`).join(', ');
      const sql =
        good.length === 0
          ? "SELECT 0::BIGINT AS id, '' AS category, 0::DOUBLE AS amount WHERE false"
          : `SELECT * FROM (VALUES ${values}) AS v(id, category, amount)`;
      return { sql, rows: BigInt(good.length), rejected, close: () => Promise.resolve() };
    },
  };
}

/** Records with the ids from `from` to below `to`, and their range. */
export const span = (partition: string, from: number, to: number) =>
  [
    records(...Array.from({ length: to - from }, (_, index) => from + index)),
    { partition, from: BigInt(from), to: BigInt(to) },
  ] as const;

/** Records with these ids at the positions from `from`, and their range. */
export const listed = (partition: string, from: number, ...ids: readonly number[]) =>
  [positioned(partition, ids, from), { partition, from: BigInt(from), to: BigInt(from + ids.length) }] as const;

/** What the next commits of a catalog are to meet; each is used once. */
export type CommitFault = (commit: () => Promise<LoadedTable>) => Promise<LoadedTable>;

const addsRows = ({ updates }: CommitRequest): boolean =>
  updates.some(
    (update) => update.action === 'add-snapshot' && Number(update.snapshot.summary.get('added-records') ?? 0) > 0,
  );

const addsSnapshot = ({ updates }: CommitRequest): boolean => updates.some(({ action }) => action === 'add-snapshot');

export class SinkWorld {
  readonly fixture: TableFixture;
  readonly engine: Engine;
  /** Met by the next commits through {@link catalog}. */
  readonly faults: CommitFault[] = [];
  /** The same for commits that add rows to other tables. */
  readonly otherFaults: CommitFault[] = [];
  /** The same for other commits of snapshots to other tables. */
  readonly otherClaimFaults: CommitFault[] = [];
  readonly requests: CommitRequest[] = [];
  /** The fixture's catalog, with faults. */
  readonly catalog: Catalog;

  private constructor(fixture: TableFixture, engine: Engine) {
    this.fixture = fixture;
    this.engine = engine;
    const { catalog } = fixture;
    const commitTable = (identifier: TableIdentifier, request: CommitRequest) => {
      this.requests.push(request);
      const commit = () => catalog.commitTable(identifier, request);
      const isOther = identifier.name !== IDENTIFIER.name;
      const others = addsRows(request) ? this.otherFaults : addsSnapshot(request) ? this.otherClaimFaults : [];
      const fault = (isOther ? others : this.faults).shift();
      return fault === undefined ? commit() : fault(commit);
    };
    this.catalog = new Proxy(catalog, {
      get: (target, name) => {
        if (name === 'commitTable') return commitTable;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  static async open(engine: Engine, request: Partial<CreateTableRequest> = {}): Promise<SinkWorld> {
    const properties = new Map([['commit.status-check.num-retries', '1'], ...(request.properties ?? [])]);
    return new SinkWorld(await tableFixture({ ...request, properties }), engine);
  }

  /** A sink that commits only when it is told to. */
  sink(options: Partial<SinkOptions> = {}): Promise<IcebergSink> {
    const { catalog, engine } = this;
    const io = this.fixture.io;
    const manual = { batchSize: Infinity, batchIntervalMs: Infinity };
    return IcebergSink.open({ catalog, io, engine }, { table: IDENTIFIER, name: 's', ...manual, ...options });
  }

  load(): Promise<Table> {
    return this.fixture.load();
  }

  /** Columns of another table of the catalog, as SQL gives them. */
  async rowsOf(identifier: TableIdentifier, columns: string): Promise<readonly (readonly unknown[])[]> {
    const table = await loadTable(this.fixture.catalog, this.fixture.io, identifier);
    const snapshot = currentSnapshot(table.metadata);
    if (snapshot === null) return [];
    const { files } = await planFiles(table, { snapshot, schema: currentSchema(table.metadata) });
    const paths = files.map(({ file }) => quoteLiteral(file.filePath)).join(', ');
    if (paths === '') return [];
    const sql = `SELECT ${columns} FROM read_parquet([${paths}], hive_partitioning = false, union_by_name = true) ORDER BY ALL`;
    return await this.engine.withConnection((connection) => connection.rows(sql));
  }

  /** Ids of the rows of a snapshot, sorted. */
  async ids(table?: Table): Promise<readonly number[]> {
    const paths = (await this.paths(table)).map(quoteLiteral).join(', ');
    if (paths === '') return [];
    const sql = `SELECT id FROM read_parquet([${paths}], hive_partitioning = false) ORDER BY id`;
    const rows = await this.engine.withConnection((connection) => connection.rows(sql));
    return rows.map(([id]) => Number(id));
  }

  /** Locations of the data files of the current snapshot. */
  async paths(table?: Table): Promise<readonly string[]> {
    const loaded = table ?? (await this.load());
    const snapshot = currentSnapshot(loaded.metadata);
    if (snapshot === null) return [];
    const { files } = await planFiles(loaded, { snapshot, schema: currentSchema(loaded.metadata) });
    return files.map(({ file }) => file.filePath);
  }

  /** Appends a row as a writer that knows nothing of sinks. */
  async appendForeign(id: number): Promise<bigint> {
    const table = await this.load();
    const select = `SELECT ${id}::BIGINT, 'c0', 0::DOUBLE`;
    const files = await this.engine.withConnection((connection) =>
      stageRows(connection, table, { select, namePrefix: `foreign-${id}` }),
    );
    return (await commitAppend(table, { files })).snapshotId;
  }

  /** Makes an older snapshot the current one. */
  async rollBack(snapshotId: bigint): Promise<void> {
    const ref = { type: 'branch', snapshotId } as const;
    const updates = [{ action: 'set-snapshot-ref', refName: 'main', ref } as const];
    await this.fixture.catalog.commitTable(IDENTIFIER, { requirements: [], updates });
  }

  /** A snapshot as another program makes it: nothing of Moraine is in its summary. */
  async commitForeign(identifier: TableIdentifier = IDENTIFIER): Promise<void> {
    const { catalog, io } = this.fixture;
    const { metadata } = await loadTable(catalog, io, identifier);
    const parent = currentSnapshot(metadata);
    if (parent === null) throw new Error('The table has no snapshot.');
    const [snapshotId, sequenceNumber] = [parent.snapshotId + 1n, metadata.lastSequenceNumber + 1n];
    const own = {
      snapshotId,
      sequenceNumber,
      parentSnapshotId: parent.snapshotId,
      timestampMs: parent.timestampMs + 1n,
    };
    const snapshot = { ...parent, ...own, summary: new Map([['operation', 'replace']]) };
    const ref = { type: 'branch', snapshotId } as const;
    const updates = [
      { action: 'add-snapshot', snapshot } as const,
      { action: 'set-snapshot-ref', refName: 'main', ref } as const,
    ];
    await catalog.commitTable(identifier, { requirements: [], updates });
  }

  /** Expires all snapshots but the current one, as another program does it. */
  async expireAll(identifier: TableIdentifier = IDENTIFIER): Promise<void> {
    const { metadata } = await loadTable(this.fixture.catalog, this.fixture.io, identifier);
    const snapshotIds = metadata.snapshots
      .map((each) => each.snapshotId)
      .filter((id) => id !== metadata.currentSnapshotId);
    if (snapshotIds.length === 0) return;
    const updates = [{ action: 'remove-snapshots', snapshotIds } as const];
    await this.fixture.catalog.commitTable(identifier, { requirements: [], updates });
  }

  async summaryOf(snapshotId: bigint | null): Promise<ReadonlyMap<string, string>> {
    const { metadata } = await this.load();
    return (snapshotId === null ? undefined : findSnapshot(metadata, snapshotId))?.summary ?? new Map<string, string>();
  }
}
