/** Where rows go and in which format: `--format` and `--out`. */
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { MoraineError } from '../errors/index.js';
import { ROW_FORMATS, type RowFormat } from './commands/options.js';
import type { CommandContext } from './context.js';
import { type Output, streamOutput } from './output.js';

export interface RowOutputOptions {
  readonly format?: RowFormat;
  readonly out?: string;
}

const EXTENSIONS = new Map<string, RowFormat>([
  ['.jsonl', 'jsonl'],
  ['.ndjson', 'jsonl'],
  ['.json', 'json'],
  ['.csv', 'csv'],
  ['.parquet', 'parquet'],
  ['.arrow', 'arrow'],
  ['.arrows', 'arrow'],
]);

/** The format: `--format`, else what the extension of `--out` says, else JSON Lines. */
export function rowFormat(options: RowOutputOptions): RowFormat {
  if (options.format !== undefined) return options.format;
  if (options.out === undefined) return 'jsonl';
  const format = EXTENSIONS.get(extname(options.out).toLowerCase());
  if (format !== undefined) return format;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `--out ${JSON.stringify(options.out)}: the extension tells no format; add --format ${ROW_FORMATS.join('|')}`,
  );
}

/**
 * Runs `write` with the output that the options ask for. A file appears under its name only when it is complete,
 * and replaces one of that name.
 */
export async function withRowOutput(
  context: CommandContext,
  options: RowOutputOptions,
  write: (output: Output) => Promise<void>,
): Promise<void> {
  if (options.out === undefined) {
    refuseBinaryOnTerminal(rowFormat(options));
    return write(context.stdout);
  }
  const path = resolve(options.out);
  const temporary = `${path}.${process.pid}.tmp`;
  const stream = createWriteStream(temporary, { flags: 'wx' });
  try {
    await write(streamOutput(stream));
    stream.end();
    await finished(stream);
    await rename(temporary, path);
  } catch (error) {
    stream.destroy();
    await rm(temporary, { force: true });
    if (!isSystemError(error)) throw error;
    throw new MoraineError('STORAGE_UNAVAILABLE', `cannot write ${path} in ${dirname(path)}: ${error.message}`, {
      cause: error,
    });
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

function refuseBinaryOnTerminal(format: RowFormat): void {
  if ((format !== 'parquet' && format !== 'arrow') || !process.stdout.isTTY) return;
  throw new MoraineError('INVALID_ARGUMENT', `${format} is binary; write it to a file with --out`);
}
