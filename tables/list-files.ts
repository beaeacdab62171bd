/** The files of a snapshot. */
import type { PartitionSpec } from '../iceberg/index.js';
import { deleteFilesOf } from './plan-deletes.js';
import { planFiles, type ScanRequest } from './plan-files.js';
import type { PlannedFile } from './planned-file.js';
import type { Table } from './table.js';

export interface ListedFiles {
  /** The data files, each with the deletes that apply to it. */
  readonly data: readonly PlannedFile[];
  /** The files of these deletes, each once. */
  readonly deletes: readonly PlannedFile[];
}

/** Lists the data files of a snapshot, with a filter only those that may have matching rows, and the delete files that apply to them. */
export async function listFiles(table: Table, request: Omit<ScanRequest, 'appliesDeletes'>): Promise<ListedFiles> {
  const { files: data } = await planFiles(table, { ...request, appliesDeletes: true });
  return { data, deletes: deleteFiles(table.metadata.partitionSpecs, data) };
}

function deleteFiles(specs: readonly PartitionSpec[], dataFiles: readonly PlannedFile[]): readonly PlannedFile[] {
  const applied = new Set(dataFiles.flatMap(({ deletes }) => (deletes === undefined ? [] : deleteFilesOf(deletes))));
  return [...applied].flatMap(({ file, sequenceNumber }) => {
    const spec = specs.find(({ specId }) => specId === file.specId);
    return spec === undefined ? [] : [{ file, spec, sequenceNumber }];
  });
}
