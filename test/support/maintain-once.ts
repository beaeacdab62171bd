/** One whole maintenance of a table, step by step as the workflow does it, without a Temporal server. */
import {
  commitExpiry,
  deleteExpiredFiles,
  dryRunMaintenance,
  type FileVerdict,
  type MaintenanceDeps,
  type MaintenanceSettings,
  stageExpiry,
  sweepOrphans,
  tidyManifests,
} from '../../maintenance/index.js';

/** The result of one maintenance. */
export interface MaintainedOnce {
  readonly expiredFiles: number;
  readonly orphans: number;
  readonly droppedDeletes: number;
  readonly unreadable: readonly string[];
}

/** @param name the table, `[CATALOG/]NS.TABLE` */
export async function maintainOnce(
  deps: MaintenanceDeps,
  name: string,
  { expiry = {}, orphans = {} }: Partial<MaintenanceSettings> = {},
): Promise<MaintainedOnce> {
  const { expiredFiles, unreadable } = await expireOnce(deps, name, expiry);
  let swept = 0;
  for (let after: string | undefined; ; ) {
    const part = await sweepOrphans(deps, name, { ...orphans, ...(after === undefined ? {} : { after }) });
    swept += part.deletedFiles;
    if (part.next === null) break;
    after = part.next;
  }
  const { droppedDeletes } = await tidyManifests(deps, name);
  return { expiredFiles, orphans: swept, droppedDeletes, unreadable };
}

/** The three steps of an expiry. */
export async function expireOnce(
  deps: MaintenanceDeps,
  name: string,
  settings: MaintenanceSettings['expiry'],
): Promise<Pick<MaintainedOnce, 'expiredFiles' | 'unreadable'>> {
  const { planLocation } = await stageExpiry(deps, name, settings);
  if (planLocation === null) return { expiredFiles: 0, unreadable: [] };
  await commitExpiry(deps, name, planLocation);
  const { deletedFiles, unreadable } = await deleteExpiredFiles(deps, name, planLocation);
  return { expiredFiles: deletedFiles, unreadable };
}

/** The verdicts of a dry run on every file, by its path. */
export async function foretold(
  deps: MaintenanceDeps,
  name: string,
  { expiry = {}, orphans = {} }: Partial<MaintenanceSettings> = {},
): Promise<ReadonlyMap<string, FileVerdict>> {
  const { files } = await dryRunMaintenance(deps, name, { expiry, orphans });
  const verdicts = new Map<string, FileVerdict>();
  for await (const verdict of files) {
    if (verdicts.has(verdict.path)) throw new Error(`${verdict.path} is judged twice`);
    verdicts.set(verdict.path, verdict);
  }
  return verdicts;
}
