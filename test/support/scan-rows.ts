import { tableScan } from '../../cli/actions/table-scan.js';
import type { CommandContext } from '../../cli/context.js';

/** The lines of `moraine table scan`, run in this process. @param options without their dashes */
export async function scanRows(location: string, options: Readonly<Record<string, string>>): Promise<string[]> {
  const chunks: Uint8Array[] = [];
  const context = {
    globals: {},
    signal: new AbortController().signal,
    stdout: { write: async (chunk: Uint8Array) => void chunks.push(Buffer.from(chunk)) },
    note: () => undefined,
    progress: { update: () => undefined, clear: () => undefined, done: () => undefined },
  } as unknown as CommandContext;
  await tableScan(context, [location], options);
  const lines = Buffer.concat(chunks).toString('utf8').split('\n');
  return lines.filter((line) => line !== '');
}
