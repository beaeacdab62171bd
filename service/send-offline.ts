/** JSON answers that are made in a process of their own. */
import type { FastifyReply } from 'fastify';
import type { OfflineProcesses } from './offline-processes.js';
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
  const turn = await processes.begin();
  // Whether the answer is sent, or nobody waits for it any more.
  reply.raw.on('close', () => void turn.end());
  try {
    const { bytes } = await turn.run(work);
    return await reply.type(JSON_TYPE).send(bytes);
  } catch (error) {
    await turn.end();
    throw error;
  }
}
