/** A real project in a folder: one source table, one online view, `moraine.yaml`; for tests of whole runs. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ensureNamespace } from '../../catalogs/index.js';
import { readableScanSql } from '../../engine/index.js';
import { isMoraineError } from '../../errors/index.js';
import type { PartitionStrategy } from '../../features/index.js';
import { type Schema } from '../../iceberg/index.js';
import { openProject, type Project } from '../../project/index.js';
import type { EngineType } from '../../reduction/index.js';
import { fileToOpen, openFiles } from '../../scans/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, loadTable, planFiles, selectSnapshot, type Table } from '../../tables/index.js';
import { liveRows } from './compaction-lab.js';
import { temporaryFolder } from './temp-folder.js';

const SOURCE_SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: 1, name: 'sensor', required: false, type: { kind: 'long' } },
    { id: 2, name: 'event_ts', required: false, type: { kind: 'timestamptz' } },
    { id: 3, name: 'reading', required: false, type: { kind: 'double' } },
  ],
};

const CONFIG = `catalogs:
  local: { uri: catalog.db, warehouse: warehouse }
engine: { memoryLimit: 500MB, threads: 2, tempDirectory: tmp }
`;

export interface SmallProjectOptions {
  /** Buckets of the online table; 4 unless given. */
  readonly buckets?: number;
  /** Partition strategy of the online table. */
  readonly strategy?: PartitionStrategy;
  /** Name of the view; one of its own unless given. */
  readonly view?: string;
  /** Push source of the view. */
  readonly pushSource?: string;
  /** Engine of the view. */
  readonly engine?: EngineType;
  /** Format version of the source table; 2 unless given. */
  readonly formatVersion?: 2 | 3;
  /** `moraine.yaml`; unless given that of a warehouse beside it, with SQLite. */
  readonly config?: string;
  /** Makes a file as old as told; unless given one of this machine. */
  readonly age?: (location: string, modified: Date) => Promise<void>;
  /** The source table is named as the view, for runs that are named by their table; else it is `demo.readings`. */
  readonly hasOwnTable?: boolean;
}

export class SmallProject {
  readonly folder: string;
  readonly project: Project;
  /** Name of the view. */
  readonly view: string;
  /** Makes a file as old as told. */
  readonly age: (location: string, modified: Date) => Promise<void>;
  readonly #tableName: string;

  private constructor(folder: string, project: Project, { hasOwnTable, view, age }: SmallProjectOptions) {
    this.folder = folder;
    this.project = project;
    this.view = view ?? `readings_${randomUUID().slice(0, 8)}`;
    this.age = age ?? ((location, modified) => utimes(location, modified, modified));
    this.#tableName = hasOwnTable === true ? this.view : 'readings';
  }

  /** The source table. */
  get table(): string {
    return `demo.${this.#tableName}`;
  }

  /** Makes the project; it is closed and removed when the test has finished. */
  static async create(options: SmallProjectOptions = {}): Promise<SmallProject> {
    const small = await SmallProject.createIn(temporaryFolder(), options);
    onTestFinished(() => small.project.close());
    return small;
  }

  /** Makes the project in a folder; the caller closes and removes it. */
  static async createIn(folder: string, options: SmallProjectOptions = {}): Promise<SmallProject> {
    writeFileSync(join(folder, 'moraine.yaml'), options.config ?? CONFIG);
    const small = new SmallProject(folder, await openProject({ cwd: folder }), options);
    await small.#define(options);
    return small;
  }

  async #define({ buckets = 4, strategy, pushSource, engine, formatVersion = 2 }: SmallProjectOptions): Promise<void> {
    const { project, view } = this;
    const catalog = await project.catalog();
    await ensureNamespace(catalog, ['demo']);
    await catalog.createTable({ namespace: ['demo'], name: this.#tableName }, { schema: SOURCE_SCHEMA, formatVersion });
    await (await project.registry()).apply({
      entities: new Map([['sensor', { name: 'sensor', joinKeys: ['sensor'] }]]),
      featureViews: new Map([
        [
          view,
          {
            name: view,
            entities: ['sensor'],
            source: { table: this.table, timestampField: 'event_ts' },
            ttlMs: null,
            online: true,
            features: undefined,
            onlineBuckets: buckets,
            ...(strategy === undefined ? {} : { onlinePartitionStrategy: strategy }),
            ...(pushSource === undefined ? {} : { pushSource }),
            ...(engine === undefined ? {} : { engine }),
          },
        ],
      ]),
      featureServices: new Map(),
    });
  }

  /** Appends `rows` readings of 100 sensors (or as many as given) from a second on. Every row has a value of its own. */
  async append(rows: number, fromSecond = 0, sensors = 100): Promise<void> {
    const table = await this.source();
    const select =
      `SELECT i % ${sensors} AS sensor, make_timestamptz((${fromSecond} + i) * 1000000) AS event_ts, ` +
      `(${fromSecond} + i)::DOUBLE AS reading FROM range(${rows}) t(i)`;
    const engine = await this.project.engine();
    const files = await engine.withConnection((connection) =>
      stageRows(connection, table, { select, namePrefix: randomUUID() }),
    );
    await commitAppend(table, { files });
  }

  /** The rows of the online table, by sensor. */
  async onlineRows(): Promise<unknown[][]> {
    return this.query(
      await this.online(),
      'SELECT sensor, epoch(event_timestamp)::BIGINT, reading FROM rows ORDER BY ALL',
    );
  }

  /** The rows that the online table must hold: the newest row per sensor of the source, by plain SQL. */
  async recomputed(): Promise<unknown[][]> {
    const newest =
      'SELECT sensor, epoch(max(event_ts))::BIGINT, max_by(reading, event_ts) FROM rows GROUP BY sensor ORDER BY ALL';
    return this.query(await this.source(), newest);
  }

  async online(): Promise<Table> {
    const { catalog, identifier } = await this.project.resolveTable(`moraine_online.${this.view}`);
    return loadTable(catalog, this.project.io, identifier);
  }

  /** Run keys of the online table's snapshots, in order. */
  async runKeys(): Promise<(string | undefined)[]> {
    const { metadata } = await this.online();
    return metadata.snapshots.map(({ summary }) => summary.get('moraine.run-key'));
  }

  /** Whether a file of one byte is there. */
  async hasFile(location: string): Promise<boolean> {
    try {
      return (await this.project.io.stat(location)).sizeBytes === 1;
    } catch (error) {
      if (isMoraineError(error, 'FILE_NOT_FOUND')) return false;
      throw error;
    }
  }

  source(): Promise<Table> {
    return this.project.loadTable(this.table);
  }

  /** The live rows of the source table, in the order in which they were appended. */
  async sourceRows(): Promise<readonly string[]> {
    const lab = { io: this.project.io, engine: await this.project.engine() };
    return liveRows(lab, await this.source(), { select: 'reading, sensor, epoch(event_ts)::BIGINT' });
  }

  /** @param select of `rows`, which are those of the table */
  async query(table: Table, select: string): Promise<unknown[][]> {
    const { schema, snapshot } = selectSnapshot(table.metadata);
    const { files } = await planFiles(table, { schema, snapshot });
    const engine = await this.project.engine();
    return engine.withConnection(async (connection) => {
      const scan = await readableScanSql(connection, {
        schema,
        ...(await openFiles(connection, table, files.map(fileToOpen))),
      });
      return connection.rows(`WITH rows AS (SELECT * FROM ${scan}) ${select}`);
    });
  }
}
