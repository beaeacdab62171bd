/** Options of a Glue catalog as the settings of a client. */
import type { GlueClientConfig } from '@aws-sdk/client-glue';
import { type ProxyAgents, requestHandler, staticCredentials } from '../../storage/index.js';
import { optionInvalid } from '../option-invalid.js';

/** Options by the names that PyIceberg gives them, for example `glue.region`. Secrets among them never appear in messages. */
type GlueOptions = Readonly<Record<string, string>>;

const TIMEOUTS = { connectMs: 10_000, requestMs: 60_000 };

/**
 * The settings of a client, without the number of attempts.
 * @throws MoraineError `CONFIG_INVALID` naming the option
 */
export function glueClientConfig(
  options: GlueOptions,
  environment: NodeJS.ProcessEnv = process.env,
  agents: ProxyAgents = {},
): GlueClientConfig & { readonly region: string } {
  const region = options['glue.region'] ?? environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'];
  if (region === undefined) throw optionInvalid('glue.region', 'is needed, or AWS_REGION in the environment');
  const endpoint = options['glue.endpoint'];
  const profile = options['glue.profile-name'];
  const credentials = staticCredentials(options, 'glue', optionInvalid);
  return {
    region,
    requestHandler: requestHandler({ ...TIMEOUTS, agents }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(profile === undefined ? {} : { profile }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}
