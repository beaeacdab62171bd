/** Writing position-delete files, for tables of version 2. Source: Apache Iceberg specification, "Position Delete Files". */
import { pathSegment } from '../catalogs/index.js';
import { type Connection, quoteLiteral } from '../engine/index.js';
import {
  type DataFile,
  DELETE_FILE_PATH_ID,
  POSITION_DELETE_SCHEMA,
  serializeValue,
  UNPARTITIONED,
} from '../iceberg/index.js';
import { stageRows } from '../staging/index.js';
import type { Table } from '../tables/index.js';
import { type DeletedPositions, distinctPositions, type WrittenDeletes } from './deleted-positions.js';

/**
 * Writes one Parquet file for each data file, its positions ascending. Its bounds say which data file it is about, so that readers
 * of others leave it alone.
 * @param attemptId tells the attempts of one piece of work apart
 */
export async function writePositionDeletes(
  table: Table,
  connection: Connection,
  deleted: readonly DeletedPositions[],
  attemptId: string,
): Promise<WrittenDeletes> {
  const files: DataFile[] = [];
  for (const [index, { dataFile, positions, sql }] of deleted.entries()) {
    const all = distinctPositions(positions);
    if (all.length === 0) continue;
    const rows = sql ?? `SELECT unnest([${all.join(', ')}]::BIGINT[])`;
    const written = await stageRows(connection, table, {
      select: `SELECT ${quoteLiteral(dataFile.filePath)}, pos FROM (${rows}) AS rows(pos) ORDER BY pos`,
      schema: POSITION_DELETE_SCHEMA,
      spec: UNPARTITIONED,
      namePrefix: `${pathSegment(attemptId)}-deletes-${index}`,
      sortBy: [],
    });
    files.push(...written.map((file) => aboutDataFile(file, dataFile)));
  }
  return { files, replaced: [] };
}

/** Whole paths as bounds: statistics may have cut them. */
function aboutDataFile(file: DataFile, { filePath, specId, partition, partitionTypes }: DataFile): DataFile {
  const path = serializeValue({ kind: 'string' }, filePath);
  return {
    ...file,
    content: 'position-deletes',
    specId,
    partition,
    ...(partitionTypes === undefined ? {} : { partitionTypes }),
    referencedDataFile: filePath,
    lowerBounds: new Map([...(file.lowerBounds ?? []), [DELETE_FILE_PATH_ID, path]]),
    upperBounds: new Map([...(file.upperBounds ?? []), [DELETE_FILE_PATH_ID, path]]),
  };
}
