/** The servers that `examples/trino-nessie` starts, in `dist` for its script. */
export { startNessie } from './nessie-server.js';
export { startS3Server } from './s3-server.js';
export { onNessie, startTrino } from './trino-server.js';
