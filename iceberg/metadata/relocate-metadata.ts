/** Table metadata whose files have moved. Source: Apache Iceberg specification, "Table Metadata". */
import type { Relocation } from '../../locations/index.js';
import { isJsonArray, isJsonObject, type JsonValue } from '../json.js';
import type { Snapshot, TableMetadata } from './metadata.js';

/** Properties that say where new files go. One that leads out of the table's folder would leave the new place. */
const FOLDER_PROPERTIES: ReadonlySet<string> = new Set([
  'write.data.path',
  'write.metadata.path',
  'write.folder-storage.path',
  'write.object-storage.path',
]);

/** Members of the metadata that list files, each with its location in `statistics-path`. */
const STATISTICS = ['statistics', 'partition-statistics'];

/**
 * The metadata with every location that it names as the relocation gives it. Ids, sequence numbers, refs, schemas, specs, times and what is
 * not known here stay.
 *
 * A property that is a location in the old folder follows it. Properties that say where new files go and lead elsewhere are left out: new
 * files then go below the new location, where the moved files are.
 */
export function relocateMetadata(metadata: TableMetadata, relocation: Relocation): TableMetadata {
  const relocate = (location: string): string => relocation.of(location);
  return {
    ...metadata,
    location: relocation.to,
    properties: relocateProperties(metadata.properties, relocation),
    snapshots: metadata.snapshots.map((snapshot) => relocateSnapshot(snapshot, relocate)),
    metadataLog: metadata.metadataLog.map((entry) => ({ ...entry, metadataFile: relocate(entry.metadataFile) })),
    otherFields: new Map(
      [...metadata.otherFields].map(([name, value]) => [
        name,
        STATISTICS.includes(name) ? relocateStatistics(value as JsonValue, relocate) : value,
      ]),
    ),
  };
}

function relocateProperties(
  properties: ReadonlyMap<string, string>,
  relocation: Relocation,
): ReadonlyMap<string, string> {
  return new Map(
    [...properties].flatMap(([name, value]) => {
      const within = relocation.within(value);
      if (within !== null) return [[name, within]];
      return FOLDER_PROPERTIES.has(name) ? [] : [[name, value]];
    }),
  );
}

function relocateSnapshot(snapshot: Snapshot, relocate: (location: string) => string): Snapshot {
  const { manifestList, manifests } = snapshot;
  return {
    ...snapshot,
    ...(manifestList === undefined ? {} : { manifestList: relocate(manifestList) }),
    ...(manifests === undefined ? {} : { manifests: manifests.map(relocate) }),
  };
}

function relocateStatistics(list: JsonValue, relocate: (location: string) => string): JsonValue {
  if (!isJsonArray(list)) return list;
  return list.map((each) => {
    const path = isJsonObject(each) ? each['statistics-path'] : undefined;
    return isJsonObject(each) && typeof path === 'string' ? { ...each, 'statistics-path': relocate(path) } : each;
  });
}
