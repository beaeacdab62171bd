/** A catalog in memory: the real catalog's code for metadata files and commits, over pointers in a map. */

import type { CatalogStore, TableKey } from '../../catalogs/catalog-store.js';
import type { Catalog, Clock } from '../../catalogs/index.js';
import { PointerCatalog } from '../../catalogs/pointer-catalog.js';
import { SQL_NAMES } from '../../catalogs/sql/sql-store.js';
import type { FileIO } from '../../storage/index.js';
import type { Gate } from './gate.js';

const textOf = ({ namespace, name }: TableKey): string => `${namespace}\0${name}`;

/** A namespace, or one below it. */
const isWithin = (namespace: string, outer: string): boolean =>
  namespace === outer || namespace.startsWith(`${outer}.`);

/** The pointers that several workers share. */
export class MemoryPointers {
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

  /** Every namespace that has properties or tables. */
  names(): readonly string[] {
    return [...new Set([...this.namespaces.keys(), ...[...this.tables.values()].map(({ namespace }) => namespace)])];
  }
}

/** The pointers as one worker reaches them. */
function storeOf(pointers: MemoryPointers, gate: Gate): CatalogStore {
  const ask = <T>(target: string, apply: () => T) => gate({ operation: 'ask', target }, apply);
  const change = <T>(target: string, apply: () => T) => gate({ operation: 'change', target }, apply);
  const tables = () => [...pointers.tables.values()];
  return {
    database: 'memory',
    catalog: 'simulated',
    names: SQL_NAMES,
    siblings: () => Promise.resolve([]),
    metadataLocations: () => ask('pointer', () => tables().map(({ metadataLocation }) => metadataLocation)),
    isFolderOfOther: (key, folder) =>
      ask('pointer', () =>
        tables().some((table) => textOf(table) !== textOf(key) && table.metadataLocation.startsWith(`${folder}/`)),
      ),
    metadataLocation: (key) => ask('pointer', () => pointers.location(key)),
    tableNames: (namespace) =>
      ask('tables', () =>
        [...pointers.tables.values()]
          .filter((table) => table.namespace === namespace)
          .map(({ name }) => name)
          .sort(),
      ),
    insertTable: (key, { metadataLocation }) => change('insert', () => pointers.insert(key, metadataLocation)),
    swapTable: (key, from, { metadataLocation }) => change('swap', () => pointers.swap(key, from, metadataLocation)),
    deleteTable: (key) => change('drop', () => pointers.remove(key)),
    renameTable: (from, to) => change('rename', () => pointers.rename(from, to)),
    namespaceExists: (namespace) => ask('namespace', () => pointers.names().some((name) => isWithin(name, namespace))),
    namespaces: () => ask('namespaces', () => [...pointers.names()].sort()),
    namespaceProperties: (namespace) => ask('namespace', () => new Map(pointers.namespaces.get(namespace))),
    insertNamespace: (namespace, properties) =>
      change('insert namespace', () => {
        if (pointers.namespaces.has(namespace)) return false;
        pointers.namespaces.set(namespace, new Map(properties));
        return true;
      }),
    deleteNamespace: (namespace) =>
      change('drop namespace', () => {
        const isUsed =
          [...pointers.tables.values()].some((table) => isWithin(table.namespace, namespace)) ||
          [...pointers.namespaces.keys()].some((name) => name.startsWith(`${namespace}.`));
        return !isUsed && pointers.namespaces.delete(namespace);
      }),
    close: () => Promise.resolve(),
  };
}

export function memoryCatalog(
  pointers: MemoryPointers,
  options: { readonly io: FileIO; readonly warehouse: string; readonly gate: Gate; readonly clock?: Clock },
): Catalog {
  return new PointerCatalog({ name: 'simulated', ...options }, storeOf(pointers, options.gate));
}
