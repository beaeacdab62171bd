import { dryRunMaintenance, type FileVerdict } from '../maintenance/index.js';
import { maintenanceDeps, type Project } from '../project/index.js';
import type { MaintainInput, MaintainProgress, MaintainResult } from '../workers/index.js';
import {
  type ConnectedServer,
  onTemporal,
  type RunOptions,
  type StartedRun,
  startRunOf,
  workers,
} from './temporal-run.js';

export type MaintainOptions = RunOptions<MaintainProgress>;

/**
 * Maintains a table: expires snapshots that nobody needs, removes files that nothing reaches, drops dangling deletes and rewrites
 * manifests where it gains. It runs on the configured Temporal server and its workers; with none configured, on an own server and
 * worker that end with it.
 *
 * @throws `INVALID_ARGUMENT`, `TABLE_NOT_FOUND`, `METADATA_CORRUPT` before anything is started; `TASK_QUEUE_UNPOLLED` within 5 s if no
 * worker is there; `TEMPORAL_UNAVAILABLE`; the run's own error code if it failed
 */
export async function maintain(
  project: Project,
  input: MaintainInput,
  options: MaintainOptions = {},
): Promise<MaintainResult> {
  const { checkMaintainRequest, ...runs } = await workers();
  const request = await checkMaintainRequest(project, input);
  const wait = async (server: ConnectedServer): Promise<MaintainResult> => {
    const asked = await runs.startMaintain(server, server.settings, request);
    return runs.waitForMaintain(server.client, asked, request.table, { ...options, cancels: server.cancels });
  };
  return onTemporal(project, wait, options);
}

/**
 * Asks for maintenance and does not wait for it. This needs a configured Temporal server, or `moraine dev`.
 *
 * @throws `TEMPORAL_UNAVAILABLE` without one; otherwise as {@link maintain}
 */
export async function startMaintain(project: Project, input: MaintainInput): Promise<StartedRun> {
  const { checkMaintainRequest, ...runs } = await workers();
  const request = await checkMaintainRequest(project, input);
  return startRunOf(project, 'maintenance', (server) => runs.startMaintain(server, server.settings, request));
}

/** The effect of maintenance. Close it. */
export interface MaintainPlan {
  /** Snapshots that would expire, and branches and tags that would go. */
  readonly snapshotIds: readonly bigint[];
  readonly refs: readonly string[];
  /** Snapshots that would stay, and why. */
  readonly kept: ReadonlyMap<bigint, string>;
  /** What deletes snapshots and files where the catalog owns them: none are listed then. */
  readonly fileOwner?: string;
  /** Every file of the table's folder, and expired ones that lie elsewhere: what would become of it, and why. May be read once. */
  readonly files: AsyncIterable<FileVerdict>;
  /** Ends the reading of `files`. May be called twice. */
  close(): Promise<void>;
}

/** The effect of maintenance on every file, and why. Nothing is started and nothing is written. @throws as {@link maintain} */
export async function planMaintain(project: Project, input: MaintainInput): Promise<MaintainPlan> {
  const { checkMaintainRequest, maintenanceSettings } = await workers();
  const request = await checkMaintainRequest(project, input);
  const { expiry, files, fileOwner } = await dryRunMaintenance(
    maintenanceDeps(project),
    request.table,
    maintenanceSettings(request),
  );
  const close = async (): Promise<void> => void (await files.return(undefined));
  return { ...expiry, files, close, ...(fileOwner === undefined ? {} : { fileOwner }) };
}
