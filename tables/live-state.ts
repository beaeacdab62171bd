/** A table whose catalog only another engine reaches: what that engine says of it must be what its files say. */
import {
  type Catalog,
  formatTableName,
  type LiveState,
  type LoadedTable,
  type TableIdentifier,
} from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import { currentSnapshot, type TableMetadata } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { mayHaveLiveFiles, readManifestEntries, readSnapshotManifests } from './manifest-files.js';

/** Commits may land between the question where the table is and the one what it has. */
const MAX_TRIES = 3;

/** By catalog and table, the metadata file that was compared last: metadata files never change. */
const compared = new WeakMap<Catalog, Map<string, string>>();

/** A catalog that says of its tables what they have. */
type SayingCatalog = Catalog & Required<Pick<Catalog, 'liveState'>>;

export const isCompared = (catalog: Catalog): catalog is SayingCatalog => catalog.liveState !== undefined;

/**
 * Loads a table and compares its current snapshot, and the data and delete files of that, with what the catalog says they are.
 * @throws MoraineError `METADATA_CORRUPT` where they differ; as `Catalog.loadTable`
 */
export async function loadComparedTable(
  catalog: SayingCatalog,
  io: FileIO,
  identifier: TableIdentifier,
): Promise<LoadedTable> {
  const name = formatTableName(identifier, catalog.name);
  const known = compared.get(catalog) ?? new Map<string, string>();
  compared.set(catalog, known);
  for (let tries = 1; ; tries += 1) {
    const table = await catalog.loadTable(identifier);
    if (known.get(name) === table.metadataLocation) return table;
    const difference = await differenceOf(io, table, await catalog.liveState(identifier));
    if (difference === undefined) {
      known.set(name, table.metadataLocation);
      return table;
    }
    if (tries < MAX_TRIES) continue;
    const message = `Table ${name} is not what its catalog says it is, three times in a row: ${difference}. Its metadata file is ${table.metadataLocation}.`;
    throw new MoraineError('METADATA_CORRUPT', message, { details: { location: table.metadataLocation } });
  }
}

/** Undefined: there is none. */
async function differenceOf(
  io: FileIO,
  { metadata }: LoadedTable,
  { snapshotId, files }: LiveState,
): Promise<string | undefined> {
  const own = metadata.currentSnapshotId;
  if (own !== snapshotId) return `its snapshot is ${own ?? 'none'}, and the catalog says ${snapshotId ?? 'none'}`;
  const listed = await liveFiles(io, metadata);
  const unlisted = [...files].find((path) => !listed.has(path));
  if (unlisted !== undefined)
    return `the catalog says that it has ${unlisted}, which snapshot ${own ?? 'none'} does not`;
  const unsaid = [...listed].find((path) => !files.has(path));
  return unsaid === undefined
    ? undefined
    : `snapshot ${own ?? 'none'} has ${unsaid}, of which the catalog does not know`;
}

async function liveFiles(io: FileIO, metadata: TableMetadata): Promise<ReadonlySet<string>> {
  const manifests = await readSnapshotManifests(io, currentSnapshot(metadata));
  const live = new Set<string>();
  for (const manifest of manifests.filter(mayHaveLiveFiles)) {
    for (const { status, dataFile } of await readManifestEntries(io, metadata, manifest))
      if (status !== 'deleted') live.add(dataFile.filePath);
  }
  return live;
}
