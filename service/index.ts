/** The HTTP service: paths, bodies, API keys. */
export { type ApiKey, SCOPES, type Scope } from './api-keys.js';
export { createApiKey, deleteApiKey, readKeyFile } from './key-file.js';
export { type Service, type ServiceOptions, startService } from './service.js';
