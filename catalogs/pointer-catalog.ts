/**
 * A catalog that only says where the metadata file of each table is: one pointer per table in a {@link CatalogStore}, swapped by
 * compare-and-swap. Metadata files are written here.
 */
import { randomUUID } from 'node:crypto';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { applyUpdates, checkRequirements, newTableMetadata, requireVersionTwoTypes } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import type {
  Catalog,
  CommitRequest,
  CreateTableRequest,
  LoadedTable,
  TableCommit,
  TableIdentifier,
} from './catalog.js';
import type { CatalogStore, TableKey } from './catalog-store.js';
import { type Clock, SYSTEM_CLOCK } from './clock.js';
import { afterOutcome, announceCommit } from './commit-outcome.js';
import { requireDistinct } from './distinct-tables.js';
import { defaultTableLocation, nextMetadataLocation, withoutTrailingSlash } from './location-names.js';
import {
  deleteExpiredMetadata,
  forgetTableMetadata,
  readTableMetadataCached,
  withMetadataLog,
  writeTableMetadata,
} from './metadata-file.js';
import { formatTableName } from './table-name.js';

/** How often a pointer is read whose metadata file is gone before it can be. */
const MAX_LOADS = 10;

export interface PointerCatalogOptions {
  readonly name: string;
  /** Where new tables go, unless a namespace or request says otherwise. */
  readonly warehouse: string;
  readonly io: FileIO;
  readonly clock?: Clock;
}

/** A table as a commit found it, and as it will be: with a metadata file that nothing points at yet. */
interface PreparedCommit {
  readonly base: LoadedTable;
  /** The same as `base` for a commit that changes nothing. */
  readonly landed: LoadedTable;
}

const isChange = ({ base, landed }: PreparedCommit): boolean => landed !== base;

/** Namespaces and pointers in a store; the metadata they point at in storage. */
export class PointerCatalog implements Catalog {
  readonly name: string;
  readonly id: string;
  readonly commitTables?: NonNullable<Catalog['commitTables']>;
  readonly #warehouse: string;
  readonly #io: FileIO;
  readonly clock: Clock;
  readonly #store: CatalogStore;
  /** Where each table's metadata was when it was loaded last. */
  readonly #loaded = new Map<string, string>();

  constructor(options: PointerCatalogOptions, store: CatalogStore) {
    this.name = options.name;
    this.id = `${store.database}#${options.name}`;
    this.clock = options.clock ?? SYSTEM_CLOCK;
    this.#warehouse = options.warehouse;
    this.#io = options.io;
    this.#store = store;
    if (store.swapTables !== undefined) this.commitTables = (commits) => this.#commitTables(commits);
  }

  async listNamespaces(parent: readonly string[] = []): Promise<readonly (readonly string[])[]> {
    if (parent.length > 0) await this.#requireNamespace(parent);
    const children = new Map<string, readonly string[]>();
    for (const namespace of await this.#store.namespaces()) {
      const levels = this.#store.names.levels(namespace);
      if (levels.length <= parent.length || !parent.every((level, i) => levels[i] === level)) continue;
      const child = levels.slice(0, parent.length + 1);
      children.set(child.join('.'), child);
    }
    return [...children.values()];
  }

  async namespaceExists(namespace: readonly string[]): Promise<boolean> {
    return this.#store.namespaceExists(this.#store.names.namespaceKey(namespace));
  }

  async createNamespace(
    namespace: readonly string[],
    properties: ReadonlyMap<string, string> = new Map(),
  ): Promise<void> {
    const key = this.#store.names.namespaceKey(namespace);
    if ((await this.#store.namespaceExists(key)) || !(await this.#store.insertNamespace(key, properties))) {
      throw new MoraineError('NAMESPACE_ALREADY_EXISTS', `Namespace ${key} exists already in catalog ${this.name}.`);
    }
  }

  async loadNamespaceProperties(namespace: readonly string[]): Promise<ReadonlyMap<string, string>> {
    await this.#requireNamespace(namespace);
    return await this.#store.namespaceProperties(this.#store.names.namespaceKey(namespace));
  }

  async dropNamespace(namespace: readonly string[]): Promise<void> {
    await this.#requireNamespace(namespace);
    const key = this.#store.names.namespaceKey(namespace);
    if ((await this.#store.deleteNamespace(key)) || !(await this.#store.namespaceExists(key))) return;
    throw new MoraineError('NAMESPACE_NOT_EMPTY', `Namespace ${key} still holds tables or namespaces.`);
  }

  async listTables(namespace: readonly string[]): Promise<readonly TableIdentifier[]> {
    await this.#requireNamespace(namespace);
    return (await this.#store.tableNames(this.#store.names.namespaceKey(namespace))).map((name) => ({
      namespace,
      name,
    }));
  }

  async tableExists(identifier: TableIdentifier): Promise<boolean> {
    return (await this.#store.metadataLocation(this.#key(identifier))) !== null;
  }

  async newTableLocation(identifier: TableIdentifier): Promise<string> {
    const key = this.#key(identifier);
    await this.#requireNamespace(identifier.namespace);
    const properties = await this.#store.namespaceProperties(key.namespace);
    const base = properties.get('location');
    const location = defaultTableLocation(this.#warehouse, identifier.namespace, identifier.name, base);
    // A table that was renamed still has its files in the folder of its former name.
    let free = location;
    for (let number = 2; await this.#store.isFolderOfOther(key, free); number++) free = `${location}-${number}`;
    return free;
  }

  async createTable(identifier: TableIdentifier, request: CreateTableRequest): Promise<LoadedTable> {
    const key = this.#key(identifier);
    if ((request.formatVersion ?? 2) < 3) requireVersionTwoTypes(request.schema);
    await this.#requireNamespace(identifier.namespace);
    if (await this.tableExists(identifier)) throw this.#alreadyExists(identifier);
    const location = request.location ?? (await this.newTableLocation(identifier));
    const metadata = newTableMetadata({
      ...request,
      location: withoutTrailingSlash(location),
      tableUuid: randomUUID(),
      nowMs: BigInt(this.clock.nowMs()),
    });
    const metadataLocation = nextMetadataLocation(metadata);
    await writeTableMetadata(this.#io, metadataLocation, metadata);
    if (!(await this.#store.insertTable(key, { metadataLocation, metadata }))) {
      await afterOutcome(() => this.#io.delete(metadataLocation));
      throw this.#alreadyExists(identifier);
    }
    return { identifier, metadataLocation, metadata };
  }

  async registerTable(identifier: TableIdentifier, metadataLocation: string): Promise<LoadedTable> {
    const key = this.#key(identifier);
    await this.#requireNamespace(identifier.namespace);
    // Whoever names a file may have made it anew at a location that is known.
    forgetTableMetadata(this.#io, metadataLocation);
    const metadata = await readTableMetadataCached(this.#io, metadataLocation);
    if (!(await this.#store.insertTable(key, { metadataLocation, metadata }))) throw this.#alreadyExists(identifier);
    return { identifier, metadataLocation, metadata };
  }

  async loadTable(identifier: TableIdentifier): Promise<LoadedTable> {
    let gone: string | undefined;
    for (let attempt = 1; ; attempt++) {
      const metadataLocation = await this.#store.metadataLocation(this.#key(identifier));
      if (metadataLocation === null) throw this.#notFound(identifier);
      try {
        const metadata = await readTableMetadataCached(this.#io, metadataLocation);
        this.#forgetFormer(identifier, metadataLocation);
        return { identifier, metadataLocation, metadata };
      } catch (error) {
        // Commits since the pointer was read may have deleted the file. The same pointer again means that it is missing.
        const isReplaced = isMoraineError(error, 'FILE_NOT_FOUND') && metadataLocation !== gone;
        if (!isReplaced || attempt === MAX_LOADS) throw error;
        gone = metadataLocation;
      }
    }
  }

  /** Metadata that another process has replaced is large, and is rarely asked for again. */
  #forgetFormer(identifier: TableIdentifier, metadataLocation: string): void {
    const name = formatTableName(identifier);
    const former = this.#loaded.get(name);
    if (former !== undefined && former !== metadataLocation) forgetTableMetadata(this.#io, former);
    this.#loaded.set(name, metadataLocation);
  }

  async commitTable(identifier: TableIdentifier, request: CommitRequest): Promise<LoadedTable> {
    const prepared = await announceCommit(async () => {
      const next = await this.#prepare({ identifier, ...request });
      if (isChange(next)) await this.#swap([next]);
      return next;
    });
    await this.#tidy(prepared);
    return prepared.landed;
  }

  async #commitTables(commits: readonly TableCommit[]): Promise<void> {
    requireDistinct(commits);
    if (commits.length === 0) return;
    const prepared = await announceCommit(async () => {
      const all: PreparedCommit[] = [];
      try {
        for (const commit of commits) all.push(await this.#prepare(commit));
      } catch (error) {
        await this.#discard(all.filter(isChange));
        throw error;
      }
      const changes = all.filter(isChange);
      if (changes.length > 0) await this.#swap(changes);
      return all;
    });
    for (const each of prepared) await this.#tidy(each);
  }

  /** Everything up to the swap: checks the requirements, and writes the new metadata file. */
  async #prepare({ identifier, requirements, updates }: TableCommit): Promise<PreparedCommit> {
    const base = await this.loadTable(identifier);
    checkRequirements(base.metadata, requirements);
    const updated = applyUpdates(base.metadata, updates, BigInt(this.clock.nowMs()));
    if (updated === base.metadata) return { base, landed: base };
    const metadata = withMetadataLog(updated, base);
    const metadataLocation = nextMetadataLocation(metadata, base.metadataLocation);
    await writeTableMetadata(this.#io, metadataLocation, metadata);
    return { base, landed: { identifier, metadataLocation, metadata } };
  }

  /** What has landed stays landed, whatever becomes of this. */
  async #tidy(commit: PreparedCommit): Promise<void> {
    if (!isChange(commit)) return;
    const { base, landed } = commit;
    await afterOutcome(
      () => Promise.resolve(forgetTableMetadata(this.#io, base.metadataLocation)),
      () => deleteExpiredMetadata(this.#io, base.metadata, landed.metadata, () => this.#store.metadataLocations()),
    );
  }

  async dropTable(identifier: TableIdentifier): Promise<void> {
    if (!(await this.#store.deleteTable(this.#key(identifier)))) throw this.#notFound(identifier);
    this.#loaded.delete(formatTableName(identifier));
  }

  async renameTable(from: TableIdentifier, to: TableIdentifier): Promise<void> {
    await this.#requireNamespace(to.namespace);
    const renamed = await this.#store.renameTable(this.#key(from), this.#key(to));
    if (renamed === null) throw this.#alreadyExists(to);
    if (!renamed) throw this.#notFound(from);
  }

  async siblings(): Promise<readonly Catalog[]> {
    const [warehouse, io, clock] = [this.#warehouse, this.#io, this.clock];
    const stores = await this.#store.siblings();
    return stores.map((store) => new PointerCatalog({ name: store.catalog, warehouse, io, clock }, store));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** The last step: what this throws has not landed, or nobody knows. */
  async #swap(commits: readonly PreparedCommit[]): Promise<void> {
    const swaps = commits.map(({ base, landed }) => ({
      key: this.#key(base.identifier),
      from: base.metadataLocation,
      to: landed,
    }));
    const [first] = swaps;
    let swapped: boolean;
    try {
      swapped =
        swaps.length === 1 && first !== undefined
          ? await this.#store.swapTable(first.key, first.from, first.to)
          : ((await this.#store.swapTables?.(swaps)) ?? false);
    } catch (error) {
      // Only where nothing can have been applied may the new metadata files go.
      if (isMoraineError(error, 'CATALOG_UNAVAILABLE')) await this.#discard(commits);
      throw error;
    }
    if (swapped) return;
    await this.#discard(commits);
    throw this.#changed(commits);
  }

  #changed(commits: readonly PreparedCommit[]): MoraineError {
    const names = commits.map(({ base }) => formatTableName(base.identifier, this.name));
    const what = names.length === 1 ? `Table ${names.join()} was` : `One of the tables ${names.join(', ')} was`;
    const message = `${what} changed by another writer during the commit.`;
    return new MoraineError('COMMIT_CONFLICT', message, { details: { base: commits[0]?.base.metadataLocation ?? '' } });
  }

  /** Deletes metadata files that certainly nothing points at; those that stay are orphans. */
  #discard(commits: readonly PreparedCommit[]): Promise<void> {
    return afterOutcome(
      ...commits.map(
        ({ landed }) =>
          () =>
            this.#io.delete(landed.metadataLocation),
      ),
    );
  }

  #key({ namespace, name }: TableIdentifier): TableKey {
    this.#store.names.checkTable(name);
    return { namespace: this.#store.names.namespaceKey(namespace), name };
  }

  async #requireNamespace(namespace: readonly string[]): Promise<void> {
    if (await this.namespaceExists(namespace)) return;
    throw new MoraineError(
      'NAMESPACE_NOT_FOUND',
      `Namespace ${namespace.join('.')} does not exist in catalog ${this.name}.`,
    );
  }

  #notFound(identifier: TableIdentifier): MoraineError {
    return new MoraineError('TABLE_NOT_FOUND', `Table ${formatTableName(identifier, this.name)} does not exist.`);
  }

  #alreadyExists(identifier: TableIdentifier): MoraineError {
    return new MoraineError('TABLE_ALREADY_EXISTS', `Table ${formatTableName(identifier, this.name)} exists already.`);
  }
}
