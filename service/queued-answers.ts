/** Answers that wait for those of earlier requests on their connection. Until their turn comes they have no socket, and Node tells them nothing of it. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Has such answers close when their connection does, as others do, so that what they hold is given back.
 * Their connection is not ended by the time in which an earlier answer had to be taken either.
 */
export function endQueuedAnswers(app: FastifyInstance): void {
  const queues = new WeakMap<Socket, Set<ServerResponse>>();
  app.addHook('onRequest', (request, { raw }, done) => {
    const { socket } = request.raw;
    if (raw.socket !== null) return done();
    let queue = queues.get(socket);
    if (queue === undefined) {
      const added = new Set<ServerResponse>();
      // One for the connection: many requests may wait on it.
      socket.once('close', () => closeAll(added));
      queues.set(socket, added);
      queue = added;
    }
    const queued = queue.add(raw);
    raw.once('close', () => queued.delete(raw));
    // Where nothing listens, Node ends the connection.
    raw.on('timeout', () => undefined);
    done();
  });
}

/** Those whose turn has come hear of it from Node. */
function closeAll(queue: ReadonlySet<ServerResponse>): void {
  for (const raw of [...queue]) {
    if (raw.socket !== null || raw.destroyed) continue;
    raw.destroy();
    raw.emit('close');
  }
}
