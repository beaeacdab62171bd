/** Answers that are not what was asked for: of somebody else than the store, or of other bytes. */
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { MoraineError } from '../../errors/index.js';
import { type Location, printableLocation } from '../../locations/index.js';

/** Somebody between here and the store has answered in its place. */
export function foreignAnswer(what: string, location: Location): MoraineError {
  const message = `The answer about ${what} ${printableLocation(location)} is not that of an object store. Correct s3.endpoint, or look at the proxies on the way.`;
  return new MoraineError('STORAGE_UNAVAILABLE', message, { details: { location } });
}

/** The answer must hold what it announces, from where the range begins: other bytes would pass for them. */
export function requireRange(
  { ContentRange, ContentLength }: GetObjectCommandOutput,
  location: Location,
  offset: number,
): void {
  const [, first, last] = /^bytes (\d+)-(\d+)/.exec(ContentRange ?? '') ?? [];
  if (ContentRange === undefined ? offset === 0 : Number(first) === offset) {
    if (ContentRange === undefined || Number(last) + 1 - offset === ContentLength) return;
  }
  const message = `The store sent ${ContentLength} bytes of ${printableLocation(location)} as "${ContentRange ?? 'all of it'}", and was asked for those from ${offset}.`;
  throw new MoraineError('STORAGE_UNAVAILABLE', message, { details: { location, offset } });
}

/** Ends an answer that is not read to its end, so that its connection is free again. */
export function end(body: GetObjectCommandOutput['Body'], reason?: Error): void {
  if (body !== undefined && 'destroy' in body && typeof body.destroy === 'function') body.destroy(reason);
}
