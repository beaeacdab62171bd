/**
 * Reductions on Trino: it writes the rows into a table that was made for the attempt, and the attempt counts if that table then has one
 * snapshot of each of its queries that wrote rows, with as many as Trino says, and no other. Queries run one after the other. After any other outcome the query is cancelled and the table dropped; nothing is
 * ever inserted into it again.
 */
import { randomUUID } from 'node:crypto';
import {
  type Catalog,
  formatTableName,
  openTrinoCatalog,
  type TableIdentifier,
  TrinoClient,
  TrinoFailure,
  type TrinoOptions,
  type TrinoWritten,
  trinoLiteral,
  trinoPlace,
  trinoQuoted,
} from '../../catalogs/index.js';
import { type Connection, loadRows } from '../../engine/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import {
  currentSnapshot,
  findSnapshot,
  type IcebergType,
  type Schema,
  type TableMetadata,
} from '../../iceberg/index.js';
import type { FileIO } from '../../storage/index.js';
import { clockOf, loadTable, type Table } from '../../tables/index.js';
import { reductionFaultPoint } from '../fault-point.js';
import type { ReduceContext, WorkAttempt } from '../reduce-context.js';
import { type PointInTimeReduction, type Reduction, reducedSchema, schemaOf } from '../reduction.js';
import { compileForTrino, readsOf, requireReadable, type TrinoTables } from './compile.js';
import { endWriters, lackOfRights } from './end-writers.js';
import { requireOwnSnapshots } from './own-snapshots.js';
import { probeColumn, requireRowRead } from './probe.js';
import { requireFiles } from './require-files.js';
import { isLeftOver, isOfEarlierAttempt, type StagingKind } from './staging-name.js';
import {
  dropNamed,
  dropStagingTable,
  dropStagingTables,
  fillStagingTable,
  makeStagingTable,
  type StagingPlace,
  stagingTables,
} from './staging-table.js';
import { SYSTEM_RIGHTS, trinoError } from './trino-error.js';

/** How Trino is reached, and what it is asked for. */
export interface TrinoSettings {
  /** Scheme, host and port. */
  readonly uri: string;
  /** Names of catalogs in Trino by their names here; a catalog that is not named has the same name in both. */
  readonly catalogs: ReadonlyMap<string, string>;
  /** Namespace of the staging tables, in the catalog of the source. */
  readonly staging: readonly string[];
  /** `trino.user`, `trino.password`, `trino.token`, `trino.query-timeout-ms`, `header.NAME`. */
  readonly options: TrinoOptions;
  /** Session properties by name. */
  readonly session: Readonly<Record<string, string>>;
  /** Staged rows of one reduction may have so many bytes. */
  readonly maxStagedBytes: number;
}

export interface TrinoDeps {
  readonly io: FileIO;
  /** The catalog and identifier of `[CATALOG/]NS.TABLE`. */
  resolveTable(name: string): Promise<{ readonly catalog: Catalog; readonly identifier: TableIdentifier }>;
}

interface ReduceOptions extends ReduceContext {
  /** SQL over the connection whose rows are the probe of a point-in-time reduction. */
  readonly probe?: string | undefined;
}

/** Reduced rows in a table that is to be dropped. */
export interface ReducedTable {
  /** With one snapshot of each query that wrote rows. */
  readonly table: Table;
  readonly rows: bigint;
  /** Drops the table with its files, as far as that can be done. */
  release(): Promise<void>;
}

/** A source that doctor asks about. */
interface ProbedSource {
  /** `[CATALOG/]NS.TABLE` */
  readonly name: string;
  /** Whether Trino is asked to read it, rather than chosen by size. */
  readonly isAsked: boolean;
}

/** What doctor is told. */
interface TrinoProbe {
  readonly version: string;
  /** What the catalog is called in Trino. */
  readonly named: string;
  /** Sources that can be read. */
  readonly sources: number;
  /** What its user lacks, though runs do without; undefined: nothing. */
  readonly warning: string | undefined;
}

/** The oldest version that is asked. Tests run with 476. */
const OLDEST_VERSION = 440;

/** A query may run for a day unless `trino.query-timeout-ms` says otherwise. */
const LONGEST_QUERY_MS = '86400000';

/** A process looks for what has been left long ago at most this often. */
const TIDY_INTERVAL_MS = 3_600_000;

/** The engine Trino. */
export class TrinoEngine {
  readonly #settings: TrinoSettings;
  readonly #deps: TrinoDeps;
  /** Versions of Trino by the catalogs that were looked at. */
  readonly #known = new Map<string, string>();
  /** When it was looked for old tables, by the catalogs that they are in. */
  readonly #tidiedMs = new Map<string, number>();

  /** Nothing is asked of Trino yet. */
  constructor(settings: TrinoSettings, deps: TrinoDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  /**
   * The rows of a reduction, staged.
   * @param connection writes the tables that Trino joins with
   * @throws MoraineError `PLAN_STALE` if Trino sees the table, and no longer a state that is read; `TRINO_TABLE_DIFFERS`, `TRINO_UNAVAILABLE`, `TRINO_REFUSED`,
   *   `TRINO_QUERY_FAILED`, `UNSUPPORTED_FEATURE` for what Trino does not have, `LIMIT_EXCEEDED`, `CONFIG_INVALID`, `CANCELLED`
   */
  async reduce(connection: Connection, reduction: Reduction, options: ReduceOptions = {}): Promise<ReducedTable> {
    const { catalog, identifier } = await this.#deps.resolveTable(reduction.source.name);
    const client = this.#clientOf(catalog);
    // What Trino does not have is refused before anything is made.
    compileForTrino(reduction, { source: 's', files: 'f', probe: 'p', staged: 'r' });
    await requireFiles(reduction.source, readsOf(reduction));
    await this.#requireKnown(client, catalog);
    const source = { identifier, metadata: reduction.source.table.metadata };
    const requireSame = () => this.#requireSameTable(client, catalog, source, readsOf(reduction));
    await requireSame();
    const place = { catalog, io: this.#deps.io, namespace: this.#settings.staging };
    await this.#tidy(client, place, options.attempt);
    const made: Table[] = [];
    const make = async (kind: StagingKind, schema: Schema): Promise<Table> => {
      const table = await makeStagingTable(place, kind, schema, options.attempt);
      made.push(table);
      return table;
    };
    try {
      const rows = await make('rows', reducedSchema(reduction));
      const files = await make('files', FILES_SCHEMA);
      await fillFiles(connection, files, reduction);
      const probe = reduction.kind === 'point-in-time' ? await make('probe', probeSchema(reduction)) : undefined;
      if (probe !== undefined) await fillStagingTable(connection, probe, options.probe ?? '');
      const named = (table: TableIdentifier): string => trinoName(client, table);
      const tables: TrinoTables = {
        source: named(identifier),
        files: named(files.identifier),
        probe: probe === undefined ? '' : named(probe.identifier),
        staged: named(rows.identifier),
      };
      const queries: TrinoWritten[] = [];
      for (const sql of compileForTrino(reduction, tables)) {
        reductionFaultPoint('before-trino-insert');
        const written = await this.#write(client, sql, rows, options).catch(async (error: unknown) => {
          // A state that went meanwhile is why; whatever else the look finds is not.
          if (isMoraineError(error, 'TRINO_QUERY_FAILED', 'TRINO_REFUSED')) await requireSame().catch(throwIfStale);
          throw error;
        });
        queries.push(written);
        reductionFaultPoint('after-trino-insert');
      }
      const written = await loadTable(catalog, place.io, rows.identifier);
      requireOwnSnapshots(written, queries);
      this.#requireSize(written);
      await dropStagingTables(
        place,
        made.filter((table) => table !== rows),
      );
      return {
        table: written,
        rows: totalOf(written, 'total-records'),
        release: () => dropStagingTables(place, [written]),
      };
    } catch (error) {
      await dropStagingTables(place, made);
      throw error;
    }
  }

  /**
   * Does with one row what {@link reduce} does with many, in tables that go: Trino reads it from a table that was filled here, writes it into
   * another one, and it is read from there. Then looks whether sources can be read, and queries ended.
   * @param connection writes the row, and reads it
   * @param sources tables of the catalog. A table that is gone is passed over; so is one that Trino cannot read, unless Trino is asked to read it
   * @throws MoraineError as {@link reduce}
   */
  async probe(connection: Connection, catalog: Catalog, sources: readonly ProbedSource[] = []): Promise<TrinoProbe> {
    const client = this.#clientOf(catalog);
    const version = await this.#requireKnown(client, catalog);
    const place = { catalog, io: this.#deps.io, namespace: this.#settings.staging };
    const made: Table[] = [];
    const make = async (kind: StagingKind): Promise<Table> => {
      const table = await makeStagingTable(place, kind, schemaOf([probeColumn]));
      made.push(table);
      return table;
    };
    try {
      const [sent, rows] = [await make('files'), await make('rows')];
      const value = Math.floor(clockOf(catalog).random() * 2 ** 31);
      await fillStagingTable(connection, sent, `SELECT ${value}::INTEGER`);
      await this.#requireSameTable(client, catalog, rows);
      const [from, to] = [sent, rows].map(({ identifier }) => trinoName(client, identifier));
      const written = await this.#write(client, `INSERT INTO ${to} SELECT probe FROM ${from}`, rows, {});
      await requireRowRead(connection, { place, client, identifier: rows.identifier, written, value });
      let read = 0;
      for (const source of sources) if (await this.#probeSource(client, source)) read += 1;
      const warning = await lackOfRights(client, written.queryId);
      for (const table of [...made]) {
        await dropStagingTable(place, table);
        made.splice(made.indexOf(table), 1);
      }
      return { version, named: client.place.catalog, sources: read, warning };
    } catch (error) {
      await dropStagingTables(place, made);
      throw error;
    }
  }

  /** Whether Trino may read a source, and can. @throws MoraineError if it may not, or is asked to and cannot */
  async #probeSource(client: TrinoClient, { name, isAsked }: ProbedSource): Promise<boolean> {
    const { catalog, identifier } = await this.#deps.resolveTable(name);
    const table = await loadTable(catalog, this.#deps.io, identifier).catch((error: unknown) => {
      if (isMoraineError(error, 'TABLE_NOT_FOUND')) return undefined;
      throw error;
    });
    if (table === undefined) return false;
    try {
      requireReadable({ name, table });
    } catch (error) {
      if (isAsked) throw error;
      return false;
    }
    await this.#requireSameTable(client, catalog, table);
    try {
      await client.query(`SELECT 1 FROM ${trinoName(client, identifier)} LIMIT 0`).next();
    } catch (error) {
      throw trinoError(client, error);
    }
    return true;
  }

  /** Drops what others have left, as far as that can be done: nothing of it is ever read. */
  async #tidy(client: TrinoClient, place: StagingPlace, attempt: WorkAttempt | undefined): Promise<void> {
    const { name } = place.catalog;
    const { clock } = client;
    try {
      if (attempt !== undefined && attempt.number > 1) {
        const left = await stagingTables(place, (table) => isOfEarlierAttempt(table, attempt));
        await endWriters(client, left);
        await dropNamed(place, left);
      }
      const lastMs = this.#tidiedMs.get(name) ?? -TIDY_INTERVAL_MS;
      if (clock.monotonicMs() - lastMs < TIDY_INTERVAL_MS) return;
      this.#tidiedMs.set(name, clock.monotonicMs());
      await dropNamed(place, await stagingTables(place, (table) => isLeftOver(table, Date.now())));
    } catch {
      // The next one comes by.
    }
  }

  /** What does not change while Trino runs is asked once for each catalog. @returns the version */
  async #requireKnown(client: TrinoClient, catalog: Catalog): Promise<string> {
    const known = this.#known.get(catalog.name);
    if (known !== undefined) return known;
    const version = await this.#requireVersion(client);
    await this.#requireIceberg(client, catalog);
    this.#known.set(catalog.name, version);
    return version;
  }

  async #requireIceberg(client: TrinoClient, catalog: Catalog): Promise<void> {
    const { server, catalog: named } = client.place;
    const sql = `SELECT connector_name FROM system.metadata.catalogs WHERE catalog_name = ${trinoLiteral(named)}`;
    const connectors: unknown[] = [];
    try {
      for await (const [connector] of client.query(sql)) connectors.push(connector);
    } catch (error) {
      throw trinoError(client, error, SYSTEM_RIGHTS);
    }
    if (connectors[0] === 'iceberg') return;
    const found = connectors.length === 0 ? 'no catalog' : `no Iceberg connector behind catalog`;
    const remedy = `Catalog ${catalog.name} is taken for it: set trino.catalogs.${catalog.name} to the name that its tables have in Trino.`;
    throw new MoraineError('CONFIG_INVALID', `Trino ${server} has ${found} ${named}. ${remedy}`);
  }

  #clientOf(catalog: Catalog): TrinoClient {
    const { uri, catalogs, options } = this.#settings;
    if (catalog.isReadOnly === true) {
      const message = `Tables of catalog ${catalog.name} are only read, so that Trino cannot stage rows beside them. Let DuckDB do this: engine duckdb.`;
      throw new MoraineError('UNSUPPORTED_FEATURE', message);
    }
    const named = catalogs.get(catalog.name) ?? catalog.name;
    const place = trinoPlace(`${uri}/${encodeURIComponent(named)}`);
    return new TrinoClient(place, { 'trino.query-timeout-ms': LONGEST_QUERY_MS, ...options }, clockOf(catalog));
  }

  async #requireVersion(client: TrinoClient): Promise<string> {
    const version = await client.version().catch((error: unknown) => {
      throw trinoError(client, error);
    });
    const number = Number.parseInt(version, 10);
    if (number < OLDEST_VERSION) {
      const message = `Trino ${client.place.server} is version ${version}; ${OLDEST_VERSION} or newer is needed.`;
      throw new MoraineError('UNSUPPORTED_FEATURE', message);
    }
    return version;
  }

  /** Another table of the name would be read without an error. @param reads the states that it must have there */
  async #requireSameTable(
    client: TrinoClient,
    catalog: Catalog,
    { identifier, metadata: ours }: Pick<Table, 'identifier' | 'metadata'>,
    reads: readonly { readonly snapshotId: bigint }[] = [],
  ): Promise<void> {
    const { uri, options } = this.#settings;
    const seen = `${uri}/${encodeURIComponent(client.place.catalog)}`;
    const theirs = openTrinoCatalog({ name: client.place.catalog, uri: seen, io: this.#deps.io, options });
    const name = formatTableName(identifier, catalog.name);
    const differs = (what: string): MoraineError => {
      const mapped = `Catalog ${catalog.name} is taken for Trino's catalog ${client.place.catalog} (trino.catalogs).`;
      return new MoraineError('TRINO_TABLE_DIFFERS', `Trino ${client.place.server} ${what}. ${mapped}`);
    };
    const { metadata } = await theirs.loadTable(identifier).catch((error: unknown) => {
      if (isMoraineError(error, 'TABLE_NOT_FOUND')) throw differs(`has no Iceberg table ${name}`);
      if (isMoraineError(error, 'LOCATION_REFUSED')) throw differs(`has a table ${name} in another place`);
      if (!isMoraineError(error, 'CATALOG_UNAVAILABLE')) throw error;
      const isFinal = error.cause instanceof TrinoFailure && error.cause.isFinal;
      throw new MoraineError(isFinal ? 'TRINO_REFUSED' : 'TRINO_UNAVAILABLE', error.message, { cause: error });
    });
    if (metadata.tableUuid !== ours.tableUuid) throw differs(`has another table ${name} (${metadata.tableUuid})`);
    const missing = reads.find(({ snapshotId }) => findSnapshot(metadata, snapshotId) === undefined);
    if (missing === undefined) return;
    const problem = `does not have snapshot ${missing.snapshotId} of table ${name}`;
    if (!isNewer(metadata, ours)) throw differs(problem);
    const message = `Trino ${client.place.server} ${problem} any more, which has newer ones: make the plan again.`;
    throw new MoraineError('PLAN_STALE', message);
  }

  /** Writes the rows. Whatever fails, the query has ended or been asked to. */
  async #write(client: TrinoClient, sql: string, rows: Table, options: ReduceOptions): Promise<TrinoWritten> {
    const { run, signal, onQuery } = options;
    const tags = ['moraine', ...(run === undefined ? [] : [`run=${tagText(run)}`])];
    try {
      return await client.write(sql, { session: this.#settings.session, tags, signal, onProgress: onQuery });
    } catch (error) {
      await endWriters(client, [rows.identifier]).catch(() => undefined);
      if (signal?.aborted === true)
        throw new MoraineError('CANCELLED', 'The query on Trino was cancelled.', { cause: error });
      throw trinoError(client, error);
    }
  }

  #requireSize(table: Table): void {
    const { maxStagedBytes } = this.#settings;
    const bytes = totalOf(table, 'total-files-size');
    if (bytes <= BigInt(maxStagedBytes)) return;
    const message = `Trino found ${bytes} bytes of rows, more than ${maxStagedBytes}: raise trino.maxStagedSize, or ask for less at once.`;
    throw new MoraineError('LIMIT_EXCEEDED', message);
  }
}

/** Whether one state of a table was committed after another one. */
function isNewer(metadata: TableMetadata, than: TableMetadata): boolean {
  const ahead = metadata.lastSequenceNumber - than.lastSequenceNumber;
  return ahead > 0n || (ahead === 0n && metadata.lastUpdatedMs > than.lastUpdatedMs);
}

function throwIfStale(error: unknown): void {
  if (isMoraineError(error, 'PLAN_STALE')) throw error;
}

/** Tags are a header, and a comma ends one. */
const tagText = (text: string): string => text.replace(/[^!-+\--~]/gu, encodeURIComponent);

/** A table in Trino. Its schemas are named as namespaces are, their levels joined where it has several. */
const trinoName = ({ place }: TrinoClient, { namespace, name }: TableIdentifier): string =>
  [place.catalog, namespace.join('.'), name].map(trinoQuoted).join('.');

const FILES_SCHEMA = schemaOf([
  ['r', { kind: 'int' }],
  ['path', { kind: 'string' }],
  ['seq', { kind: 'long' }],
]);

async function fillFiles(connection: Connection, table: Table, reduction: Reduction): Promise<void> {
  const name = `reduced_files_${randomUUID().replaceAll('-', '')}`;
  const rows = readsOf(reduction).flatMap(({ files }, read) =>
    files.map(({ path, sequenceNumber }) => [read, path, sequenceNumber] as const),
  );
  await loadRows(
    connection,
    name,
    FILES_SCHEMA.fields.map(({ type }) => type),
    rows,
  );
  await fillStagingTable(connection, table, `SELECT c0, c1, c2 FROM ${name}`);
  await connection.run(`DROP TABLE ${name}`);
}

/** Columns of a probe: `r`, `k0..`, `hi`, `lo`, `known`. */
function probeSchema({ columns, hasTtl, knownAsOf }: PointInTimeReduction) {
  const { joinKeys, timestamp, created } = columns;
  return schemaOf([
    ['r', { kind: 'long' }],
    ...joinKeys.map(({ type }, index): [string, IcebergType] => [`k${index}`, type]),
    ['hi', timestamp.type],
    ...(hasTtl ? [['lo', timestamp.type] as const] : []),
    ...(knownAsOf && created !== null ? [['known', created.type] as const] : []),
  ]);
}

const totalOf = ({ metadata }: Table, figure: string): bigint =>
  BigInt(currentSnapshot(metadata)?.summary.get(figure) ?? 0);
