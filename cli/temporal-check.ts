/** Whether runs can have a Temporal server. Looking only: nothing is fetched or started. */
import type { MoraineConfig } from '../config/index.js';
import { lookForTemporalCli, resolveTemporalSettings, withAddress, withTemporalClient } from '../workers/index.js';
import type { Finding } from './finding.js';

/** As long as a connection may take. */
const ANSWERS_WITHIN_MS = 10_000;

/** @throws `TEMPORAL_UNAVAILABLE` if a configured server does not answer, or has no such namespace; `TEMPORAL_REFUSED` if it refuses the client */
export async function checkTemporal(config: MoraineConfig, withinMs: number = ANSWERS_WITHIN_MS): Promise<Finding> {
  const settings = resolveTemporalSettings(config.temporal);
  const { address, namespace } = settings;
  if (address !== undefined) {
    await withTemporalClient(withAddress(settings, address), ({ client, connection }) =>
      connection.withDeadline(Date.now() + withinMs, () => client.workflowService.describeNamespace({ namespace })),
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
