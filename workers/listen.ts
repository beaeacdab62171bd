import type { Server } from 'node:http';
import type { HostAndPort } from '../config/index.js';
import { MoraineError } from '../errors/index.js';

/**
 * Listens on an address. @returns its URL, with the port that port 0 has become
 *
 * @param what is served there, such as `health`
 * @throws `INVALID_ARGUMENT` if the address cannot be listened on
 */
export function listen(server: Server, { host, port }: HostAndPort, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const message = `${what} cannot be served at ${host}:${port}: ${error.message}`;
      reject(new MoraineError('INVALID_ARGUMENT', message, { cause: error }));
    });
    server.listen(port, host, () => {
      const bound = server.address();
      const actual = typeof bound === 'object' && bound !== null ? bound.port : port;
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${actual}`);
    });
  });
}
