/** The tables of a Hive metastore, as a catalog's store. */
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { CatalogStore, TableKey, TablePointer } from '../catalog-store.js';
import { namespaceLocation } from '../location-names.js';
import { lowerCaseNames } from '../names.js';
import { isFolderOfOther, type ListedTable, METADATA_LOCATION } from '../table-pointers.js';
import { HiveFailure } from './hive-failure.js';
import { type HeldLock, withLock } from './hive-lock.js';
import { isLockFree, metadataLocationOf, nameOf, newTable, pointedAt, renamedTable } from './hive-table.js';
import type { Creation, Metastore } from './metastore.js';
import { type Fields, fieldsOf, i32, text, textMap, textMapOf, textOf } from './thrift-values.js';

/** Of `Database`. */
const FIELD = { name: 1, description: 2, location: 3, parameters: 4, owner: 6, ownerType: 7 };
const USER = 1;
/** Of a lock. */
const LONGEST_NAME = 128;

interface HiveStoreOptions {
  /** Where the metastore is. */
  readonly place: string;
  /** Whose new databases and tables are. */
  readonly owner: string;
  /** Below which new databases are. */
  readonly warehouse: string;
}

export class HiveStore implements CatalogStore {
  readonly database: string;
  readonly catalog = 'hive';
  readonly names = lowerCaseNames('A Hive metastore', LONGEST_NAME);
  readonly #metastore: Metastore;
  readonly #owner: string;
  readonly #warehouse: string;
  /** Whether the metastore compares the parameter that a commit expects; null: it has not been tried. */
  #compares: boolean | null = null;

  constructor(metastore: Metastore, { place, owner, warehouse }: HiveStoreOptions) {
    this.#metastore = metastore;
    this.database = place;
    this.#owner = owner;
    this.#warehouse = warehouse;
  }

  async metadataLocation({ namespace, name }: TableKey): Promise<string | null> {
    const table = await this.#reading(() => this.#metastore.table(namespace, name));
    return table === null ? null : metadataLocationOf(table);
  }

  async tableNames(namespace: string): Promise<readonly string[]> {
    return await this.#reading(async () => {
      const names: string[] = [];
      for await (const table of this.#metastore.tables(namespace)) {
        if (metadataLocationOf(table) !== null) names.push(nameOf(table));
      }
      return names.sort();
    });
  }

  async insertTable({ namespace, name }: TableKey, table: TablePointer): Promise<boolean> {
    const made = newTable(namespace, name, this.#owner, table);
    try {
      return this.#isMade(name, await this.#changing(() => this.#metastore.createTable(made)));
    } catch (error) {
      if (!isMoraineError(error, 'COMMIT_STATE_UNKNOWN')) throw error;
      // Who loses a race is told of a failure of the database. A name that is taken is taken by one.
      const current = await this.#metastore.table(namespace, name).catch(() => null);
      if (current === null) throw error;
      return metadataLocationOf(current) === table.metadataLocation;
    }
  }

  #isMade(name: string, creation: Creation): boolean {
    if (creation === 'done' || creation === 'exists') return creation === 'done';
    const [code, reason] =
      creation === 'invalid'
        ? (['INVALID_ARGUMENT', 'does not take it: letters, digits and underscores are names everywhere'] as const)
        : (['NAMESPACE_NOT_FOUND', 'has no such database any more'] as const);
    throw new MoraineError(code, `${JSON.stringify(name)} cannot be made: the Hive metastore ${reason}.`);
  }

  /**
   * With the table locked, unless its property `engine.hive.lock-enabled` says `false` and the metastore compares the location that the
   * commit expects: older ones take that for granted. Either way it is told what to expect.
   */
  async swapTable(key: TableKey, from: string, to: TablePointer): Promise<boolean> {
    const alter = async (table: Fields): Promise<boolean> => {
      const expected = { key: METADATA_LOCATION, value: from };
      return (await this.#metastore.alterTable(key.namespace, key.name, pointedAt(table, to), expected)) === 'done';
    };
    const current = async (): Promise<Fields | null> => {
      const table = await this.#reading(() => this.#metastore.table(key.namespace, key.name));
      return table !== null && metadataLocationOf(table) === from ? table : null;
    };
    if (isLockFree(to) && this.#compares === true) {
      const table = await current();
      return table !== null && (await this.#changing(() => alter(table)));
    }
    return await this.#locked(key, async ({ confirm, leave }) => {
      const table = await current();
      if (table === null) return false;
      try {
        this.#compares ??= await this.#reading(() => this.#doesCompare(key, table));
        await confirm();
        return await this.#changing(() => alter(table));
      } catch (error) {
        // An alteration may be under way still, and nothing but the lock keeps it from undoing another commit.
        if (isUnanswered(error) && this.#compares !== true) leave();
        throw error;
      }
    });
  }

  /** Alters a table to what it is, with a wrong expectation. The table is locked meanwhile: an older metastore does what it is told. */
  async #doesCompare({ namespace, name }: TableKey, table: Fields): Promise<boolean> {
    const expected = { key: METADATA_LOCATION, value: 'what no table has' };
    return (await this.#metastore.alterTable(namespace, name, table, expected)) === 'changed';
  }

  async deleteTable(key: TableKey): Promise<boolean> {
    if ((await this.metadataLocation(key)) === null) return false;
    return await this.#changing(() => this.#metastore.dropTable(key.namespace, key.name));
  }

  async renameTable(from: TableKey, to: TableKey): Promise<boolean | null> {
    if ((await this.metadataLocation(from)) === null) return false;
    return await this.#locked(from, async ({ confirm }) => {
      for (;;) {
        const table = await this.#reading(() => this.#metastore.table(from.namespace, from.name));
        const location = table === null ? null : metadataLocationOf(table);
        if (table === null || location === null) return false;
        if ((await this.#reading(() => this.#metastore.table(to.namespace, to.name))) !== null) return null;
        await confirm();
        const renamed = renamedTable(table, to.namespace, to.name);
        const expected = { key: METADATA_LOCATION, value: location };
        const { namespace, name } = from;
        const result = await this.#changing(() => this.#metastore.alterTable(namespace, name, renamed, expected));
        if (result === 'done') return true;
        // Whoever needs no lock may have committed since.
        if (result !== 'changed') return (await this.metadataLocation(from)) === null ? false : null;
      }
    });
  }

  async namespaceExists(namespace: string): Promise<boolean> {
    return (await this.#reading(() => this.#metastore.database(namespace))) !== null;
  }

  async namespaces(): Promise<readonly string[]> {
    return [...(await this.#reading(() => this.#metastore.databases()))].sort();
  }

  async namespaceProperties(namespace: string): Promise<ReadonlyMap<string, string>> {
    const database: Fields = (await this.#reading(() => this.#metastore.database(namespace))) ?? new Map();
    const location = textOf(database.get(FIELD.location));
    const comment = textOf(database.get(FIELD.description));
    return new Map([
      ...textMapOf(database.get(FIELD.parameters)),
      ...(location === undefined ? [] : [['location', location] as const]),
      ...(comment === undefined || comment === '' ? [] : [['comment', comment] as const]),
    ]);
  }

  async insertNamespace(namespace: string, properties: ReadonlyMap<string, string>): Promise<boolean> {
    const { comment, ...others } = Object.fromEntries(properties);
    // A metastore has a warehouse of its own, which would be the place otherwise.
    const { location = namespaceLocation(this.#warehouse, [namespace]), ...parameters } = others;
    const database = fieldsOf({
      [FIELD.name]: text(namespace),
      [FIELD.description]: text(comment ?? ''),
      [FIELD.location]: text(location),
      [FIELD.parameters]: textMap(Object.entries(parameters)),
      [FIELD.owner]: text(this.#owner),
      [FIELD.ownerType]: i32(USER),
    });
    return this.#isMade(namespace, await this.#changing(() => this.#metastore.createDatabase(database)));
  }

  async deleteNamespace(namespace: string): Promise<boolean> {
    return await this.#changing(() => this.#metastore.dropDatabase(namespace));
  }

  siblings(): Promise<readonly CatalogStore[]> {
    return Promise.resolve([]);
  }

  metadataLocations(): Promise<null> {
    return Promise.resolve(null);
  }

  async isFolderOfOther(key: TableKey, folder: string): Promise<boolean> {
    return await this.#reading(() => isFolderOfOther(this.#listed(), key, folder));
  }

  async *#listed(): AsyncGenerator<ListedTable> {
    for (const namespace of await this.#metastore.databases()) {
      for await (const table of this.#metastore.tables(namespace)) {
        yield { key: { namespace, name: nameOf(table) }, metadataLocation: metadataLocationOf(table) };
      }
    }
  }

  close(): Promise<void> {
    this.#metastore.close();
    return Promise.resolve();
  }

  /** What the lock itself fails for has changed nothing. */
  async #locked<T>(key: TableKey, act: (held: HeldLock) => Promise<T>): Promise<T> {
    return await this.#reading(() => withLock(this.#metastore, key, act));
  }

  async #reading<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw this.#failure(error, 'read');
    }
  }

  async #changing<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw this.#failure(error, 'write');
    }
  }

  #failure(error: unknown, access: 'read' | 'write'): unknown {
    if (isMoraineError(error) || !(error instanceof HiveFailure)) return error;
    const reason = error.message.replace(/[.\s]+$/, '');
    if (access === 'write' && error.outcome === 'unknown') {
      const unknown = `The Hive metastore ${this.database} did not say whether a change was made: ${reason}.`;
      return new MoraineError('COMMIT_STATE_UNKNOWN', unknown, { cause: error });
    }
    const advice =
      error.outcome === 'unreached'
        ? ' Check uri and the network.'
        : error.outcome === 'unknown'
          ? ' Check that uri is the address of a metastore, which must take connections without TLS and Kerberos.'
          : '';
    const message = `The Hive metastore ${this.database} does not do what it is asked: ${reason}.${advice}`;
    return new MoraineError('CATALOG_UNAVAILABLE', message, { cause: error });
  }
}

/** Whether an error is that of a call without an answer. */
const isUnanswered = (error: unknown): boolean =>
  isMoraineError(error) && error.cause instanceof HiveFailure && error.cause.outcome === 'unknown';
