/** Bodies of objects in pieces, as they come. One that breaks off is asked for again from there, which the client does not do by itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { type Location, printableLocation } from '../../locations/index.js';
import { fileChanged } from '../storage-error.js';
import { end, foreignAnswer, requireRange } from './s3-answers.js';

/** How often a body is asked for that breaks off, and the wait in between, in milliseconds. */
const ATTEMPTS = 4;
const WAIT_MS = 50;

/** A body that comes more slowly than this, once the time of a request is over, is given up. */
const SLOWEST_BYTES_PER_MS = 16;

/** Place of a body in its object. */
export interface BodyExtent {
  readonly offset: number;
  readonly length: number;
}

/** Bytes of an object to ask for. */
export interface WantedBody {
  readonly location: Location;
  /** The object's ETag; unless given, that of the first answer counts. */
  readonly identity?: string | undefined;
  /** As the header `Range` has it; unless given, the whole object. */
  readonly range?: string | undefined;
  /** Looks at the first answer, and may refuse it. */
  readonly extentOf: (answer: GetObjectCommandOutput) => BodyExtent;
}

/** How a body is asked for. */
export interface BodySource {
  readonly ask: (request: { readonly IfMatch?: string; readonly Range?: string }) => Promise<GetObjectCommandOutput>;
  /** Milliseconds that a request may take besides the time of its bytes. */
  readonly requestMs: number;
}

/**
 * The bytes that are asked for, exactly as many as the first answer promises.
 * @throws what `ask` and `extentOf` throw; `FILE_CHANGED` for another object; `STORAGE_UNAVAILABLE` for a body that broke off again and again
 */
export async function* bodyPieces(
  { location, identity, range, extentOf }: WantedBody,
  { ask, requestMs }: BodySource,
): AsyncGenerator<Uint8Array, void> {
  let [etag, extent, done] = [identity, undefined as BodyExtent | undefined, 0];
  for (let attempt = 1; ; attempt++) {
    const Range = extent === undefined ? range : rest(extent, done);
    const answer = await ask({
      ...(etag === undefined ? {} : { IfMatch: etag }),
      ...(Range === undefined ? {} : { Range }),
    });
    try {
      etag = requireObject(answer, location, etag);
      if (extent === undefined) extent = extentOf(answer);
      else requireRange(answer, location, extent.offset + done);
      for await (const piece of timed(answer, location, requestMs)) {
        done += piece.length;
        yield piece;
      }
      if (done === extent.length) return;
      throw brokenOff(location, done, extent.length);
    } catch (error) {
      end(answer.Body);
      const isBroken = !isMoraineError(error) || error.code === 'STORAGE_UNAVAILABLE';
      if (!isBroken || attempt === ATTEMPTS) throw error;
      // Nothing was given out: what is there now is as good.
      if (done === 0) [etag, extent] = [identity, undefined];
      await sleep(WAIT_MS * attempt * (1 + Math.random()));
    }
  }
}

const rest = ({ offset, length }: BodyExtent, done: number): string => `bytes=${offset + done}-${offset + length - 1}`;

/** @returns the object's ETag */
function requireObject({ ETag }: GetObjectCommandOutput, location: Location, expected: string | undefined): string {
  if (ETag === undefined) throw foreignAnswer('the bytes of', location);
  if (expected !== undefined && ETag !== expected) throw fileChanged(location);
  return ETag;
}

/** The pieces of a body that may not take for ever. */
async function* timed(
  { Body, ContentLength = 0 }: GetObjectCommandOutput,
  location: Location,
  requestMs: number,
): AsyncGenerator<Uint8Array, void> {
  if (Body === undefined) return;
  const limitMs = requestMs + ContentLength / SLOWEST_BYTES_PER_MS;
  const timer = setTimeout(() => {
    const slow = `The store sends ${printableLocation(location)} too slowly: not ${ContentLength} bytes in ${limitMs} ms.`;
    end(Body, new MoraineError('STORAGE_UNAVAILABLE', slow, { details: { location } }));
  }, limitMs);
  try {
    // In Node it is a stream.
    yield* Body as unknown as AsyncIterable<Uint8Array>;
  } finally {
    clearTimeout(timer);
  }
}

function brokenOff(location: Location, done: number, length: number): MoraineError {
  const message = `The store sent ${done} of ${length} bytes of ${printableLocation(location)}.`;
  return new MoraineError('STORAGE_UNAVAILABLE', message, { details: { location } });
}
