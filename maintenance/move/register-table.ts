/** The last step of a move: metadata in the new place, and the new name. */
import { type Catalog, type LoadedTable, readTableMetadata, writeTableMetadata } from '../../catalogs/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { type TableMetadata, tableMetadataToJson } from '../../iceberg/index.js';
import type { Location, Relocation } from '../../locations/index.js';
import { type FileIO, mapConcurrently } from '../../storage/index.js';
import { findTable, movedTo, type Table } from '../../tables/index.js';
import { tableName } from '../table-name.js';
import { relocatedMetadata, relocatedTable } from './relocated-table.js';
import { otherFile } from './target-folder.js';

/** The table of the new name, if it has the table already; null: there is none. @throws MoraineError `TABLE_ALREADY_EXISTS` for any other */
export async function findMoved(source: Table, target: Catalog): Promise<Table | null> {
  const found = await findTable(target, source.io, source.identifier);
  if (found === null) return null;
  const isSame = found.metadata.tableUuid === source.metadata.tableUuid;
  if (isSame && movedTo(source.metadata) !== null && movedTo(found.metadata) === null) return found;
  const what = isSame ? 'the same table, which has moved away from there' : 'another table';
  const message = `Table ${tableName(found)} exists already: it is ${what}. Drop or rename it first.`;
  throw new MoraineError('TABLE_ALREADY_EXISTS', message);
}

/**
 * Writes the metadata of the new place and registers the table there. Repeated, it finds its own files and its own table.
 * @param source marked as moved, and copied
 * @throws MoraineError `TABLE_ALREADY_EXISTS`, `FILE_ALREADY_EXISTS`, `COMMIT_STATE_UNKNOWN`
 */
export async function registerMoved(source: Table, target: Catalog, relocation: Relocation): Promise<LoadedTable> {
  const { metadata, metadataLocation } = relocatedTable(source, target, relocation);
  await copyFormerMetadata(source, relocation);
  await putMetadata(source.io, metadataLocation, metadata);
  try {
    return await target.registerTable(source.identifier, metadataLocation);
  } catch (error) {
    const isOpen = !isMoraineError(error) || isMoraineError(error, 'COMMIT_STATE_UNKNOWN', 'TABLE_ALREADY_EXISTS');
    const found = isOpen ? await findMoved(source, target) : null;
    if (found === null) throw error;
    return found;
  }
}

/** Files of the metadata log, by which people and tools go back; some may be gone, or only the old catalog may read them. */
async function copyFormerMetadata({ io, metadata }: Table, relocation: Relocation): Promise<void> {
  await mapConcurrently(metadata.metadataLog, async ({ metadataFile }) => {
    const former = await readTableMetadata(io, metadataFile).catch((error: unknown) => {
      if (isMoraineError(error, 'FILE_NOT_FOUND', 'LOCATION_REFUSED')) return null;
      throw error;
    });
    if (former !== null) await putMetadata(io, relocation.of(metadataFile), relocatedMetadata(former, relocation));
  });
}

async function putMetadata(io: FileIO, location: Location, metadata: TableMetadata): Promise<void> {
  try {
    await writeTableMetadata(io, location, metadata);
  } catch (error) {
    if (!isMoraineError(error, 'FILE_ALREADY_EXISTS')) throw error;
    const there = await readTableMetadata(io, location);
    if (tableMetadataToJson(there) !== tableMetadataToJson(metadata)) throw otherFile(location);
  }
}
