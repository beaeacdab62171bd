/** The format of rows that a request accepts. */
import type { IncomingHttpHeaders } from 'node:http';
import Negotiator from 'negotiator';
import { MoraineError } from '../errors/index.js';
import type { OfflineFormat } from './offline-work.js';

/** Media types, as IANA and Apache have registered them, and the formats that they name. */
export const ROW_TYPES: ReadonlyMap<string, OfflineFormat> = new Map([
  ['application/json', 'json'],
  ['application/vnd.apache.arrow.stream', 'arrow'],
  ['application/vnd.apache.parquet', 'parquet'],
]);

/**
 * The media type to answer with.
 * @param preferred where the request accepts several alike
 * @throws NOT_ACCEPTABLE
 */
export function acceptedType(headers: IncomingHttpHeaders, preferred: string): string {
  const known = [preferred, ...[...ROW_TYPES.keys()].filter((type) => type !== preferred)];
  const type = new Negotiator({ headers }).mediaType(known);
  if (type !== undefined) return type;
  throw new MoraineError(
    'NOT_ACCEPTABLE',
    `The request accepts ${String(headers.accept)}, and rows are ${[...ROW_TYPES.keys()].join(', ')}.`,
  );
}
