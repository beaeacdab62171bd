/** Delete files that apply to no live data file. Source: Apache Iceberg specification, "Scan Planning". */
import {
  type DataFile,
  isUnpartitioned,
  type ManifestEntry,
  type PartitionSpec,
  partitionKey,
  referencedDataFile,
} from '../iceberg/index.js';
import { comparableLocation } from '../locations/index.js';

/** Which delete file an entry is: several deletion vectors lie in one file. */
export function deleteFileKey({ filePath, contentOffset }: DataFile): string {
  return `${filePath}#${contentOffset ?? ''}`;
}

/** Whether an entry of a delete file is a deletion vector. */
export function isVector({ fileFormat }: DataFile): boolean {
  return fileFormat === 'PUFFIN';
}

/** A test for delete files that reach none of the data files. The entries' sequence numbers have to be known. */
export function danglingTest(
  liveData: Iterable<ManifestEntry>,
  specs: readonly PartitionSpec[],
): (deletes: ManifestEntry) => boolean {
  const numbers = new Map<string, bigint>();
  const least = new Map<string, bigint>();
  let leastOfAll: bigint | undefined;
  for (const { dataFile, sequenceNumber } of liveData) {
    const number = sequenceNumber ?? 0n;
    const partition = partitionKey(dataFile.specId, dataFile.partition);
    const known = least.get(partition);
    numbers.set(comparableLocation(dataFile.filePath), number);
    if (known === undefined || number < known) least.set(partition, number);
    if (leastOfAll === undefined || number < leastOfAll) leastOfAll = number;
  }
  const global = new Set(specs.filter(isUnpartitioned).map(({ specId }) => specId));
  return ({ dataFile, sequenceNumber }) => {
    const number = sequenceNumber ?? 0n;
    const ofPartition = least.get(partitionKey(dataFile.specId, dataFile.partition));
    if (dataFile.content === 'equality-deletes') {
      const oldest = global.has(dataFile.specId) ? leastOfAll : ofPartition;
      return oldest === undefined || number <= oldest;
    }
    const path = referencedDataFile(dataFile);
    const oldest = path === undefined ? ofPartition : numbers.get(comparableLocation(path));
    return oldest === undefined || number < oldest;
  };
}
