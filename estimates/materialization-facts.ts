/** Facts about the materialization of a view, from metadata. */
import { entitiesAtMost } from '../features/index.js';
import { currentSchema, type DataFile, findSnapshot } from '../iceberg/index.js';
import {
  type MaterializationDeps,
  type MaterializationOutline,
  type MaterializationRequest,
  outlineMaterialization,
} from '../materialization/index.js';
import { fetchedEndBytes } from '../scans/index.js';
import { planFiles, type ScanPlan, type Table } from '../tables/index.js';
import type { MaterializationFacts } from './facts.js';
import { addReads, bytesPerRow, NO_READS, readsOfFiles } from './file-reads.js';

/** The run and what is known of it. */
export interface OutlinedMaterialization {
  readonly outline: MaterializationOutline;
  readonly facts: MaterializationFacts;
}

/** What the caller knows better than metadata says. */
export interface KnownEntities {
  /** Entities of the source; by default the most that bounds of the keys allow. */
  readonly entities?: number | undefined;
}

/**
 * Nothing is made and no row is read.
 * @throws as `outlineMaterialization`
 */
export async function materializationFacts(
  deps: MaterializationDeps,
  request: Omit<MaterializationRequest, 'attemptId'> & KnownEntities,
): Promise<OutlinedMaterialization> {
  const outline = await outlineMaterialization(deps, request);
  const { view, source, online, reads, shards, parts } = outline;
  const schema = currentSchema(source.metadata);
  const columns = [
    ...view.joinKeys,
    view.timestamp,
    ...(view.created === null ? [] : [view.created]),
    ...view.features,
  ];
  const ids = new Set(columns.map(({ sourceFieldId }) => sourceFieldId));
  const endBytes = fetchedEndBytes(source.io, source.metadata.location);
  const read = { schema, columns: ids, endBytes };
  const passes = await Promise.all(reads.map(({ snapshotId, files }) => filesOf(source, snapshotId, files)));
  const files = passes.flatMap((pass) => pass.files);
  const counted = passes.map((pass) => ({
    ...readsOfFiles(pass.files, read),
    deleteFiles: pass.deleteFiles,
    deleteBytes: pass.deleteBytes,
  }));
  const most = Number(entitiesAtMost(files, schema, view.joinKeys));
  return {
    outline,
    facts: {
      ...counted.reduce(addReads, NO_READS),
      isRemote: source.io.localFiles(source.metadata.location) === null,
      features: view.features.length,
      rowBytes: bytesPerRow(files, schema, ids),
      entities: request.entities ?? most,
      buckets: online.layout.buckets,
      mayBeOneFile: !outline.isRebuilt && online.metadata.currentSnapshotId !== null,
      shards,
      parts,
      endBytes,
      memoryLimitBytes: deps.engine.memoryLimitBytes,
    },
  };
}

/** What manifests say of planned files. */
async function filesOf(
  source: Table,
  snapshotId: bigint | null,
  planned: readonly { readonly path: string }[],
): Promise<{ readonly files: readonly DataFile[]; readonly deleteFiles: number; readonly deleteBytes: number }> {
  const snapshot = (snapshotId === null ? undefined : findSnapshot(source.metadata, snapshotId)) ?? null;
  const plan = await planFiles(source, { snapshot, schema: currentSchema(source.metadata), appliesDeletes: true });
  const byPath = new Map<string, DataFile>(plan.files.map(({ file }) => [file.filePath, file]));
  return { files: planned.flatMap(({ path }) => byPath.get(path) ?? []), ...deletesOf(plan) };
}

/** Delete files that a plan reads, and their bytes. */
export function deletesOf({ stats: { deletes } }: Pick<ScanPlan, 'stats'>) {
  const { positionDeleteFiles = 0, deletionVectors = 0, equalityDeleteFiles = 0, bytes = 0n } = deletes ?? {};
  return { deleteFiles: positionDeleteFiles + deletionVectors + equalityDeleteFiles, deleteBytes: Number(bytes) };
}
