import { currentSchema, snapshotById } from '../../iceberg/index.js';
import { type MaterializationRequest, outlineMaterialization } from '../../materialization/index.js';
import { planFiles } from '../../tables/index.js';
import type { Lab } from './materialization-lab.js';

/** Files that a run would read at a snapshot which does not have them: another engine finds no rows of these, and says nothing. */
export async function lostFiles(lab: Lab, request: Partial<MaterializationRequest> = {}): Promise<readonly string[]> {
  const { source, reads } = await outlineMaterialization(lab.deps, { view: lab.view.name, ...request });
  const { metadata } = source;
  const lost: string[] = [];
  for (const { snapshotId, files } of reads) {
    const snapshot = snapshotId === null ? null : snapshotById(metadata, snapshotId);
    const plan = await planFiles(source, { snapshot, schema: currentSchema(metadata), appliesDeletes: true });
    const live = new Set<string>(plan.files.map(({ file }) => file.filePath));
    for (const { path } of files) if (!live.has(path)) lost.push(`${path} at ${snapshotId}`);
  }
  return lost;
}
