/**
 * Tables of a Nessie server, by its Iceberg REST catalog. Branches, tags and the past are Nessie's: a table has one snapshot there and no
 * refs, earlier snapshots are at earlier commits, and a commit is made on the hash of the state that it was computed on.
 * Source: Nessie documentation, "Iceberg REST"; what servers do beyond it was measured on 0.99 (ADR 0031).
 */
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { checkRequirements, MAIN_BRANCH, type TableUpdate } from '../../iceberg/index.js';
import type { Catalog, CommitRequest, CreateTableRequest, LoadedTable, TableIdentifier } from '../catalog.js';
import type { Clock } from '../clock.js';
import { ensureNamespace } from '../ensure-namespace.js';
import type { RestCatalog } from '../rest/rest-catalog.js';
import { RestFailure } from '../rest/rest-failure.js';
import { unavailable } from '../rest/rest-refusals.js';
import { formatTableName } from '../table-name.js';
import { historyAfter, NO_HISTORY, readHistory, type TableHistory, withHistory } from './nessie-history.js';
import type { NessieLog } from './nessie-log.js';
import { type NessieReference, prefixOf } from './nessie-reference.js';

export interface NessiePlace {
  /** The server's Iceberg REST catalog. */
  readonly rest: RestCatalog;
  /** The same with another prefix. */
  readonly at: (prefix: string) => RestCatalog;
  readonly log: NessieLog;
  readonly reference: NessieReference;
  /** So many of a table's snapshots are known. */
  readonly maxSnapshots: number;
}

/** Table properties in which an answer says what it was read at. They differ from answer to answer. */
const COMMIT_ID = 'nessie.commit.id';
const COMMIT_REF = 'nessie.commit.ref';
const ITS_LOCATIONS = 'it decides itself where tables lie, below the location of its warehouse or of the namespace';
/** States of tables whose history is kept. */
const MAX_KNOWN = 1000;

export class NessieCatalog implements Catalog {
  readonly fileOwner = "Nessie's garbage collection (nessie-gc)";
  readonly decidesLocations = true;
  readonly hasTableRefs = false;
  readonly #rest: RestCatalog;
  readonly #place: NessiePlace;
  /** Histories by the metadata file of the state. The least recently used is first. */
  readonly #known = new Map<string, TableHistory>();

  constructor(place: NessiePlace) {
    this.#rest = place.rest;
    this.#place = place;
  }

  get name(): string {
    return this.#rest.name;
  }

  get id(): string {
    return this.#rest.id;
  }

  get clock(): Clock {
    return this.#rest.clock;
  }

  listNamespaces(parent?: readonly string[]): Promise<readonly (readonly string[])[]> {
    return this.#rest.listNamespaces(parent);
  }

  namespaceExists(namespace: readonly string[]): Promise<boolean> {
    return this.#rest.namespaceExists(namespace);
  }

  /** Makes those around it, too, which Nessie does not. */
  async createNamespace(namespace: readonly string[], properties?: ReadonlyMap<string, string>): Promise<void> {
    await ensureNamespace(this.#rest, namespace.slice(0, -1));
    await this.#rest.createNamespace(namespace, properties);
  }

  loadNamespaceProperties(namespace: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#rest.loadNamespaceProperties(namespace);
  }

  dropNamespace(namespace: readonly string[]): Promise<void> {
    return this.#rest.dropNamespace(namespace);
  }

  /** Nessie has no tables in a namespace that is not there. */
  async listTables(namespace: readonly string[]): Promise<readonly TableIdentifier[]> {
    const tables = await this.#rest.listTables(namespace);
    if (tables.length === 0) await this.#rest.loadNamespaceProperties(namespace);
    return tables;
  }

  async listViews(namespace: readonly string[]): Promise<readonly TableIdentifier[]> {
    return (await this.#rest.listViews?.(namespace)) ?? [];
  }

  tableExists(identifier: TableIdentifier): Promise<boolean> {
    return this.#rest.tableExists(identifier);
  }

  newTableLocation(identifier: TableIdentifier): Promise<string> {
    return this.#rest.newTableLocation(identifier);
  }

  reach(identifier: TableIdentifier, file?: string): Promise<void> {
    return this.#rest.reach(identifier, file);
  }

  async createTable(identifier: TableIdentifier, request: CreateTableRequest): Promise<LoadedTable> {
    if (request.location !== undefined) throw refused('a location for a table', identifier, ITS_LOCATIONS);
    return withHistory(withoutCommit(await this.#rest.createTable(identifier, request)), NO_HISTORY);
  }

  async registerTable(identifier: TableIdentifier, metadataLocation: string): Promise<LoadedTable> {
    return withoutCommit(await this.#rest.registerTable(identifier, metadataLocation));
  }

  async loadTable(identifier: TableIdentifier): Promise<LoadedTable> {
    return await this.#complete(await this.#rest.loadTable(identifier));
  }

  /**
   * Nessie takes some updates without doing anything, and some requirements without looking: those are refused and checked here. That the
   * table is still what was checked is a matter of the hash that the commit is made on.
   */
  async commitTable(identifier: TableIdentifier, request: CommitRequest): Promise<LoadedTable> {
    this.#requireBranch();
    const base = await this.#rest.loadTable(identifier);
    const before = await this.#complete(base);
    checkRequirements(before.metadata, request.requirements);
    requireDone(request.updates, identifier);
    const { name, warehouse } = this.#place.reference;
    const at = this.#place.at(prefixOf({ name, point: `@${this.#hashOf(base)}`, warehouse }));
    const uuid = { type: 'assert-table-uuid', uuid: before.metadata.tableUuid } as const;
    const after = await at.commitTable(identifier, { requirements: [uuid], updates: request.updates });
    return withHistory(withoutCommit(after), historyAfter(before, after));
  }

  dropTable(identifier: TableIdentifier): Promise<void> {
    return this.#rest.dropTable(identifier);
  }

  renameTable(from: TableIdentifier, to: TableIdentifier): Promise<void> {
    return this.#rest.renameTable(from, to);
  }

  siblings(): Promise<readonly Catalog[]> {
    return this.#rest.siblings();
  }

  close(): Promise<void> {
    this.#known.clear();
    return this.#rest.close();
  }

  /** The table with its history. */
  async #complete(table: LoadedTable): Promise<LoadedTable> {
    const { identifier, metadataLocation } = table;
    const known = this.#known.get(metadataLocation);
    const history = known ?? (await this.#historyOf(table, identifier));
    this.#known.delete(metadataLocation);
    this.#known.set(metadataLocation, history);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    return withHistory(withoutCommit(table), history);
  }

  async #historyOf(table: LoadedTable, identifier: TableIdentifier): Promise<TableHistory> {
    const { at, log, reference, maxSnapshots } = this.#place;
    if (table.metadata.currentSnapshotId === null) return NO_HISTORY;
    const atCommit = (hash: string): string =>
      prefixOf({ name: '', point: `@${hash}`, warehouse: reference.warehouse });
    try {
      return await readHistory(table, {
        commits: log.commitsOf(identifier, this.#hashOf(table)),
        load: async (name, hash) => {
          try {
            return await at(atCommit(hash)).loadTable(name);
          } catch (error) {
            if (isGone(error)) return undefined;
            throw error;
          }
        },
        known: (location) => this.#known.get(location),
        limit: maxSnapshots,
      });
    } catch (error) {
      throw error instanceof RestFailure ? unavailable(log.address, error) : error;
    }
  }

  #hashOf({ identifier, metadata }: LoadedTable): string {
    const hash = metadata.properties.get(COMMIT_ID);
    if (hash !== undefined) return hash;
    const message = `Nessie's answer for table ${formatTableName(identifier, this.name)} does not say in ${COMMIT_ID} at which commit it was read. Use Nessie 0.99 or later.`;
    throw new MoraineError('CATALOG_UNAVAILABLE', message);
  }

  #requireBranch(): void {
    const { name, point } = this.#place.reference;
    if (point === '') return;
    const message = `The catalog ${this.name} reads ${name}${point}, a state that does not change. To write, set its uri or prefix to a branch.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
}

/** Whether a state cannot be had, rather than the server: its garbage collection has taken the files of an old one. */
function isGone(error: unknown): boolean {
  if (!isMoraineError(error, 'CATALOG_UNAVAILABLE')) return isMoraineError(error);
  return error.cause instanceof RestFailure && error.cause.status === 500;
}

/** @throws MoraineError `UNSUPPORTED_FEATURE` for updates that Nessie refuses, or takes without doing them */
function requireDone(updates: readonly TableUpdate[], identifier: TableIdentifier): void {
  const added = new Set(updates.flatMap((each) => (each.action === 'add-snapshot' ? [each.snapshot.snapshotId] : [])));
  for (const update of updates) {
    const remedy = remedyFor(update, added);
    if (remedy === undefined) continue;
    throw refused(update.action, identifier, remedy);
  }
}

function remedyFor(update: TableUpdate, added: ReadonlySet<bigint>): string | undefined {
  switch (update.action) {
    case 'remove-snapshots':
      return 'its garbage collection (nessie-gc) removes what no reference needs any more';
    case 'set-location':
      return ITS_LOCATIONS;
    case 'upgrade-format-version':
      return 'make the table anew with the other version';
    case 'remove-snapshot-ref':
      return 'make and drop branches and tags of Nessie';
    case 'set-snapshot-ref':
      if (update.refName !== MAIN_BRANCH) return 'make a branch or tag of Nessie';
      return added.has(update.ref.snapshotId) ? undefined : 'assign the branch of Nessie to an earlier commit';
    default:
      return undefined;
  }
}

function refused(what: string, identifier: TableIdentifier, remedy: string): MoraineError {
  const message = `Table ${formatTableName(identifier)} is in a Nessie catalog, which does not do ${what}: ${remedy}.`;
  return new MoraineError('UNSUPPORTED_FEATURE', message, { details: { what } });
}

function withoutCommit(table: LoadedTable): LoadedTable {
  const properties = new Map(table.metadata.properties);
  properties.delete(COMMIT_ID);
  properties.delete(COMMIT_REF);
  return { ...table, metadata: { ...table.metadata, properties } };
}
