/** Row ids of version 3, as a commit assigns them. Source: Apache Iceberg specification, "Row Lineage", "First Row ID Assignment". */
import { inheritRowIds, type ManifestFile } from '../iceberg/index.js';
import { mapConcurrently, rememberManifest } from './manifest-files.js';
import type { PendingSnapshot } from './manifest-writer.js';
import type { Table } from './table.js';

/** The manifests with their first row ids, and what the snapshot says of them. Version 2 has none. */
export interface AssignedRowIds {
  readonly manifests: readonly ManifestFile[];
  readonly firstRowId?: bigint;
  /** How many ids were set aside: all rows of the manifests that had no first row id. */
  readonly addedRows?: bigint;
}

/**
 * Gives a first row id to each data manifest that has none, in their order, from the table's next row id on. Manifests from before
 * the table's upgrade get theirs here, too.
 */
export async function assignRowIds(
  { io, metadata }: Table,
  manifests: readonly ManifestFile[],
  { entries }: PendingSnapshot,
): Promise<AssignedRowIds> {
  if (metadata.formatVersion !== 3) return { manifests };
  const firstRowId = metadata.nextRowId ?? 0n;
  let next = firstRowId;
  const assigned = manifests.map((manifest): ManifestFile => {
    if (manifest.content === 'deletes' || manifest.firstRowId !== undefined) return manifest;
    const first = next;
    next += (manifest.addedRowsCount ?? 0n) + (manifest.existingRowsCount ?? 0n);
    return { ...manifest, firstRowId: first };
  });
  await mapConcurrently(assigned, async (manifest) => {
    const written = entries?.get(manifest.manifestPath);
    if (written === undefined || manifest.content === 'deletes') return;
    rememberManifest(io, metadata, manifest, inheritRowIds(written, manifest.firstRowId));
  });
  return { manifests: assigned, firstRowId, addedRows: next - firstRowId };
}
