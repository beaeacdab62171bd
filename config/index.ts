/** Configuration: `moraine.yaml`, its schema, and loading it with messages that name the line. */

export { parseByteSize } from './byte-size.js';
export { isCatalogOption, isSecretCatalogOption } from './catalog-options.js';
export type {
  CatalogConfig,
  DeploymentConfig,
  EngineConfig,
  MoraineConfig,
  OnlineConfig,
  RegistryConfig,
  ServerConfig,
  StorageConfig,
  TemporalConfig,
  TlsConfig,
  WorkerConfig,
} from './config.js';
export { type ConfigInput } from './config-schema.js';
export { namedVariables } from './expand-environment.js';
export { CONFIG_FILE_NAME, findConfigFile } from './find-config.js';
export { type HostAndPort, parseHostAndPort } from './host-and-port.js';
export { configFromValue, type LoadConfigOptions, loadConfig, parseConfig } from './load-config.js';
export { withMappedLocations } from './map-locations.js';
export { isStorageOption } from './storage-options.js';
export { formatTimeUs, parseTimeUs } from './time.js';
export { parseYamlSource, type SourceProblem, type YamlSource } from './yaml-source.js';
