import {
  type ClientConfigProfile,
  type ClientConnectConfig,
  loadClientConfigProfile,
  toClientOptions,
} from '@temporalio/envconfig';
import type { DeploymentConfig, TemporalConfig } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import { type EncryptionKeys, resolveEncryptionKeys } from './payloads/encryption-keys.js';

/** How to reach Temporal, and the task queue of this project. */
export interface TemporalSettings {
  /** `host:port` of a configured server; undefined if none is configured, and a local one has to be started. */
  readonly address: string | undefined;
  readonly namespace: string;
  readonly taskQueue: string;
  /** Address, TLS and API key in the form that Temporal's connections take. */
  readonly connection: ClientConnectConfig['connectionOptions'];
  /** Keys of the payload codec; without them payloads are stored as they are. */
  readonly encryptionKeys?: EncryptionKeys;
  /** The version that workers belong to. */
  readonly deployment?: DeploymentConfig;
}

/** The settings, and the project for which something is started. */
export interface ProjectSettings extends TemporalSettings {
  /** Its identity; null: what is started has ids without one, as before projects had identities. */
  readonly project: string | null;
}

/**
 * Merges, the first one that says something wins: Temporal's own environment variables (`TEMPORAL_ADDRESS`,
 * `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS..`, `TEMPORAL_PROFILE`), the `temporal:` section of
 * `moraine.yaml`, Temporal's own configuration file. An empty variable says nothing, as in a file of Compose that passes one on.
 *
 * @throws `CONFIG_INVALID` if Temporal's configuration file cannot be read or lacks the profile, or encryption keys cannot be read
 */
export function resolveTemporalSettings(
  config: TemporalConfig,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): TemporalSettings {
  const said = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const profile = overlay(loadProfile(config, said), config, said);
  const encryptionKeys = resolveEncryptionKeys(config, environment);
  return {
    address: profile.address,
    namespace: profile.namespace ?? 'default',
    taskQueue: config.taskQueue,
    connection: toClientOptions(profile).connectionOptions,
    ...(encryptionKeys === undefined ? {} : { encryptionKeys }),
    ...(config.deployment === undefined ? {} : { deployment: config.deployment }),
  };
}

function loadProfile(
  config: TemporalConfig,
  environment: Readonly<Record<string, string | undefined>>,
): ClientConfigProfile {
  const profileName = environment['TEMPORAL_PROFILE'] ?? config.profile;
  const overrideEnvVars: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) if (value !== undefined) overrideEnvVars[name] = value;
  try {
    return loadClientConfigProfile({
      overrideEnvVars,
      ...(profileName === undefined ? {} : { profile: profileName }),
      ...(config.configFile === undefined ? {} : { configSource: { path: config.configFile } }),
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MoraineError('CONFIG_INVALID', `Temporal's own configuration cannot be used: ${reason}`, {
      cause: error,
    });
  }
}

/** `moraine.yaml` over what the profile says, but under the environment. */
function overlay(
  profile: ClientConfigProfile,
  config: TemporalConfig,
  environment: Readonly<Record<string, string | undefined>>,
): ClientConfigProfile {
  const merged: ClientConfigProfile = { ...profile };
  if (config.address !== undefined && environment['TEMPORAL_ADDRESS'] === undefined) merged.address = config.address;
  if (config.namespace !== undefined && environment['TEMPORAL_NAMESPACE'] === undefined) {
    merged.namespace = config.namespace;
  }
  if (config.apiKey !== undefined && environment['TEMPORAL_API_KEY'] === undefined) merged.apiKey = config.apiKey;
  if (config.tls !== undefined && environment['TEMPORAL_TLS'] === undefined) {
    merged.tls = config.tls ? { ...profile.tls, disabled: false } : { disabled: true };
  }
  return merged;
}
