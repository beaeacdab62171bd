/** How Glue and Hive point at metadata files: by parameters of a table. Source: Java's `BaseMetastoreTableOperations`. */
import { comparableLocation } from '../locations/index.js';
import type { TableKey } from './catalog-store.js';

/** The parameter that a commit changes. */
export const METADATA_LOCATION = 'metadata_location';
export const TABLE_TYPE = 'table_type';
const PREVIOUS_METADATA_LOCATION = 'previous_metadata_location';

/** The metadata file that a table's parameters point at; null for what is no Iceberg table. */
export function pointedLocation(parameters: ReadonlyMap<string, string>): string | null {
  if (parameters.get(TABLE_TYPE)?.toUpperCase() !== 'ICEBERG') return null;
  return parameters.get(METADATA_LOCATION) ?? null;
}

/** The parameters of a table that points at a file, with the one that it pointed at before; all others stay. */
export function pointingAt(parameters: ReadonlyMap<string, string>, location: string): ReadonlyMap<string, string> {
  const previous = pointedLocation(parameters);
  return new Map([
    ...parameters,
    ...(previous === null ? [] : [[PREVIOUS_METADATA_LOCATION, previous] as const]),
    [TABLE_TYPE, 'ICEBERG'],
    [METADATA_LOCATION, location],
  ]);
}

/** A table of any kind, and the metadata file that it points at, if it is one of Iceberg. */
export interface ListedTable {
  readonly key: TableKey;
  readonly metadataLocation: string | null;
}

/** Whether one of the tables, other than that of the key, has its metadata below a folder. */
export async function isFolderOfOther(
  tables: AsyncIterable<ListedTable>,
  { namespace, name }: TableKey,
  folder: string,
): Promise<boolean> {
  const below = `${comparableLocation(folder)}/`;
  for await (const { key, metadataLocation } of tables) {
    if (key.namespace === namespace && key.name === name) continue;
    if (metadataLocation !== null && comparableLocation(metadataLocation).startsWith(below)) return true;
  }
  return false;
}
