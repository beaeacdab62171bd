/** Dry run of maintenance: the verdict on every file of a table, with its reason. Nothing is written. */
import type { MaintenanceDeps } from './deps.js';
import { filesOnlyIn } from './expiry/expire.js';
import { type ExpiryPlan, type ExpirySettings, planExpiry, surplusMetadata } from './expiry/expiry-plan.js';
import { snapshotRoots } from './expiry/roots.js';
import { type OrphanSettings, orphanAgeMs } from './sweep/orphans.js';
import { type FileVerdict, Sweep, verdictOf } from './sweep/sweep.js';
import { statisticsFiles } from './sweep/table-files.js';

export interface MaintenanceSettings {
  readonly expiry: ExpirySettings;
  readonly orphans: OrphanSettings;
}

/** The outcome of a dry run: what happens to snapshots at once, to files as the folder is listed. */
export interface DryRun {
  readonly expiry: ExpiryPlan;
  /** Metadata files that leave the table's log; the old ones among them are orphans then. */
  readonly metadataFiles: number;
  /** What deletes snapshots and files of this catalog's tables instead: none go, and no file is judged. */
  readonly fileOwner?: string;
  /** Every file of the table's folder, and expired ones that lie elsewhere. May be read once. */
  readonly files: AsyncGenerator<FileVerdict>;
}

const NOTHING: ExpiryPlan = { snapshotIds: [], refs: [], kept: new Map() };
const OUTSIDE = 'it lies outside the folders of the table: --delete-outside deletes it';

/**
 * Plans maintenance as it would be done now. Ages are counted from this machine's clock.
 * @param name the table, `[CATALOG/]NS.TABLE`
 */
export async function dryRunMaintenance(
  deps: MaintenanceDeps,
  name: string,
  settings: MaintenanceSettings,
): Promise<DryRun> {
  const olderThanMs = orphanAgeMs(settings.orphans);
  const table = await deps.loadTable(name);
  const fileOwner = table.catalog?.fileOwner;
  if (fileOwner !== undefined) return { fileOwner, expiry: NOTHING, metadataFiles: 0, files: noFiles() };
  const nowMs = deps.nowMs();
  const expiry = planExpiry(table.metadata, settings.expiry, await snapshotRoots(deps, table, nowMs), nowMs);
  const snapshotIds = new Set(expiry.snapshotIds);
  const metadataFiles = new Set(surplusMetadata(table.metadata, settings.expiry).map((entry) => entry.metadataFile));
  return { expiry, metadataFiles: metadataFiles.size, files: judgeFiles() };

  async function* judgeFiles(): AsyncGenerator<FileVerdict> {
    const expired = table.metadata.snapshots.filter(({ snapshotId }) => snapshotIds.has(snapshotId));
    const statistics = [...statisticsFiles(table.metadata)].filter((file) => snapshotIds.has(file.snapshotId));
    const content = { expired, statistics: statistics.map(({ location }) => location) };
    const files = await filesOnlyIn(deps, table, content, () => undefined);
    for (const [path, { reason, isOwn }] of files) {
      const status = await table.io.stat(path).catch(() => null);
      if (status === null) continue;
      const goes = isOwn || settings.expiry.deleteOutside === true;
      yield verdictOf(status, goes ? 'delete' : 'keep', goes ? reason : `${reason}; but ${OUTSIDE}`);
    }
    for (let after: string | undefined; ; ) {
      const place = after === undefined ? {} : { after };
      const sweep = new Sweep(deps, name, {
        nowMs,
        olderThanMs,
        ...place,
        expired: { snapshotIds, files, kept: expiry.kept, metadataFiles },
      });
      yield* sweep.verdicts();
      if (sweep.next === null) return;
      after = sweep.next;
    }
  }
}

async function* noFiles(): AsyncGenerator<FileVerdict> {
  // There are none.
}
