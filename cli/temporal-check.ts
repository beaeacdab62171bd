/** Whether runs can have a Temporal server. Looking only: nothing is fetched or started. */
import type { MoraineConfig } from '../config/index.js';
import { lookForTemporalCli, resolveTemporalSettings, withAddress, withTemporalClient } from '../workers/index.js';
import type { Finding } from './finding.js';

/** @throws `TEMPORAL_UNAVAILABLE` if a configured server does not answer, or has no such namespace; `CONFIG_INVALID` if it refuses the client */
export async function checkTemporal(config: MoraineConfig): Promise<Finding> {
  const settings = resolveTemporalSettings(config.temporal);
  const { address, namespace } = settings;
  if (address !== undefined) {
    await withTemporalClient(withAddress(settings, address), ({ client }) =>
      client.workflowService.describeNamespace({ namespace }),
    );
    return { detail: `${address} answers, namespace ${namespace}` };
  }
  const cli = await lookForTemporalCli();
  if (cli !== undefined) return { detail: `no server is configured; ${cli.path} starts one when needed` };
  return {
    detail: 'no server is configured, and there is no temporal command',
    warning: 'One is fetched when first needed. Install the temporal command, or set temporal.address, to avoid that.',
  };
}
