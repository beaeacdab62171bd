/** Facts about the materialization of a view, from metadata. */
import { entitiesAtMost } from '../features/index.js';
import { currentSchema, findSnapshot } from '../iceberg/index.js';
import {
  type MaterializationDeps,
  type MaterializationOutline,
  type MaterializationRequest,
  outlineMaterialization,
} from '../materialization/index.js';
import { fetchedEndBytes } from '../scans/index.js';
import { countDeletes, type DeleteStats, type PlannedFile, planFiles, type Table } from '../tables/index.js';
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
  const passes = await filesOfReads(source, reads);
  const files = passes.flatMap((pass) => pass.map(({ file }) => file));
  const counted = passes.map((pass) => ({
    ...readsOfFiles(
      pass.map(({ file }) => file),
      read,
    ),
    // Of its own files: the snapshot may have many others.
    ...deletesOf(countDeletes(pass)),
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

/** What manifests say of the files of each read. The manifests of a snapshot are looked at once. */
async function filesOfReads(
  source: Table,
  reads: MaterializationOutline['reads'],
): Promise<readonly (readonly PlannedFile[])[]> {
  const bySnapshot = new Map<bigint | null, ReadonlyMap<string, PlannedFile>>();
  for (const snapshotId of new Set(reads.map((read) => read.snapshotId))) {
    const snapshot = (snapshotId === null ? undefined : findSnapshot(source.metadata, snapshotId)) ?? null;
    const { files } = await planFiles(source, {
      snapshot,
      schema: currentSchema(source.metadata),
      appliesDeletes: true,
    });
    bySnapshot.set(snapshotId, new Map(files.map((planned) => [planned.file.filePath, planned])));
  }
  return reads.map(({ snapshotId, files }) => files.flatMap(({ path }) => bySnapshot.get(snapshotId)?.get(path) ?? []));
}

/** Delete files that are read, and their bytes. */
export function deletesOf(deletes: Partial<DeleteStats> = {}) {
  const { positionDeleteFiles = 0, deletionVectors = 0, equalityDeleteFiles = 0, bytes = 0n } = deletes;
  return { deleteFiles: positionDeleteFiles + deletionVectors + equalityDeleteFiles, deleteBytes: Number(bytes) };
}
