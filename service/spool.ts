/** Bodies that are kept in a file, since they may be larger than memory should hold. */
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { MoraineError } from '../errors/index.js';
import { withinTime } from '../processes/index.js';

export interface SpoolLimits {
  readonly maxBytes: number;
  /** Milliseconds within which the next part must arrive. */
  readonly idleMs: number;
  /** From `idleMs` after the beginning on, at least this many must have arrived for each further second. */
  readonly bytesPerSecond: number;
}

/**
 * Writes a body to a file. The connection stays open after an error, so that it can be answered.
 * @throws LIMIT_EXCEEDED as soon as it is too large; REQUEST_TIMED_OUT; INVALID_ARGUMENT if it is empty
 */
export async function spoolBody(body: Readable, path: string, limits: SpoolLimits): Promise<void> {
  const { maxBytes, idleMs, bytesPerSecond } = limits;
  const file = await open(path, 'wx', 0o600);
  const beganAtMs = performance.now();
  let bytes = 0;
  try {
    const parts = body.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
    for (;;) {
      const leftMs = beganAtMs + idleMs + (bytes / bytesPerSecond) * 1000 - performance.now();
      const part = await withinTime(parts.next(), Math.max(0, Math.min(idleMs, leftMs)), tooLate);
      if (part.done === true) break;
      bytes += part.value.length;
      if (bytes > maxBytes) throw bodyTooLarge(maxBytes);
      await file.writeFile(part.value);
    }
  } finally {
    await file.close();
  }
  if (bytes === 0) throw new MoraineError('INVALID_ARGUMENT', 'The request has no body.');
}

const tooLate = (): MoraineError =>
  new MoraineError('REQUEST_TIMED_OUT', 'The body does not arrive, or too slowly (server.requestTimeoutMs).');

export function bodyTooLarge(maxBytes: number): MoraineError {
  const message = `The body of the request is too large: it may have ${maxBytes / 2 ** 20} MiB.`;
  return new MoraineError('LIMIT_EXCEEDED', message, { remedy: 'Send fewer entities or rows at once.' });
}
