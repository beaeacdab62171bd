/** A catalog, an engine and a registry in a temporary folder, and tables filled with SQL. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Catalog, parseTableName } from '../../catalogs/index.js';
import { type ByteSink, type Engine, openEngine, writeRows } from '../../engine/index.js';
import {
  type Definitions,
  getHistoricalFeatures,
  type HistoricalDeps,
  type HistoricalFeatures,
  type HistoricalRequest,
  parseDefinitions,
  parseFeatureType,
  Registry,
} from '../../features/index.js';
import {
  assignFreshIds,
  type IcebergType,
  mapChildFields,
  parseType,
  type Schema,
  schemaToJson,
  versionThreeColumns,
} from '../../iceberg/index.js';
import { stageRows } from '../../staging/index.js';
import type { FileIO } from '../../storage/index.js';
import { commitAppend, loadTable, type Table } from '../../tables/index.js';
import { PUT_FOLDER } from './put-file.js';
import { openTestStore } from './test-store.js';

/** An answer as JSON Lines would show it, and what it said of itself. */
export interface LabAnswer {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly columns: readonly string[];
  readonly snapshots: HistoricalFeatures['snapshots'];
  readonly entitySources: HistoricalFeatures['entitySources'];
  readonly methods: readonly string[];
  readonly filesRead: readonly number[];
}

export class FeatureLab {
  readonly folder: string;
  readonly io: FileIO;
  readonly catalog: Catalog;
  readonly engine: Engine;
  definitions: Definitions = parseDefinitions([]);
  /** Tables that were loaded, by name, in order. */
  readonly loaded: string[] = [];

  private constructor(folder: string, io: FileIO, catalog: Catalog, engine: Engine) {
    this.folder = folder;
    this.io = io;
    this.catalog = catalog;
    this.engine = engine;
  }

  static async open(memoryLimitBytes = 512 * 2 ** 20): Promise<FeatureLab> {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-features-'));
    const { io, catalog } = await openTestStore(folder);
    const tempDirectory = join(folder, 'tmp');
    const engine = await openEngine({
      memoryLimitBytes,
      threads: 2,
      tempDirectory,
      allowedDirectories: [folder, PUT_FOLDER],
    });
    await catalog.createNamespace(['demo']);
    return new FeatureLab(folder, io, catalog, engine);
  }

  async close(): Promise<void> {
    await this.engine.close();
    await this.catalog.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  registry(): Registry {
    const { catalog, io, engine } = this;
    return new Registry({
      catalog,
      io,
      engine: () => Promise.resolve(engine),
      table: { namespace: ['moraine'], name: 'registry' },
    });
  }

  get deps(): HistoricalDeps {
    return {
      io: this.io,
      engine: this.engine,
      definitions: () => Promise.resolve(this.definitions),
      loadSource: (name) => {
        this.loaded.push(name);
        return this.table(name);
      },
    };
  }

  table(name: string): Promise<Table> {
    return loadTable(this.catalog, this.io, parseTableName(name).identifier);
  }

  /** Creates a table; columns are `name: type`. */
  async createTable(name: string, columns: Readonly<Record<string, string>>): Promise<void> {
    let lastId = 0;
    // Types of definitions have no ids of fields.
    const numbered = (type: IcebergType): IcebergType =>
      mapChildFields(type, (field) => ({ ...field, id: (lastId += 1), type: numbered(field.type) }));
    const fields = Object.entries(columns).map(([column, type]) => ({
      id: (lastId += 1),
      name: column,
      required: false,
      type: numbered(parseFeatureType(type) ?? parseType(type)),
    }));
    const schema: Schema = assignFreshIds({ schemaId: 0, identifierFieldIds: [], fields });
    const formatVersion = versionThreeColumns(schema).length > 0 ? 3 : 2;
    await this.catalog.createTable(parseTableName(name).identifier, { schema, formatVersion });
  }

  /** Appends the rows of a statement as one commit. Returns the new snapshot's id. */
  async append(name: string, select: string): Promise<bigint> {
    const table = await this.table(name);
    const files = await this.engine.withConnection((connection) =>
      stageRows(connection, table, { select, namePrefix: randomUUID() }),
    );
    return (await commitAppend(table, { files })).snapshotId;
  }

  define(value: unknown): void {
    this.definitions = parseDefinitions([{ value }]);
  }

  /** Retrieves and reads the whole answer. */
  async historical(request: HistoricalRequest): Promise<LabAnswer> {
    return await getHistoricalFeatures(this.deps, request, async (answer) => {
      const chunks: Uint8Array[] = [];
      const sink: ByteSink = { write: (bytes) => void chunks.push(bytes) as unknown as Promise<void> };
      await writeRows(answer.connection, answer.select, answer.schema, 'jsonl', sink);
      const text = Buffer.concat(chunks).toString('utf8');
      return {
        rows: text
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Record<string, unknown>),
        columns: (schemaToJson(answer.schema) as { fields: { name: string; type: unknown }[] }).fields.map(
          (field) => `${field.name} ${String(field.type)}`,
        ),
        snapshots: answer.snapshots,
        entitySources: answer.entitySources,
        methods: [...answer.joins.values()].map((joined) => joined.method),
        filesRead: [...answer.joins.values()].map((joined) => joined.filesRead),
      };
    });
  }
}
