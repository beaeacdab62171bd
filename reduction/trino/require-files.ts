/** Whether Trino can have the rows of a reduction: it gives those of the files of a snapshot, and none of a file that the snapshot does not have, without an error. */
import { MoraineError } from '../../errors/index.js';
import { currentSchema, snapshotById } from '../../iceberg/index.js';
import { planFiles } from '../../tables/index.js';
import type { ReducedRead, ReducedSource } from '../reduction.js';

/**
 * Looks at the manifests of each snapshot that is read.
 * @throws INTERNAL naming a file that a read lists and its snapshot does not have
 */
export async function requireFiles({ name, table }: ReducedSource, reads: readonly ReducedRead[]): Promise<void> {
  const { metadata } = table;
  const live = new Map<bigint, ReadonlySet<string>>();
  for (const { snapshotId, files } of reads) {
    const known = live.get(snapshotId) ?? (await pathsAt(table, snapshotId));
    live.set(snapshotId, known);
    const lost = files.find(({ path }) => !known.has(path));
    if (lost === undefined) continue;
    const message = `The plan has Trino read ${lost.path} at snapshot ${snapshotId} of ${name}, which does not have it.`;
    throw new MoraineError('INTERNAL', message, { details: { location: metadata.location } });
  }
}

async function pathsAt(table: ReducedSource['table'], snapshotId: bigint): Promise<ReadonlySet<string>> {
  const { metadata } = table;
  const request = {
    snapshot: snapshotById(metadata, snapshotId),
    schema: currentSchema(metadata),
    appliesDeletes: true,
  };
  const { files } = await planFiles(table, request);
  return new Set<string>(files.map(({ file }) => file.filePath));
}
