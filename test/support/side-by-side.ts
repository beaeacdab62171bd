/** One input for two: tables, definitions and questions that the real Feast and Moraine get alike, and what each of them answers. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { onTestFinished } from 'vitest';
import { createMoraine, type Moraine } from '../../client/index.js';
import { sqlType } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import { type FeatureView, parseFeatureType } from '../../features/index.js';
import { parseType } from '../../iceberg/index.js';
import { type MaterializationDeps, materializeDirect } from '../../materialization/index.js';
import { type FeatureValue, featureValueToJson, type OnlineFeature, OnlineReader } from '../../online/index.js';
import { commitOverwrite, planFiles, selectSnapshot } from '../../tables/index.js';
import { FeastError, type FeastSession } from './feast-session.js';
import { FeatureLab } from './feature-lab.js';

/** Join keys, the time, and other columns. */
export type Entity = Readonly<Record<string, string | number | boolean | null>>;

/** A question to point-in-time retrieval. */
export interface Question {
  readonly features?: readonly string[];
  readonly service?: string;
  readonly entities?: readonly Entity[];
  /** Entity rows by SQL, in their place. */
  readonly sql?: string;
  /** In place of entity rows, both ends included. */
  readonly window?: { readonly start: string; readonly end: string };
  readonly fullFeatureNames?: boolean;
  readonly knownAsOf?: boolean;
  /** Columns of the entity rows that are timestamps; `event_timestamp` unless given. */
  readonly times?: readonly string[];
}

/** Both answers; of one that is refused the name: a class of Python, a code of `errors/table.ts`. */
export interface Answers {
  readonly feast: unknown;
  readonly moraine: unknown;
}

type Row = Readonly<Record<string, unknown>>;

interface SourceTable {
  readonly columns: Readonly<Record<string, string>>;
  /** A SELECT for each commit. */
  commits: readonly string[];
}

/** Microseconds since the epoch; of the text, milliseconds count. */
export const toUs = (text: string): bigint => BigInt(Date.parse(text)) * 1000n;

export class SideBySide {
  readonly lab: FeatureLab;
  /** As they were given last. */
  definitions: object = {};
  readonly #feast: FeastSession;
  readonly #store: string;
  readonly #duckdb: DuckDBConnection;
  readonly #tables = new Map<string, SourceTable>();
  #pushSources: ReadonlyMap<string, string> = new Map();

  private constructor(lab: FeatureLab, feast: FeastSession, store: string, duckdb: DuckDBConnection) {
    this.lab = lab;
    this.#feast = feast;
    this.#store = store;
    this.#duckdb = duckdb;
  }

  /**
   * A new empty pair.
   * @param store Feast's offline store; its online store is SQLite
   * @param atEnd takes what removes the pair; unless given it goes with the test
   */
  static async open(
    feast: FeastSession,
    store: 'duckdb' | 'dask' = 'duckdb',
    atEnd: (close: () => Promise<void>) => void = onTestFinished,
  ): Promise<SideBySide> {
    const lab = await FeatureLab.open();
    atEnd(() => lab.close());
    const duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
    await duckdb.run("SET TimeZone = 'UTC'");
    mkdirSync(join(lab.folder, 'feast'));
    return new SideBySide(lab, feast, store, duckdb);
  }

  /**
   * An Iceberg table, and a Parquet file that plain DuckDB writes of the same rows.
   * @param columns name -> Iceberg type
   * @param commits rows of each commit as SQL: `(1, 'x'), (2, NULL)`
   */
  async table(name: string, columns: Readonly<Record<string, string>>, ...commits: string[]): Promise<void> {
    await this.lab.createTable(name, columns);
    this.#tables.set(name, { columns, commits: [] });
    for (const rows of commits) await this.append(name, rows);
  }

  async append(name: string, rows: string): Promise<void> {
    const table = this.#table(name);
    const columns = Object.entries(table.columns);
    const typed = columns.map(
      ([column, type]) => `"${column}"::${sqlType(parseFeatureType(type) ?? parseType(type))} AS "${column}"`,
    );
    const select = `SELECT ${typed.join(', ')} FROM (VALUES ${rows}) AS v(${columns.map(([column]) => `"${column}"`).join(', ')})`;
    await this.lab.append(name, select);
    await this.#commit(name, [...table.commits, select]);
  }

  /** Takes the rows of one commit, counted from 0, out of the table. */
  async remove(name: string, commit: number): Promise<void> {
    const table = await this.lab.table(name);
    const { files } = await planFiles(table, selectSnapshot(table.metadata));
    const removed = files.filter(({ sequenceNumber }) => sequenceNumber === BigInt(commit + 1));
    await commitOverwrite(table, { removeFiles: removed.map(({ file }) => file.filePath), files: [] });
    await this.#commit(name, this.#table(name).commits.toSpliced(commit, 1));
  }

  async #commit(name: string, commits: readonly string[]): Promise<void> {
    this.#table(name).commits = commits;
    await this.#duckdb.run(`COPY (${commits.join(' UNION ALL ')}) TO '${this.#path(name)}' (FORMAT parquet)`);
  }

  #table(name: string): SourceTable {
    const table = this.#tables.get(name);
    if (table === undefined) throw new Error(`no table ${name}`);
    return table;
  }

  #path(name: string): string {
    return join(this.lab.folder, 'feast', `${name}.parquet`);
  }

  /**
   * Defines the same for both.
   * @param definitions with the keys of the YAML
   * @param ttlMs of the views in Feast, where it has another one
   * @param pushSources of views in Feast
   */
  async define(definitions: object, ttlMs?: number, pushSources: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#pushSources = new Map(Object.entries(pushSources));
    this.definitions = definitions;
    this.lab.define(definitions);
    const { featureViews, featureServices } = this.lab.definitions;
    const services = [...featureServices.values()].map((service) => ({
      name: service.name,
      features: service.features.map((part) => ({
        view: part.view,
        alias: part.alias ?? part.view,
        features: part.features ?? [],
        joinKeyMap: Object.fromEntries(part.joinKeyMap ?? []),
      })),
    }));
    const views = [...featureViews.values()].map((view) => ({
      ...this.#feastView(view),
      ...(ttlMs === undefined ? {} : { ttlMs }),
    }));
    await this.#feast.ask('define', {
      folder: join(this.lab.folder, 'feast'),
      offlineStore: this.#store,
      views,
      services,
    });
  }

  #feastView({ name, entities, source, ttlMs, features }: FeatureView): object {
    const renamed = (column: string): string => source.fieldMapping?.get(column) ?? column;
    const columns = Object.entries(this.#table(source.table).columns);
    const types = Object.fromEntries(columns.map(([column, type]) => [renamed(column), type]));
    const keys = entities.flatMap((entity) => this.lab.definitions.entities.get(entity)?.joinKeys ?? []);
    const others = new Set([...keys, source.timestampField, source.createdTimestampField]);
    const names = features?.map((feature) => feature.name) ?? Object.keys(types).filter((type) => !others.has(type));
    const typed = (chosen: readonly string[]): unknown => Object.fromEntries(chosen.map((key) => [key, types[key]]));
    return {
      name,
      path: this.#path(source.table),
      timestampField: source.timestampField,
      createdTimestampField: source.createdTimestampField ?? null,
      fieldMapping: Object.fromEntries(source.fieldMapping ?? []),
      ttlMs: ttlMs === null ? null : Number(ttlMs),
      keys: typed(keys),
      features: typed(names),
      pushSource: this.#pushSources.get(name) ?? null,
    };
  }

  /** Feast's types of the features of a table that it reads as an Iceberg table of this catalog, in a view `v` of all its columns. */
  async feastIceberg(name: string, key: string, timestampField: string): Promise<unknown> {
    const { folder } = this.lab;
    const [namespace, table] = name.split('.');
    const catalog = { uri: `sqlite:///${join(folder, 'catalog.db')}`, warehouse: join(folder, 'warehouse') };
    const source = { ...catalog, namespace, table, key, timestampField };
    return await this.#feast.ask('define_iceberg', { folder: join(folder, 'feast'), ...source });
  }

  /** The same tables and definitions, opened as an application opens them; closed when the test has finished. */
  async moraine(): Promise<Moraine> {
    const { folder } = this.lab;
    const catalogs = { main: { uri: join(folder, 'catalog.db'), warehouse: join(folder, 'warehouse') } };
    const config = { catalogs, engine: { threads: 2 } };
    const moraine = await createMoraine({ config, cwd: folder, fileFolders: [folder] });
    onTestFinished(() => moraine.close());
    await moraine.apply(this.definitions);
    return moraine;
  }

  /** Both answers in the order of the entity rows, which Feast's stores lose: a column `row` tells it and is left out again. */
  async historical(question: Question): Promise<Answers> {
    const entities = question.entities?.map((entity, row) => ({ row, ...entity }));
    const numbered = { ...question, ...(entities === undefined ? {} : { entities }) };
    const inOrder = async (rows: Promise<readonly Row[]>): Promise<unknown> =>
      (await rows).toSorted((a, b) => Number(a.row) - Number(b.row)).map(withoutRow);
    return {
      feast: await orError(inOrder(this.feastRows(numbered))),
      moraine: await orError(inOrder(this.moraineRows(numbered))),
    };
  }

  /** Feast's rows as they come. */
  async feastRows(question: Question): Promise<readonly Row[]> {
    return (await this.#feast.ask('historical', feastQuestion(question))) as Row[];
  }

  /** Moraine's rows as they come. */
  async moraineRows({ entities, sql, window, ...request }: Question): Promise<readonly Row[]> {
    const us = window === undefined ? {} : { startUs: toUs(window.start), endUs: toUs(window.end) };
    const rows = entities === undefined ? { window: us } : { rows: entities };
    return (await this.lab.historical({ ...request, entities: sql === undefined ? rows : { query: { sql } } })).rows;
  }

  /** Feast's saved dataset of an answer. */
  async feastSaved(
    question: Question,
  ): Promise<{ rows: readonly Row[]; stored: readonly Row[]; again: string | null }> {
    const path = join(this.lab.folder, 'feast', 'saved.parquet');
    return (await this.#feast.ask('save', { path, ...feastQuestion(question) })) as Awaited<
      ReturnType<SideBySide['feastSaved']>
    >;
  }

  get #deps(): MaterializationDeps {
    return { ...this.lab.deps, catalog: this.lab.catalog };
  }

  /** Materializes a window, or incrementally where no start is given. What it says is `done`, or the error. */
  async materialize(view: string, end: string, start?: string): Promise<Answers> {
    const interval = { endUs: toUs(end), ...(start === undefined ? {} : { startUs: toUs(start) }) };
    return {
      feast: await orError(this.#feast.ask('materialize', { view, end, start }).then(() => 'done')),
      moraine: await orError(materializeDirect(this.#deps, { view, ...interval }).then(() => 'done')),
    };
  }

  /** For each entity, for each feature `[status, value]`, as of now. */
  async online(features: readonly string[], entities: readonly Entity[]): Promise<Answers> {
    return {
      feast: await orError(this.#feast.ask('online', { features, entities })),
      moraine: await orError(this.#onlineRows(features, entities)),
    };
  }

  async #onlineRows(features: readonly string[], entities: readonly Entity[]): Promise<unknown> {
    const reader = new OnlineReader(this.#deps);
    const answer = await reader.getOnlineFeatures({ features, entities, readTimeoutMs: 60_000 });
    return answer.rows.map((values) =>
      values.map(({ status, value }, index) => [status, served(answer.features[index] as OnlineFeature, value)]),
    );
  }
}

/** Entity rows by column, as a frame of pandas takes them. */
function feastQuestion({
  entities,
  sql,
  times = ['event_timestamp'],
  ...question
}: Question): Readonly<Record<string, unknown>> {
  const names = Object.keys(entities?.[0] ?? {});
  const columns = Object.fromEntries(names.map((name) => [name, entities?.map((row) => row[name])]));
  return { ...question, entities: sql ?? (entities === undefined ? null : columns), times };
}

/** A served value as JSON; integers that a number holds are numbers. */
function served({ type }: OnlineFeature, value: FeatureValue): unknown {
  const json = featureValueToJson(type, value);
  return typeof json === 'bigint' && Number.isSafeInteger(Number(json)) ? Number(json) : json;
}

const withoutRow = (row: Row): Row => Object.fromEntries(Object.entries(row).filter(([name]) => name !== 'row'));

async function orError(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof FeastError) return error.kind;
    if (error instanceof MoraineError) return error.code;
    throw error;
  }
}

/** The configuration of a service on the tables of a lab, for answers that may take their time. */
export function writeServiceConfig(folder: string): void {
  const config = {
    catalogs: { main: { uri: 'catalog.db', warehouse: 'warehouse' } },
    engine: { threads: 2 },
    online: { readTimeoutMs: 60_000 },
    server: { queueTimeoutMs: 60_000, groupCommitMs: 20 },
  };
  writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
}
