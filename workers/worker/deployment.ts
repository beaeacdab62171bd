/** Worker deployments: which version of the workers takes new runs. */
import { type Client, isGrpcServiceError } from '@temporalio/client';
import type { DeploymentConfig } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';

/** `NOT_FOUND` and `FAILED_PRECONDITION` of gRPC. */
const NO_SUCH_VERSION: readonly number[] = [5, 9];

/**
 * Makes a version the current one of its deployment: new runs, and those in flight that move along, go to its workers.
 *
 * @throws `INVALID_ARGUMENT` if no worker of the version has polled yet, or task queues of the current version would be left without one
 */
export async function setCurrentDeployment(client: Client, { name, buildId }: DeploymentConfig): Promise<void> {
  try {
    await client.workflowService.setWorkerDeploymentCurrentVersion({
      namespace: client.options.namespace,
      deploymentName: name,
      buildId,
      identity: 'moraine',
    });
  } catch (error) {
    if (!isGrpcServiceError(error) || !NO_SUCH_VERSION.includes(error.code)) throw error;
    const message = `${name}.${buildId} cannot become the current version: ${error.details}; start its workers first`;
    throw new MoraineError('INVALID_ARGUMENT', message, { cause: error });
  }
}

/** A task queue as the server describes it, as far as it is used here. */
export interface VersionedQueue {
  readonly pollers?: readonly Poller[] | null;
  readonly versioningInfo?: { readonly currentDeploymentVersion?: Version | null } | null;
}

interface Poller {
  readonly deploymentOptions?: { readonly deploymentName?: string | null; readonly buildId?: string | null } | null;
}

interface Version {
  readonly deploymentName?: string | null;
  readonly buildId?: string | null;
}

/** Why a task queue that workers poll gives them no new run; undefined if versions are not the reason. */
export function whyVersionsGetNothing(queue: VersionedQueue): string | undefined {
  const versions = (queue.pollers ?? []).map(({ deploymentOptions }) => nameOf(deploymentOptions));
  if (versions.includes('')) return undefined; // an unversioned worker polls, too
  const polling = [...new Set(versions)].join(', ');
  const current = nameOf(queue.versioningInfo?.currentDeploymentVersion);
  if (current === '') return `its workers are of ${polling}, and no version is the current one`;
  return versions.includes(current) ? undefined : `the current version is ${current}, its workers are of ${polling}`;
}

/** `NAME.BUILD`; empty for none. */
function nameOf(version: Version | null | undefined): string {
  const { deploymentName, buildId } = version ?? {};
  return deploymentName ? `${deploymentName}.${buildId ?? ''}` : '';
}
