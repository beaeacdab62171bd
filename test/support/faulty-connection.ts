/** A proxy of TCP connections that are reset, before the server has seen what was sent, or after it has done it. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** The fate of something that a client sends: it is handed on, with its answer, or without it, or is dropped. */
export type MessageFate = 'pass' | 'lose' | 'drop';

export interface FaultyConnections {
  readonly port: number;
  /** Decides about each message; every one passes unless this is set. */
  fateOf: (message: Buffer) => MessageFate | Promise<MessageFate>;
  close(): Promise<void>;
}

/** @param port of the server, on this machine */
export async function startFaultyConnections(port: number): Promise<FaultyConnections> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    const both = [client, upstream];
    const reset = (): void => both.forEach((socket) => socket.destroy());
    for (const socket of both) {
      open.add(socket);
      socket.on('error', reset).on('close', () => {
        open.delete(socket);
        reset();
      });
    }
    let isLosing = false;
    client.on('data', (message: Buffer) => {
      client.pause();
      void Promise.resolve(proxy.fateOf(message)).then((fate) => {
        if (fate === 'drop') return reset();
        isLosing ||= fate === 'lose';
        upstream.write(message);
        client.resume();
      });
    });
    // The server has done it when it answers.
    upstream.on('data', (answer) => (isLosing ? reset() : client.write(answer)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: FaultyConnections = {
    port: (server.address() as AddressInfo).port,
    fateOf: () => 'pass',
    close: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
  return proxy;
}
