/** A catalog whose names are gone with it, for tests and for programs that keep their tables to themselves. */
import type { Catalog } from '../catalog.js';
import type { CatalogStore, PointerSwap, TableKey } from '../catalog-store.js';
import { PointerCatalog, type PointerCatalogOptions } from '../pointer-catalog.js';
import { SQL_NAMES } from '../sql/sql-store.js';

export interface MemoryCatalogOptions extends PointerCatalogOptions {
  /** The names, where several catalogs share them; those of this catalog alone unless given. */
  readonly pointers?: MemoryPointers;
  /** Is given every access, and makes it: now, unless given. */
  readonly reach?: Reach;
}

/** Makes an access to the names, which `apply` does. Tests delay, repeat and lose accesses by it. */
export type Reach = <T>(
  access: { readonly operation: 'ask' | 'change'; readonly target: string },
  apply: () => T,
) => Promise<T>;

const AT_ONCE: Reach = async (_, apply) => apply();

/** Opens a catalog in memory. Its tables' files are where `warehouse` says, and stay. */
export function openMemoryCatalog(options: MemoryCatalogOptions): Catalog {
  const { pointers = new MemoryPointers(), reach = AT_ONCE, name } = options;
  return new PointerCatalog(options, storeOf(pointers, name, reach));
}

const textOf = ({ namespace, name }: TableKey): string => `${namespace}\0${name}`;

/** A namespace, or one below it. */
const isWithin = (namespace: string, outer: string): boolean =>
  namespace === outer || namespace.startsWith(`${outer}.`);

/** The number of the next one. */
let made = 0;

/** Names and what they point at. */
export class MemoryPointers {
  /** Tells them apart from those of other catalogs of the process. */
  readonly id = `memory-${process.pid}-${made++}`;
  readonly tables = new Map<string, TableKey & { readonly metadataLocation: string }>();
  readonly namespaces = new Map<string, Map<string, string>>();
  /** Told of every commit at the moment when it takes effect. */
  onSwap: (from: string, to: string) => void = () => undefined;

  copy(): MemoryPointers {
    const copied = new MemoryPointers();
    copied.become(this);
    return copied;
  }

  /** Takes over what another one holds. */
  become({ tables, namespaces }: MemoryPointers): void {
    this.tables.clear();
    this.namespaces.clear();
    for (const [key, table] of tables) this.tables.set(key, table);
    for (const [name, properties] of namespaces) this.namespaces.set(name, new Map(properties));
  }

  swap(key: TableKey, from: string, to: string): boolean {
    if (this.tables.get(textOf(key))?.metadataLocation !== from) return false;
    this.tables.set(textOf(key), { ...key, metadataLocation: to });
    this.onSwap(from, to);
    return true;
  }

  /** Swaps all of them or none. */
  swapAll(swaps: readonly PointerSwap[]): boolean {
    if (swaps.some(({ key, from }) => this.location(key) !== from)) return false;
    return swaps.every(({ key, from, to }) => this.swap(key, from, to.metadataLocation));
  }

  insert(key: TableKey, metadataLocation: string): boolean {
    if (this.tables.has(textOf(key))) return false;
    this.tables.set(textOf(key), { ...key, metadataLocation });
    return true;
  }

  remove(key: TableKey): boolean {
    return this.tables.delete(textOf(key));
  }

  rename(from: TableKey, to: TableKey): boolean | null {
    const table = this.tables.get(textOf(from));
    if (table === undefined) return false;
    if (!this.insert(to, table.metadataLocation)) return null;
    return this.remove(from);
  }

  location(key: TableKey): string | null {
    return this.tables.get(textOf(key))?.metadataLocation ?? null;
  }

  namesIn(namespace: string): readonly string[] {
    const tables = [...this.tables.values()].filter((table) => table.namespace === namespace);
    return tables.map(({ name }) => name).sort();
  }

  /** Whether another table has its metadata below a folder. */
  isFolderOfOther(key: TableKey, folder: string): boolean {
    return [...this.tables].some(
      ([text, { metadataLocation }]) => text !== textOf(key) && metadataLocation.startsWith(`${folder}/`),
    );
  }

  /** Every namespace that has properties or tables. */
  names(): readonly string[] {
    return [...new Set([...this.namespaces.keys(), ...[...this.tables.values()].map(({ namespace }) => namespace)])];
  }

  makeNamespace(namespace: string, properties: ReadonlyMap<string, string>): boolean {
    if (this.namespaces.has(namespace)) return false;
    this.namespaces.set(namespace, new Map(properties));
    return true;
  }

  removeNamespace(namespace: string): boolean {
    const isUsed =
      [...this.tables.values()].some((table) => isWithin(table.namespace, namespace)) ||
      [...this.namespaces.keys()].some((name) => name.startsWith(`${namespace}.`));
    return !isUsed && this.namespaces.delete(namespace);
  }
}

function storeOf(pointers: MemoryPointers, catalog: string, reach: Reach): CatalogStore {
  const ask = <T>(target: string, apply: () => T) => reach({ operation: 'ask', target }, apply);
  const change = <T>(target: string, apply: () => T) => reach({ operation: 'change', target }, apply);
  return {
    database: pointers.id,
    catalog,
    names: SQL_NAMES,
    siblings: () => Promise.resolve([]),
    metadataLocations: () =>
      ask('pointer', () => [...pointers.tables.values()].map(({ metadataLocation }) => metadataLocation)),
    isFolderOfOther: (key, folder) => ask('pointer', () => pointers.isFolderOfOther(key, folder)),
    metadataLocation: (key) => ask('pointer', () => pointers.location(key)),
    tableNames: (namespace) => ask('tables', () => pointers.namesIn(namespace)),
    insertTable: (key, { metadataLocation }) => change('insert', () => pointers.insert(key, metadataLocation)),
    swapTable: (key, from, { metadataLocation }) => change('swap', () => pointers.swap(key, from, metadataLocation)),
    swapTables: (swaps) => change('swap', () => pointers.swapAll(swaps)),
    deleteTable: (key) => change('drop', () => pointers.remove(key)),
    renameTable: (from, to) => change('rename', () => pointers.rename(from, to)),
    namespaceExists: (namespace) => ask('namespace', () => pointers.names().some((name) => isWithin(name, namespace))),
    namespaces: () => ask('namespaces', () => [...pointers.names()].sort()),
    namespaceProperties: (namespace) => ask('namespace', () => new Map(pointers.namespaces.get(namespace))),
    insertNamespace: (namespace, properties) =>
      change('insert namespace', () => pointers.makeNamespace(namespace, properties)),
    deleteNamespace: (namespace) => change('drop namespace', () => pointers.removeNamespace(namespace)),
    close: () => Promise.resolve(),
  };
}
