/** The media type of a body. */
import type { IncomingHttpHeaders } from 'node:http';

/** In lower case and without parameters; empty if the request names none. */
export function mediaTypeOf(headers: IncomingHttpHeaders): string {
  return headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}
