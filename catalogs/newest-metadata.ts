/** Finding the newest metadata file of a table on storage alone, when its catalog is lost. */
import { MoraineError } from '../errors/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import { comparableLocation } from '../locations/index.js';
import { type FileIO, listFiles } from '../storage/index.js';
import { isMetadataFile, metadataVersion } from './location-names.js';
import { readTableMetadata } from './metadata-file.js';

/** A metadata file that a table's folder holds. */
export interface MetadataFile {
  readonly location: string;
  readonly metadata: TableMetadata;
}

/**
 * The newest metadata file in a table's folder. Files of commits that lost their swap lie there, too: one of them is only told apart from
 * the file that won by what came after it. Where two files follow the same one and neither has a successor, nothing on storage says
 * which of them was the table.
 * @param folder the table's location, or its metadata folder
 * @throws MoraineError `FILE_NOT_FOUND` without any metadata file, `METADATA_CORRUPT` for several tables or several ends, listing them
 */
export async function newestMetadata(io: FileIO, folder: string): Promise<MetadataFile> {
  const files = await metadataFiles(io, folder);
  const uuids = new Set(files.map(({ metadata }) => metadata.tableUuid));
  if (uuids.size > 1) throw ambiguous(folder, 'it holds the metadata of several tables', files);
  const previous = new Set(
    files.flatMap(({ metadata }) => metadata.metadataLog.map((entry) => comparableLocation(entry.metadataFile))),
  );
  const ends = files.filter(({ location }) => !previous.has(comparableLocation(location)));
  // A commit that lost its swap ends where it began: others went on from the file before it.
  const longest = ends.filter(
    (end) => !ends.some((other) => other !== end && wentOnBeyond(other.metadata, end.metadata)),
  );
  const [newest, ...others] = longest;
  if (newest === undefined)
    throw new MoraineError('FILE_NOT_FOUND', `There is no metadata file in ${JSON.stringify(folder)}.`);
  if (others.length === 0) return newest;
  throw ambiguous(
    folder,
    'several metadata files may be the newest: all but one are of commits that did not land',
    longest,
  );
}

/** Whether a table has had more commits than one since the file that the other one's commit was made on. */
function wentOnBeyond(other: TableMetadata, end: TableMetadata): boolean {
  const base = end.metadataLog.at(-1)?.metadataFile;
  if (base === undefined) return other.metadataLog.length > 0;
  const index = other.metadataLog.findIndex(({ metadataFile }) => metadataFile === base);
  if (index >= 0) return index < other.metadataLog.length - 1;
  // Logs are short: that of a later file may begin after the file in question. Numbers of files that are in logs have landed.
  const oldest = other.metadataLog[0]?.metadataFile;
  return oldest !== undefined && metadataVersion(base) >= 0 && metadataVersion(base) < metadataVersion(oldest);
}

async function metadataFiles(io: FileIO, folder: string): Promise<readonly MetadataFile[]> {
  const files: MetadataFile[] = [];
  for await (const { location } of listFiles(io, folder)) {
    if (isMetadataFile(location)) files.push({ location, metadata: await readTableMetadata(io, location) });
  }
  return files;
}

function ambiguous(folder: string, reason: string, files: readonly MetadataFile[]): MoraineError {
  const list = files
    .map(
      ({ location, metadata }) =>
        `${location} (${new Date(Number(metadata.lastUpdatedMs)).toISOString()}, snapshot ${metadata.currentSnapshotId ?? 'none'})`,
    )
    .sort();
  const message = `${JSON.stringify(folder)}: ${reason}. Name the metadata file instead, one of: ${list.join('; ')}`;
  return new MoraineError('METADATA_CORRUPT', message, { details: { files: files.map(({ location }) => location) } });
}
