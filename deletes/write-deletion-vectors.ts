/** Writing deletion vectors. Source: Apache Iceberg specification, "Deletion Vectors"; Puffin specification, "deletion-vector-v1". */
import { pathSegment } from '../catalogs/index.js';
import type { Connection } from '../engine/index.js';
import { type DataFile, DELETION_VECTOR_BLOB, encodeDeletionVector, writePuffin } from '../iceberg/index.js';
import type { Table } from '../tables/index.js';
import { type DeletedPositions, distinctPositions, knownDeletes, type WrittenDeletes } from './deleted-positions.js';

/** Id of the metadata column of row positions, which the blob is about. */
const ROW_POSITION_ID = 2147483645;
/** In place of what is known only after the commit. */
const NOT_YET_KNOWN = -1n;

interface Vector {
  readonly dataFile: DataFile;
  readonly cardinality: bigint;
  readonly data: Uint8Array;
}

/**
 * Writes one Puffin file with a vector for each data file. What is deleted from a data file already, by a vector or by
 * position-delete files, is part of its new vector, since readers heed nothing else then.
 * @param deleted each data file once
 * @param attemptId tells the attempts of one piece of work apart
 * @returns no file where there is nothing to delete
 */
export async function writeDeletionVectors(
  table: Table,
  connection: Connection,
  deleted: readonly DeletedPositions[],
  attemptId: string,
): Promise<WrittenDeletes> {
  const known = await knownDeletes(
    table,
    connection,
    deleted.map(({ dataFile }) => dataFile),
  );
  const vectors = deleted.flatMap(({ dataFile, positions }): readonly Vector[] => {
    const all = distinctPositions(known.positions.get(dataFile.filePath) ?? [], positions);
    if (all.length === 0) return [];
    return [{ dataFile, cardinality: BigInt(all.length), data: encodeDeletionVector(all) }];
  });
  if (vectors.length === 0) return { files: [], replaced: [] };
  const { bytes, blobs } = writePuffin(vectors.map(toBlob));
  const location = `${table.metadata.location}/data/${pathSegment(attemptId)}-deletes.puffin`;
  await table.io.create(location, bytes);
  const files = vectors.map(({ dataFile, cardinality }, index): DataFile => {
    const { filePath, specId, partition, partitionTypes } = dataFile;
    return {
      content: 'position-deletes',
      filePath: location,
      fileFormat: 'PUFFIN',
      specId,
      partition,
      ...(partitionTypes === undefined ? {} : { partitionTypes }),
      recordCount: cardinality,
      fileSizeInBytes: BigInt(bytes.length),
      referencedDataFile: filePath,
      contentOffset: blobs[index]?.offset ?? 0n,
      contentSizeInBytes: blobs[index]?.length ?? 0n,
    };
  });
  return { files, replaced: known.files };
}

function toBlob({ dataFile, cardinality, data }: Vector) {
  return {
    type: DELETION_VECTOR_BLOB,
    fields: [ROW_POSITION_ID],
    snapshotId: NOT_YET_KNOWN,
    sequenceNumber: NOT_YET_KNOWN,
    data,
    properties: new Map([
      ['referenced-data-file', dataFile.filePath],
      ['cardinality', cardinality.toString()],
    ]),
  };
}
