/** A table as it is now: its metadata, where that is, and the means to read its files. */
import {
  type Catalog,
  DEFAULT_METADATA_LIMITS,
  type MetadataLimits,
  readTableMetadata,
  type TableIdentifier,
} from '../catalogs/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import { type FileIO, LocalFileIO } from '../storage/index.js';
import { isCompared, loadComparedTable } from './live-state.js';

/** One state of a table. Immutable: load it again to see newer commits. */
export interface Table {
  readonly identifier: TableIdentifier;
  readonly metadata: TableMetadata;
  readonly metadataLocation: string;
  /** The catalog that commits go to; a table opened by location has none. */
  readonly catalog?: Catalog;
  readonly io: FileIO;
}

/** Loads a table from a catalog. Throws `TABLE_NOT_FOUND`, `METADATA_CORRUPT` and so on. */
export async function loadTable(catalog: Catalog, io: FileIO, identifier: TableIdentifier): Promise<Table> {
  const loaded = isCompared(catalog)
    ? await loadComparedTable(catalog, io, identifier)
    : await catalog.loadTable(identifier);
  return { ...loaded, catalog, io };
}

/** Opens a table by the location of a metadata file (gzip or not), with no catalog. It cannot be written. */
export async function loadTableAt(
  io: FileIO,
  metadataLocation: string,
  limits: MetadataLimits = DEFAULT_METADATA_LIMITS,
): Promise<Table> {
  const metadata = await readTableMetadata(io, metadataLocation, limits);
  return { identifier: { namespace: [], name: metadataLocation }, metadata, metadataLocation, io };
}

/**
 * Opens a table by the location of a metadata file, with file access limited to `root`, by default to the location that
 * the table itself names. The metadata file may be anywhere, since the caller named it.
 */
export async function openTableLocation(
  metadataLocation: string,
  options: { readonly root?: string; readonly limits?: MetadataLimits } = {},
): Promise<Table> {
  const table = await loadTableAt(new LocalFileIO({ roots: [metadataLocation] }), metadataLocation, options.limits);
  return { ...table, io: new LocalFileIO({ roots: [options.root ?? table.metadata.location] }) };
}
