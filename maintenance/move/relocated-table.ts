/** The table as the new catalog gets it. */
import type { Catalog } from '../../catalogs/index.js';
import { relocateMetadata, type TableMetadata } from '../../iceberg/index.js';
import type { Relocation } from '../../locations/index.js';
import { type Table, withoutLeases, withoutMark, withRelocatedKeys } from '../../tables/index.js';

/** The same state under new locations. What belongs to the old name stays there: its mark, and the leases of runs that work on it. */
export function relocatedTable(source: Table, target: Catalog, relocation: Relocation): Table {
  const { identifier, io, metadata, metadataLocation } = source;
  return {
    identifier,
    catalog: target,
    io,
    metadata: relocatedMetadata(metadata, relocation),
    metadataLocation: relocation.of(metadataLocation),
  };
}

export function relocatedMetadata(metadata: TableMetadata, relocation: Relocation): TableMetadata {
  const moved = withRelocatedKeys(withoutLeases(withoutMark(metadata)), (location) => relocation.of(location));
  return relocateMetadata(moved, relocation);
}
