/** Wrappers that take a safeguard away, to see that the simulation misses it. */
import type { Catalog, LoadedTable, TableIdentifier } from '../../catalogs/index.js';
import { parseTableMetadata } from '../../iceberg/index.js';
import { listFiles } from '../../storage/index.js';
import type { Table } from '../../tables/index.js';
import { LEASE_PREFIX, RECENT_RUNS, RUN_KEY } from '../../tables/index.js';

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

/** The newest state of a table whose metadata file a list shows, for who takes lists for the truth. */
export async function asListed(table: Table): Promise<Table> {
  const { metadata, metadataLocation, io } = table;
  const listed = new Set<string>();
  for await (const { location } of listFiles(io, `${metadata.location}/metadata`)) listed.add(location);
  const states = [metadataLocation, ...metadata.metadataLog.map(({ metadataFile }) => metadataFile).toReversed()];
  const newest = states.find((location) => listed.has(location));
  if (newest === undefined || newest === metadataLocation) return table;
  return { ...table, metadata: parseTableMetadata(await io.read(newest)), metadataLocation: newest };
}

/** Whether a list shows one of these files, for who takes lists for the truth. */
export async function isAnyListed({ metadata, io }: Table, files: readonly string[]): Promise<boolean> {
  for await (const { location } of listFiles(io, metadata.location)) if (files.includes(location)) return true;
  return false;
}
