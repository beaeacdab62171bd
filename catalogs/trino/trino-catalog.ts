/**
 * Tables that only Trino reaches: it says where the metadata file of each is, and which files the table has; everything else is read from
 * storage. Nothing is written through it. Source: Trino documentation, "Iceberg connector", metadata tables.
 */
import { MoraineError } from '../../errors/index.js';
import type { JsonValue } from '../../iceberg/index.js';
import type { FileIO } from '../../storage/index.js';
import type { Catalog, LiveState, LoadedTable, TableIdentifier } from '../catalog.js';
import { type Clock, SYSTEM_CLOCK } from '../clock.js';
import { readTableMetadataCached } from '../metadata-file.js';
import { checkName, checkNamespace } from '../names.js';
import { readOnly } from '../read-only.js';
import { formatTableName } from '../table-name.js';
import { newestOfLog } from './metadata-log.js';
import { TrinoClient, TrinoFailure, type TrinoRow } from './trino-client.js';
import { TRINO_PROOF, type TrinoOptions, trinoPlace } from './trino-options.js';
import { literal, quoted } from './trino-text.js';

export interface TrinoCatalogOptions {
  readonly name: string;
  /** `https://HOST:PORT/CATALOG` */
  readonly uri: string;
  readonly io: FileIO;
  readonly options?: TrinoOptions;
  readonly clock?: Clock;
}

/** Opens a catalog of Trino. Nothing is asked of it yet. @throws MoraineError `CONFIG_INVALID` */
export function openTrinoCatalog(options: TrinoCatalogOptions): Catalog {
  const clock = options.clock ?? SYSTEM_CLOCK;
  const client = new TrinoClient(trinoPlace(options.uri), options.options ?? {}, clock);
  return new TrinoCatalog(options.name, client, options.io, clock);
}

/** Schemas that Trino itself adds. */
const OF_TRINO = new Set(['information_schema', 'system']);

/** What Trino calls tables, schemas and catalogs that are not there. */
const MISSING = new Set(['TABLE_NOT_FOUND', 'SCHEMA_NOT_FOUND', 'NOT_FOUND']);

class TrinoCatalog implements Catalog {
  readonly name: string;
  readonly id: string;
  readonly clock: Clock;
  readonly isReadOnly = true;
  readonly #client: TrinoClient;
  readonly #io: FileIO;

  constructor(name: string, client: TrinoClient, io: FileIO, clock: Clock) {
    this.name = name;
    this.id = `trino:${client.place.server}/${client.place.catalog}`;
    this.clock = clock;
    this.#client = client;
    this.#io = io;
  }

  async listNamespaces(parent: readonly string[] = []): Promise<readonly (readonly string[])[]> {
    if (parent.length > 0 && !(await this.namespaceExists(parent))) throw this.#noNamespace(parent);
    const children = new Map<string, readonly string[]>();
    for (const schema of await this.#schemas()) {
      const levels = schema.split('.');
      if (levels.length <= parent.length || !parent.every((level, i) => levels[i] === level)) continue;
      const child = levels.slice(0, parent.length + 1);
      children.set(child.join('.'), child);
    }
    return [...children.values()];
  }

  async namespaceExists(namespace: readonly string[]): Promise<boolean> {
    const schema = schemaOf(namespace);
    return (await this.#schemas()).some((each) => each === schema || each.startsWith(`${schema}.`));
  }

  async loadNamespaceProperties(namespace: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (!(await this.namespaceExists(namespace))) throw this.#noNamespace(namespace);
    return new Map();
  }

  async listTables(namespace: readonly string[]): Promise<readonly TableIdentifier[]> {
    if (!(await this.namespaceExists(namespace))) throw this.#noNamespace(namespace);
    const rows = await this.#rows(`${this.#tablesOf(namespace)} ORDER BY table_name`);
    return rows.map(([name]) => ({ namespace, name: textOf(name) }));
  }

  async tableExists({ namespace, name }: TableIdentifier): Promise<boolean> {
    checkTable(name);
    return (await this.#rows(`${this.#tablesOf(namespace)} AND table_name = ${literal(name)}`)).length > 0;
  }

  async loadTable(identifier: TableIdentifier): Promise<LoadedTable> {
    const columns = 'file, CAST(to_unixtime(timestamp) * 1000 AS bigint), latest_sequence_number';
    const log = this.#metadataTable(identifier, 'metadata_log_entries');
    const rows = await this.#rows(`SELECT ${columns} FROM ${log}`, identifier);
    const entries = rows.map(([file, timeMs, sequenceNumber]) => ({
      file: textOf(file),
      timeMs: integerOf(timeMs),
      sequenceNumber: integerOf(sequenceNumber),
    }));
    const read = (location: string) => readTableMetadataCached(this.#io, location);
    const newest = await newestOfLog(entries, read);
    if (newest !== undefined) return { identifier, ...newest };
    const message = `Trino does not say where the metadata of table ${formatTableName(identifier, this.name)} is: none of its ${entries.length} metadata files follows all others.`;
    throw new MoraineError('METADATA_CORRUPT', message);
  }

  /** One query, so that snapshot and files are of one state. */
  async liveState(identifier: TableIdentifier): Promise<LiveState> {
    const refs = this.#metadataTable(identifier, 'refs');
    const files = this.#metadataTable(identifier, 'files');
    const sql = `SELECT CAST(r.snapshot_id AS varchar), f.file_path
      FROM ${refs} r LEFT JOIN ${files} f ON true WHERE r.name = 'main'`;
    let snapshotId: bigint | null = null;
    const paths = new Set<string>();
    for await (const [id, path] of this.#asked(sql, identifier)) {
      snapshotId = integerOf(id);
      if (typeof path === 'string') paths.add(path);
    }
    return { snapshotId, files: paths };
  }

  createNamespace(): Promise<never> {
    return this.#refused();
  }

  dropNamespace(): Promise<never> {
    return this.#refused();
  }

  newTableLocation(): Promise<never> {
    return this.#refused();
  }

  createTable(): Promise<never> {
    return this.#refused();
  }

  registerTable(): Promise<never> {
    return this.#refused();
  }

  commitTable(): Promise<never> {
    return this.#refused();
  }

  dropTable(): Promise<never> {
    return this.#refused();
  }

  renameTable(): Promise<never> {
    return this.#refused();
  }

  siblings(): Promise<readonly Catalog[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #schemas(): Promise<readonly string[]> {
    const rows = await this.#rows(`SELECT schema_name FROM ${this.#of('information_schema', 'schemata')} ORDER BY 1`);
    return rows.map(([schema]) => textOf(schema)).filter((schema) => !OF_TRINO.has(schema));
  }

  #tablesOf(namespace: readonly string[]): string {
    const tables = `SELECT table_name FROM ${this.#of('information_schema', 'tables')}`;
    return `${tables} WHERE table_schema = ${literal(schemaOf(namespace))} AND table_type = 'BASE TABLE'`;
  }

  #metadataTable({ namespace, name }: TableIdentifier, kind: 'metadata_log_entries' | 'refs' | 'files'): string {
    checkTable(name);
    return this.#of(schemaOf(namespace), `${name}$${kind}`);
  }

  #of(schema: string, table: string): string {
    return [this.#client.place.catalog, schema, table].map(quoted).join('.');
  }

  async #rows(sql: string, identifier?: TableIdentifier): Promise<readonly TrinoRow[]> {
    const rows: TrinoRow[] = [];
    for await (const row of this.#asked(sql, identifier)) rows.push(row);
    return rows;
  }

  /** @param identifier the table that is asked for */
  async *#asked(sql: string, identifier?: TableIdentifier): AsyncGenerator<TrinoRow> {
    try {
      yield* this.#client.query(sql);
    } catch (error) {
      throw error instanceof TrinoFailure ? this.#meaning(error, identifier) : error;
    }
  }

  #meaning(failure: TrinoFailure, identifier: TableIdentifier | undefined): MoraineError {
    const { server, catalog } = this.#client.place;
    const { errorName = '', status, message: said } = failure;
    if (identifier !== undefined && MISSING.has(errorName)) {
      const message = `Trino has no Iceberg table ${formatTableName(identifier, this.name)}.`;
      return new MoraineError('TABLE_NOT_FOUND', message, { cause: failure });
    }
    if (errorName === 'CATALOG_NOT_FOUND')
      return new MoraineError('CONFIG_INVALID', `Trino ${server} has no catalog ${catalog}: correct uri.`, {
        cause: failure,
      });
    const message = `Trino ${server} (${catalog}): ${said.replace(/\.$/, '')}. ${advice(errorName, status)}`;
    return new MoraineError('CATALOG_UNAVAILABLE', message, { cause: failure });
  }

  #noNamespace(namespace: readonly string[]): MoraineError {
    const message = `Namespace ${namespace.join('.')} does not exist in catalog ${this.name}.`;
    return new MoraineError('NAMESPACE_NOT_FOUND', message);
  }

  #refused(): Promise<never> {
    return Promise.reject(readOnly(this.name));
  }
}

function advice(errorName: string, status: number | undefined): string {
  if (status === 401) return TRINO_PROOF;
  if (status === 403 || errorName === 'PERMISSION_DENIED')
    return 'Give the user the right to read the table, with its metadata tables ($files, $refs, $metadata_log_entries).';
  if (errorName !== '') return 'See what Trino says of the query.';
  return 'Check uri and the network.';
}

/** The schema that Trino makes of a namespace; levels are joined where its catalog has several (`nested-namespace-enabled`). */
function schemaOf(namespace: readonly string[]): string {
  checkNamespace(namespace);
  const schema = namespace.join('.');
  requireLowerCase('Namespace', schema);
  return schema;
}

function checkTable(name: string): void {
  checkName('Table name', name);
  requireLowerCase('Table name', name);
}

function requireLowerCase(what: string, name: string): void {
  if (name === name.toLowerCase()) return;
  const message = `${what} ${JSON.stringify(name)} cannot be: Trino would read it in lower case.`;
  throw new MoraineError('INVALID_ARGUMENT', message);
}

function textOf(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value;
  throw new MoraineError(
    'CATALOG_UNAVAILABLE',
    'Trino answered with another type than text where a name was asked for.',
  );
}

function integerOf(value: JsonValue | undefined): bigint {
  if (value === null || value === undefined) return 0n;
  if (typeof value === 'bigint' || Number.isInteger(value)) return BigInt(value as number);
  if (typeof value === 'string' && /^-?\d+$/.test(value)) return BigInt(value);
  throw new MoraineError(
    'CATALOG_UNAVAILABLE',
    'Trino answered with something else than a whole number where one was asked for.',
  );
}
