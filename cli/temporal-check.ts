/** Whether runs can have a Temporal server. Looking only: nothing is fetched or started. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { MoraineConfig } from '../config/index.js';
import { connectClient, resolveTemporalSettings, withAddress } from '../workers/index.js';
import type { Finding } from './doctor-checks.js';

/** @throws `TEMPORAL_UNAVAILABLE` if a configured server does not answer */
export async function checkTemporal(config: MoraineConfig): Promise<Finding> {
  const settings = resolveTemporalSettings(config.temporal);
  const { address, namespace } = settings;
  if (address !== undefined) {
    const temporal = await connectClient(withAddress(settings, address));
    await temporal.close();
    return { detail: `${address} answers, namespace ${namespace}` };
  }
  const command = process.env['TEMPORAL_CLI_PATH'] ?? onPath('temporal');
  if (command !== undefined) return { detail: `no server is configured; ${command} starts one when needed` };
  return {
    detail: 'no server is configured, and there is no temporal command',
    warning: 'One is fetched when first needed. Install the temporal command, or set temporal.address, to avoid that.',
  };
}

function onPath(command: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, command);
    if (folder !== '' && isExecutable(path)) return path;
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
