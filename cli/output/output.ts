/** Writing to standard output with back-pressure; a reader that has gone (`| head`) ends the command quietly. */

import type { Writable } from 'node:stream';
import { largest, MoraineError } from '../../errors/index.js';
import { styled } from './style.js';

/** Whoever read the output has gone: nothing is left to do, and nothing is wrong. */
export class OutputClosedError extends Error {
  constructor() {
    super('the output was closed');
    this.name = 'OutputClosedError';
  }
}

/** Where a command puts its result: text or bytes. */
export interface Output {
  /** Resolves when more may be written; rejects with {@link OutputClosedError} when the reader has gone. */
  write(chunk: string | Uint8Array): Promise<void>;
}

/** An output on a stream such as `process.stdout`. */
export function streamOutput(stream: Writable): Output {
  let failure: Error | undefined;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    const isClosed = error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED';
    failure ??= isClosed ? new OutputClosedError() : notWritten(error);
  });
  return {
    write: (chunk) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) {
          reject(failure);
          return;
        }
        stream.write(chunk, (error) => {
          if (error === null || error === undefined) resolve();
          else setImmediate(() => reject(failure ?? error));
        });
      }),
  };
}

function notWritten(cause: Error): MoraineError {
  const message = `standard output cannot be written: ${cause.message}`;
  return new MoraineError('STORAGE_UNAVAILABLE', message, {
    cause,
    remedy: 'Make room on the disk that it goes to, or send it elsewhere; then run the command again.',
  });
}

/** JSON on one line; 64-bit integers become strings, since few readers of JSON keep them exact. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return inner.toString();
    return inner instanceof Map ? Object.fromEntries(inner as Map<string, unknown>) : inner;
  });
}

/** A heading of a column with numbers, which are right-aligned. */
interface NumberHeading {
  readonly number: string;
}

/** Lines of columns under their headings; text is left-aligned. */
export function formatColumns(
  headings: readonly (string | NumberHeading)[],
  rows: readonly (readonly string[])[],
): string {
  const names = headings.map((heading) => (typeof heading === 'string' ? heading : heading.number));
  const all = [names, ...rows].map((row) => row.map(printable));
  const widths = headings.map((_, column) => largest(all.map((row) => (row[column] ?? '').length)));
  const padded = (cell: string, column: number): string => {
    const width = widths[column] ?? 0;
    return typeof headings[column] === 'string' ? cell.padEnd(width) : cell.padStart(width);
  };
  const [heading = '', ...lines] = all.map((row) => row.map(padded).join('  ').trimEnd());
  return [styled(process.stdout, 'bold', heading), ...lines].map((line) => `${line}\n`).join('');
}

/** A line for each fact: its name, then its value. */
export function formatFacts(facts: readonly (readonly [name: string, value: string])[]): string {
  const width = largest(facts.map(([name]) => printable(name).length)) + 2;
  return facts.map(([name, value]) => `${printable(name).padEnd(width)}${printable(value)}\n`).join('');
}

/** Text that cannot move the cursor or forge a line: control characters are shown as escapes. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    const escaped = JSON.stringify(character).slice(1, -1);
    return escaped === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : escaped;
  });
}
