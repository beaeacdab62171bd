/** The entries of AWS Glue: every request of the Glue catalog. A commit replaces the version of an entry that it has read. */
import type * as GlueSdk from '@aws-sdk/client-glue';
import type { Database, GlueClient, Table, TableInput } from '@aws-sdk/client-glue';
import { MoraineError } from '../../errors/index.js';
import type { CatalogStore, StoreNames, TableKey, TablePointer } from '../catalog-store.js';
import { lowerCaseNames } from '../names.js';
import { isFolderOfOther, type ListedTable } from '../table-pointers.js';
import { glueFailure, isRefusal } from './glue-failure.js';
import {
  committedTableInput,
  metadataLocationOf,
  movedTableInput,
  newTableInput,
  renamedTableInput,
} from './glue-table.js';

type Sdk = typeof GlueSdk;

export interface GlueClients {
  readonly sdk: Sdk;
  /** Repeats requests. */
  readonly reading: GlueClient;
  /** Sends each request once: a commit that is repeated would meet its own success. */
  readonly changing: GlueClient;
}

/** How often a commit is tried again whose table others have changed without committing to it. */
const MAX_SWAPS = 5;

/** An entry, and its version. */
interface Entry {
  readonly table: Table;
  readonly versionId: string | undefined;
  readonly metadataLocation: string;
}

export class GlueStore implements CatalogStore {
  readonly database: string;
  readonly catalog = 'glue';
  readonly names: StoreNames = lowerCaseNames('AWS Glue');
  readonly #clients: GlueClients;
  /** Of each request: the account, where it is not that of the credentials. */
  readonly #account: { readonly CatalogId?: string };

  /** @param catalogId the account whose catalog it is */
  constructor(clients: GlueClients, place: string, catalogId: string | undefined) {
    this.#clients = clients;
    this.#account = catalogId === undefined ? {} : { CatalogId: catalogId };
    this.database = place;
  }

  async metadataLocation(key: TableKey): Promise<string | null> {
    return (await this.#entry(key))?.metadataLocation ?? null;
  }

  async tableNames(namespace: string): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const table of this.#tables(namespace)) {
      if (table.Name !== undefined && metadataLocationOf(table) !== null) names.push(table.Name);
    }
    return names.sort();
  }

  async insertTable(key: TableKey, table: TablePointer): Promise<boolean> {
    return await this.#insert(key, newTableInput(key.name, table));
  }

  async swapTable(key: TableKey, from: string, to: TablePointer): Promise<boolean> {
    for (let attempt = 1; attempt <= MAX_SWAPS; attempt += 1) {
      const entry = await this.#entry(key);
      if (entry?.metadataLocation !== from) return false;
      if (await this.#replace(key, entry, committedTableInput(entry.table, to))) return true;
    }
    return false;
  }

  async deleteTable(key: TableKey): Promise<boolean> {
    return (await this.#entry(key)) !== null && (await this.#delete(key));
  }

  /**
   * Glue cannot rename: the new entry is made, then the old one is deleted. In between it is no Iceberg table any more, which nobody can
   * commit to. Whoever dies before that leaves two names.
   */
  async renameTable(from: TableKey, to: TableKey): Promise<boolean | null> {
    const entry = await this.#entry(from);
    if (entry === null) return false;
    if (!(await this.#insert(to, renamedTableInput(entry.table, to.name)))) return null;
    try {
      if (await this.#replace(from, entry, movedTableInput(entry.table))) return await this.#delete(from);
      // Somebody has committed to the old name since: the new one is taken back.
      await this.#delete(to);
    } catch (error) {
      throw this.#halfRenamed(from, to, error);
    }
    return await this.renameTable(from, to);
  }

  #halfRenamed(from: TableKey, to: TableKey, cause: unknown): MoraineError {
    const [old, now] = [from, to].map(({ namespace, name }) => `${namespace}.${name}`);
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `Table ${old} may have two names, since AWS Glue renames in two steps: ${reason} Look whether ${old} is still there, and drop ${now} if so.`;
    return new MoraineError('COMMIT_STATE_UNKNOWN', message, { cause });
  }

  async namespaceExists(namespace: string): Promise<boolean> {
    return (await this.#database(namespace)) !== null;
  }

  async namespaces(): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const { Name } of this.#databases()) if (Name !== undefined) names.push(Name);
    return names.sort();
  }

  async namespaceProperties(namespace: string): Promise<ReadonlyMap<string, string>> {
    const { Parameters = {}, LocationUri, Description } = (await this.#database(namespace)) ?? {};
    return new Map([
      ...Object.entries(Parameters),
      ...(LocationUri === undefined ? [] : [['location', LocationUri] as const]),
      ...(Description === undefined ? [] : [['comment', Description] as const]),
    ]);
  }

  async insertNamespace(namespace: string, properties: ReadonlyMap<string, string>): Promise<boolean> {
    const { location, comment, ...Parameters } = Object.fromEntries(properties);
    const DatabaseInput = {
      Name: namespace,
      Parameters,
      ...(location === undefined ? {} : { LocationUri: location }),
      ...(comment === undefined ? {} : { Description: comment }),
    };
    const { sdk, changing } = this.#clients;
    const command = new sdk.CreateDatabaseCommand({ ...this.#account, DatabaseInput });
    return await this.#unless('AlreadyExistsException', changing.send(command));
  }

  /** Glue deletes a database with whatever is in it, and tells nobody: tables are looked for first, of any kind. */
  async deleteNamespace(namespace: string): Promise<boolean> {
    for await (const _ of this.#tables(namespace)) return false;
    const { sdk, changing } = this.#clients;
    const command = new sdk.DeleteDatabaseCommand({ ...this.#account, Name: namespace });
    return await this.#unless('EntityNotFoundException', changing.send(command));
  }

  siblings(): Promise<readonly CatalogStore[]> {
    return Promise.resolve([]);
  }

  metadataLocations(): Promise<null> {
    return Promise.resolve(null);
  }

  async isFolderOfOther(key: TableKey, folder: string): Promise<boolean> {
    return await isFolderOfOther(this.#listed(), key, folder);
  }

  async *#listed(): AsyncGenerator<ListedTable> {
    for await (const { Name: namespace = '' } of this.#databases()) {
      for await (const table of this.#tables(namespace)) {
        yield { key: { namespace, name: table.Name ?? '' }, metadataLocation: metadataLocationOf(table) };
      }
    }
  }

  close(): Promise<void> {
    this.#clients.reading.destroy();
    this.#clients.changing.destroy();
    return Promise.resolve();
  }

  /** The entry of an Iceberg table; null where there is none, or something else. */
  async #entry({ namespace, name }: TableKey): Promise<Entry | null> {
    const { sdk, reading } = this.#clients;
    const command = new sdk.GetTableCommand({ ...this.#account, DatabaseName: namespace, Name: name });
    const { Table: table } = (await this.#found(reading.send(command))) ?? {};
    const metadataLocation = table === undefined ? null : metadataLocationOf(table);
    if (table === undefined || metadataLocation === null) return null;
    return { table, versionId: table.VersionId, metadataLocation };
  }

  async #insert(key: TableKey, input: TableInput): Promise<boolean> {
    const { sdk, changing } = this.#clients;
    const command = new sdk.CreateTableCommand({ ...this.#account, DatabaseName: key.namespace, TableInput: input });
    return await this.#unless('AlreadyExistsException', changing.send(command));
  }

  /** False if the entry is no longer of the version that was read. */
  async #replace(key: TableKey, { versionId }: Entry, input: TableInput): Promise<boolean> {
    const { sdk, changing } = this.#clients;
    const command = new sdk.UpdateTableCommand({
      ...this.#account,
      DatabaseName: key.namespace,
      TableInput: input,
      // Former versions would count against a quota, one for each commit.
      SkipArchive: true,
      VersionId: versionId,
    });
    return await this.#unless(['ConcurrentModificationException', 'EntityNotFoundException'], changing.send(command));
  }

  async #delete({ namespace, name }: TableKey): Promise<boolean> {
    const { sdk, changing } = this.#clients;
    const command = new sdk.DeleteTableCommand({ ...this.#account, DatabaseName: namespace, Name: name });
    return await this.#unless('EntityNotFoundException', changing.send(command));
  }

  async #database(namespace: string): Promise<Database | null> {
    const { sdk, reading } = this.#clients;
    const command = new sdk.GetDatabaseCommand({ ...this.#account, Name: namespace });
    return (await this.#found(reading.send(command)))?.Database ?? null;
  }

  async *#databases(): AsyncGenerator<Database> {
    const { sdk, reading } = this.#clients;
    for (let token: string | undefined; ; ) {
      const command = new sdk.GetDatabasesCommand({ ...this.#account, NextToken: token });
      const page = await this.#found(reading.send(command));
      yield* page?.DatabaseList ?? [];
      token = page?.NextToken;
      if (token === undefined || token === '') return;
    }
  }

  async *#tables(namespace: string): AsyncGenerator<Table> {
    const { sdk, reading } = this.#clients;
    for (let token: string | undefined; ; ) {
      const command = new sdk.GetTablesCommand({ ...this.#account, DatabaseName: namespace, NextToken: token });
      const page = await this.#found(reading.send(command));
      yield* page?.TableList ?? [];
      token = page?.NextToken;
      if (token === undefined || token === '') return;
    }
  }

  /** Null for what is not there. */
  async #found<T>(answer: Promise<T>): Promise<T | null> {
    try {
      return await answer;
    } catch (error) {
      if (isRefusal(error, 'EntityNotFoundException')) return null;
      throw glueFailure(error, this.database, 'read');
    }
  }

  /** False after one of these refusals. */
  async #unless(refusals: string | readonly string[], change: Promise<unknown>): Promise<boolean> {
    try {
      await change;
      return true;
    } catch (error) {
      if ([refusals].flat().some((name) => isRefusal(error, name))) return false;
      throw glueFailure(error, this.database, 'write');
    }
  }
}
