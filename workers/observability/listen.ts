import type { Server } from 'node:http';
import type { HostAndPort } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';

/** A server that listens. */
export interface Listening {
  /** `http://host:port`, with the port that port 0 has become. */
  readonly url: string;
  /** Ends its connections, too. */
  close(): Promise<void>;
}

/**
 * Listens on an address.
 *
 * @param what is served there, such as `health`
 * @throws `INVALID_ARGUMENT` if the address cannot be listened on
 */
export function listen(server: Server, { host, port }: HostAndPort, what: string): Promise<Listening> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const message = `${what} cannot be served at ${host}:${port}: ${error.message}`;
      reject(new MoraineError('INVALID_ARGUMENT', message, { cause: error }));
    });
    server.listen(port, host, () => {
      const bound = server.address();
      const actual = typeof bound === 'object' && bound !== null ? bound.port : port;
      resolve({ url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`, close: () => close(server) });
    });
  });
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
