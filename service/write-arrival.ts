/** Bodies of writes take their room as they arrive: what has no room is refused before it is in memory. */
import { Transform } from 'node:stream';
import type { FastifyRequest, preParsingHookHandler } from 'fastify';
import type { WriteRoom, WriteShare } from './write-room.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The room of a write; null for requests of other paths. */
    writeShare: WriteShare | null;
  }
}

/**
 * The hook that takes room for the requests of a route. Those that end without a write give it back when they are answered, or their connection ends.
 * @param maxBodyBytes of the route: larger bodies are refused unread
 */
export function roomOnArrival(room: WriteRoom, maxBodyBytes: number): preParsingHookHandler {
  return (request, reply, payload, done) => {
    const length = request.headers['content-length'];
    const declared = length === undefined ? 0 : Number(length);
    if (declared > maxBodyBytes) return done(null, payload);
    try {
      const share = room.enter(declared);
      request.writeShare = share;
      // A response that was closed before does not tell of it again.
      if (reply.raw.destroyed) share.leave();
      else reply.raw.once('close', () => share.leave());
      done(null, counted(payload, share, maxBodyBytes));
    } catch (error) {
      done(error as Error);
    }
  };
}

/** The room that a request has taken. */
export function shareOf({ writeShare }: FastifyRequest): WriteShare {
  if (writeShare === null) throw new TypeError('The route takes no room when its bodies arrive.');
  return writeShare;
}

type Payload = Parameters<preParsingHookHandler>[2];

/** The same body, which takes room part by part. What is more than the route takes is not counted: nobody keeps it. */
function counted(payload: Payload, share: WriteShare, maxBodyBytes: number): Transform {
  let bytes = 0;
  // What is on its way goes nowhere, so that the client can read its answer.
  const leaveRest = (): void => {
    payload.unpipe(counter);
    payload.resume();
  };
  const counter = new Transform({
    transform(chunk: Buffer, _, done) {
      try {
        share.grow(chunk.length);
        bytes += chunk.length;
        if (bytes > maxBodyBytes) leaveRest();
        done(null, chunk);
      } catch (error) {
        leaveRest();
        done(error as Error);
      }
    },
  });
  // The parser listens no longer when it has refused a body, whose connection may still end.
  counter.on('error', () => undefined);
  payload.on('error', (error: Error) => counter.destroy(error));
  return payload.pipe(counter);
}
