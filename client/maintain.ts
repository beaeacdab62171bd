import { MoraineError } from '../errors/index.js';
import { type DryRun, dryRunMaintenance } from '../maintenance/index.js';
import { maintenanceDeps, type Project } from '../project/index.js';
import type {
  MaintainInput,
  MaintainProgress,
  MaintainResult,
  RequestedRun,
  TemporalClient,
} from '../workers/index.js';

/** Temporal is large and slow to load: only what starts runs waits for it. */
const workers = () => import('../workers/index.js');

export interface MaintainOptions {
  /** Stops the waiting. A run on a configured server goes on. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: MaintainProgress) => void;
  /** Told what takes long and is not the run itself, such as fetching a server. */
  readonly announce?: (message: string) => void;
}

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
  const { checkMaintainRequest, connectClient, resolveTemporalSettings, withAddress, withLocalRun, ...runs } =
    await workers();
  const request = await checkMaintainRequest(project, input);
  const settings = resolveTemporalSettings(project.config.temporal);
  const wait = async (temporal: TemporalClient): Promise<MaintainResult> => {
    const asked = await runs.startMaintain(temporal, settings, request);
    return runs.waitForMaintain(temporal.client, asked, request.table, options);
  };
  if (settings.address === undefined) return withLocalRun(project, wait, options);
  const temporal = await connectClient(withAddress(settings, settings.address));
  try {
    return await wait(temporal);
  } finally {
    await temporal.close();
  }
}

/**
 * Asks for maintenance and does not wait for it. This needs a configured Temporal server.
 *
 * @throws `TEMPORAL_UNAVAILABLE` without one; otherwise as {@link maintain}
 */
export async function startMaintain(project: Project, input: MaintainInput): Promise<RequestedRun> {
  const { checkMaintainRequest, connectClient, resolveTemporalSettings, withAddress, ...runs } = await workers();
  const request = await checkMaintainRequest(project, input);
  const settings = resolveTemporalSettings(project.config.temporal);
  if (settings.address === undefined) {
    throw new MoraineError('TEMPORAL_UNAVAILABLE', 'no Temporal server is configured that maintenance could go on in');
  }
  const temporal = await connectClient(withAddress(settings, settings.address));
  try {
    return await runs.startMaintain(temporal, settings, request);
  } finally {
    await temporal.close();
  }
}

/** What maintenance would do to every file, and why. Nothing is started and nothing is written. @throws as {@link maintain} */
export async function maintainDryRun(project: Project, input: MaintainInput): Promise<DryRun> {
  const { checkMaintainRequest, maintenanceSettings } = await workers();
  const request = await checkMaintainRequest(project, input);
  return dryRunMaintenance(maintenanceDeps(project), request.table, maintenanceSettings(request));
}
