/** Where rows go and in which format: `--format` and `--out`. */
import { rowFormatOf, writeWholeFile } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import { ROW_FORMATS, type RowFormat } from '../commands/options.js';
import type { CommandContext } from '../context.js';
import type { Output } from './output.js';

export interface RowOutputOptions {
  readonly format?: RowFormat;
  readonly out?: string;
}

/** The format: `--format`, else what the extension of `--out` says, else JSON Lines. */
export function rowFormat(options: RowOutputOptions): RowFormat {
  if (options.format !== undefined) return options.format;
  if (options.out === undefined) return 'jsonl';
  const format = rowFormatOf(options.out);
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
  await writeWholeFile(options.out, write);
}

function refuseBinaryOnTerminal(format: RowFormat): void {
  if ((format !== 'parquet' && format !== 'arrow') || !process.stdout.isTTY) return;
  throw new MoraineError('INVALID_ARGUMENT', `${format} is binary; write it to a file with --out`);
}
