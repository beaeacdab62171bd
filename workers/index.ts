export { type LocalServer, type LocalServerOptions, startOrJoinLocalServer } from './local-server.js';
