/** Whether runs can have a Temporal server. Looking only: nothing is fetched or started. */
import type { MoraineConfig } from '../config/index.js';
import { connectClient, lookForTemporalCli, resolveTemporalSettings, withAddress } from '../workers/index.js';
import type { Finding } from './finding.js';

/** @throws `TEMPORAL_UNAVAILABLE` if a configured server does not answer */
export async function checkTemporal(config: MoraineConfig): Promise<Finding> {
  const settings = resolveTemporalSettings(config.temporal);
  const { address, namespace } = settings;
  if (address !== undefined) {
    const temporal = await connectClient(withAddress(settings, address));
    await temporal.close();
    return { detail: `${address} answers, namespace ${namespace}` };
  }
  const cli = await lookForTemporalCli();
  if (cli !== undefined) return { detail: `no server is configured; ${cli.path} starts one when needed` };
  return {
    detail: 'no server is configured, and there is no temporal command',
    warning: 'One is fetched when first needed. Install the temporal command, or set temporal.address, to avoid that.',
  };
}
