/** Wrappers that take a safeguard away, to see that the simulation misses it. */
import type { Catalog, LoadedTable, TableIdentifier } from '../../catalogs/index.js';
import { LEASE_PREFIX } from '../../maintenance/leases/leases.js';
import type { Table } from '../../tables/index.js';
import { RECENT_RUNS, RUN_KEY } from '../../tables/index.js';

/** A catalog in which no earlier run is found by its key. */
export function withoutKeys(catalog: Catalog): Catalog {
  const loadTable = async (identifier: TableIdentifier): Promise<LoadedTable> => {
    const loaded = await catalog.loadTable(identifier);
    const { snapshots, properties } = loaded.metadata;
    const metadata = {
      ...loaded.metadata,
      properties: new Map([...properties].filter(([name]) => name !== RECENT_RUNS)),
      snapshots: snapshots.map((snapshot) => ({
        ...snapshot,
        summary: new Map([...snapshot.summary].filter(([name]) => name !== RUN_KEY)),
      })),
    };
    return { ...loaded, metadata };
  };
  return new Proxy(catalog, {
    get: (target, property) => {
      if (property === 'loadTable') return loadTable;
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A table whose leases nobody sees. */
export function withoutLeases(table: Table): Table {
  const properties = new Map([...table.metadata.properties].filter(([name]) => !name.startsWith(LEASE_PREFIX)));
  return { ...table, metadata: { ...table.metadata, properties } };
}
