import { replayHistories } from '../../testing/index.js';
import { type CommandContext, printJson } from '../context.js';
import { printable } from '../output/output.js';

/** Replays recorded histories on the workflow code of this version. */
export async function workflowReplay(
  context: CommandContext,
  operands: readonly string[],
  options: { readonly json?: boolean },
): Promise<void> {
  const replayed = await replayHistories(operands);
  if (options.json === true) await printJson(context, { replayed });
  else {
    const lines = replayed.map(({ file, events }) => `ok  ${printable(file)} (${events} events)\n`);
    await context.stdout.write(lines.join(''));
  }
}
