/** Options of a Glue catalog as the settings of a client. */
import type { GlueClientConfig } from '@aws-sdk/client-glue';
import { MoraineError } from '../../errors/index.js';
import { requestHandler } from '../../storage/index.js';

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
): GlueClientConfig & { readonly region: string } {
  const region = options['glue.region'] ?? environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'];
  if (region === undefined) throw invalid('glue.region', 'is needed, or AWS_REGION in the environment');
  const endpoint = options['glue.endpoint'];
  const profile = options['glue.profile-name'];
  const credentials = staticCredentials(options);
  return {
    region,
    requestHandler: requestHandler(TIMEOUTS),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(profile === undefined ? {} : { profile }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

function invalid(name: string, rule: string): MoraineError {
  return new MoraineError('CONFIG_INVALID', `The catalog option ${name} ${rule}.`, { details: { option: name } });
}

function staticCredentials(options: GlueOptions): Exclude<GlueClientConfig['credentials'], undefined> | undefined {
  const accessKeyId = options['glue.access-key-id'];
  const secretAccessKey = options['glue.secret-access-key'];
  const sessionToken = options['glue.session-token'];
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken === undefined) return undefined;
  if (accessKeyId === undefined) throw invalid('glue.access-key-id', 'is missing beside the other credentials');
  if (secretAccessKey === undefined) throw invalid('glue.secret-access-key', 'is missing beside the access key');
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}
