/** Removing orphans: how old they have to be, and how many go at a time. */
import { MoraineError } from '../../errors/index.js';
import type { MaintenanceDeps } from '../deps.js';
import { deleteFiles } from './delete-files.js';
import { safeNowMs } from './storage-clock.js';
import { Sweep } from './sweep.js';

const DAY_MS = 86_400_000n;
/** How old orphans are at least unless the request says otherwise. */
export const DEFAULT_ORPHAN_AGE_MS = 3n * DAY_MS;
/** Younger ones may belong to a writer that takes no lease; they go only if the request insists. */
export const YOUNGEST_ORPHAN_MS = DAY_MS;

export interface OrphanSettings {
  readonly olderThanMs?: bigint;
  /** Confirms an age below {@link YOUNGEST_ORPHAN_MS}: nobody else writes to the table. */
  readonly allowYoung?: boolean;
}

/** One part of a sweep. */
export interface SweptFiles {
  readonly deletedFiles: number;
  readonly deletedBytes: bigint;
  /** Where the next part begins; null: all folders of the table have been seen. */
  readonly next: string | null;
  /** What deletes the files of this catalog's tables instead; nothing was done then. */
  readonly fileOwner?: string;
}

/** The age that a request means. @throws MoraineError `INVALID_ARGUMENT` for a young one that is not confirmed */
export function orphanAgeMs({ olderThanMs, allowYoung }: OrphanSettings): bigint {
  const ageMs = olderThanMs ?? DEFAULT_ORPHAN_AGE_MS;
  if (ageMs >= YOUNGEST_ORPHAN_MS || allowYoung === true) return ageMs;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    'Orphans of less than a day may be files that a writer is about to commit. If nobody else writes to the table, confirm it with --allow-young ("allowYoung": true).',
  );
}

/**
 * Deletes orphans of one part of the table's folders; at their end gives up uploads that are as old and never ended. It may be repeated, killed, and run beside writers, readers and other sweeps.
 * @param name the table, `[CATALOG/]NS.TABLE`
 * @param after where the part before has ended
 * @throws MoraineError as {@link Sweep.verdicts}
 */
export async function sweepOrphans(
  deps: MaintenanceDeps,
  name: string,
  settings: OrphanSettings & { readonly after?: string },
  signal?: AbortSignal,
): Promise<SweptFiles> {
  const olderThanMs = orphanAgeMs(settings);
  const table = await deps.loadTable(name);
  const fileOwner = table.catalog?.fileOwner;
  if (fileOwner !== undefined) return { deletedFiles: 0, deletedBytes: 0n, next: null, fileOwner };
  const nowMs = await safeNowMs(table, deps.nowMs());
  const { after } = settings;
  const sweep = new Sweep(deps, name, { nowMs, olderThanMs, ...(after === undefined ? {} : { after }) });
  const orphans: string[] = [];
  let deletedBytes = 0n;
  for await (const { action, path, sizeBytes } of sweep.verdicts()) {
    signal?.throwIfAborted();
    if (action === 'keep') continue;
    orphans.push(path);
    deletedBytes += BigInt(sizeBytes);
  }
  const deletedFiles = await deleteFiles(table.io, orphans, signal);
  if (sweep.next === null) {
    const beforeMs = Number(nowMs - olderThanMs);
    for (const folder of sweep.folders) await table.io.abandonCreations(folder, beforeMs);
  }
  return { deletedFiles, deletedBytes, next: sweep.next };
}
