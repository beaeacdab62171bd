/** JSON answers that are made in a process of their own. */
import type { FastifyReply } from 'fastify';
import { MoraineError } from '../errors/index.js';
import type { OfflineProcesses, OfflineTurn } from './offline-processes.js';
import type { OfflineWork } from './offline-work.js';
import { JSON_TYPE } from './route.js';

/**
 * Does the work in one of the processes and sends what it writes. The process ends with the client.
 * @throws OVERLOADED, SERVICE_CLOSING, TIMED_OUT, and what the work throws before its first byte
 */
export async function sendOffline(
  reply: FastifyReply,
  processes: OfflineProcesses,
  work: OfflineWork,
): Promise<FastifyReply> {
  const turn = await beginTurn(reply, processes);
  try {
    const { bytes } = await turn.run(work);
    return await reply.type(JSON_TYPE).send(bytes);
  } catch (error) {
    await turn.end();
    throw error;
  }
}

/**
 * Begins a turn that ends with its request: when the answer is sent, or nobody waits for it any more.
 * @throws OVERLOADED, SERVICE_CLOSING; CANCELLED if the client has gone meanwhile
 */
export async function beginTurn(reply: FastifyReply, processes: OfflineProcesses): Promise<OfflineTurn> {
  const turn = await processes.begin();
  reply.raw.on('close', () => void turn.end());
  if (!reply.raw.destroyed) return turn;
  // The response was closed before: nothing tells of it again.
  await turn.end();
  throw new MoraineError('CANCELLED', 'The client went away before its request was begun.');
}
