import { type ReplayDeadLettersOptions, replayDeadLetters } from '../../client/index.js';
import { countedText } from '../../errors/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { timesOf, upsertOf } from '../options/record-mapping.js';
import { printable } from '../output/output.js';
import { commitReporter, reasonsText, supersededText } from '../output/sink-report.js';

interface SinkReplayOptions
  extends Pick<
    ReplayDeadLettersOptions,
    'table' | 'batchSize' | 'dryRun' | 'abandonLost' | 'rest' | 'raw' | 'extraFields'
  > {
  /** Paths by column. */
  readonly field?: Readonly<Record<string, string>>;
  readonly time?: Readonly<Record<string, string>>;
  /** Columns of the key. */
  readonly upsert?: string;
  readonly order?: string;
  readonly json?: boolean;
}

/** Makes rows of the dead letters that fit their table now. */
export async function sinkReplay(
  context: CommandContext,
  operands: readonly string[],
  { field, time, upsert, order, json, ...options }: SinkReplayOptions,
): Promise<void> {
  const [deadLetters = ''] = operands;
  const times = timesOf(time);
  await withProject(context, async (project) => {
    const result = await replayDeadLetters(project, deadLetters, {
      ...{ ...options, fields: field, times, upsert: upsertOf(upsert, order), signal: context.signal },
      onBatch: commitReporter(context, { rejected: 'still no row', rows: 'replayed' }),
      onNotice: (text) => context.note(text),
    });
    context.progress.clear();
    const dryRun = options.dryRun === true;
    if (json === true) {
      await printJson(context, {
        deadLetters,
        ...result,
        rows: Number(result.rows),
        superseded: Number(result.superseded),
        dryRun,
      });
      return;
    }
    const { table, snapshotId, commits, superseded, left, isInterrupted } = result;
    if (table === null) await context.stdout.write(`${printable(deadLetters)}: nothing to replay.\n`);
    else if (dryRun)
      await context.stdout.write(
        `${printable(table)}: ${countedText(result.rows, 'dead letter')} would become rows.\n`,
      );
    else if (snapshotId === null) await context.stdout.write(`${printable(table)}: no dead letter fits it yet.\n`);
    else
      await context.stdout.write(
        `${printable(table)}: replayed ${countedText(result.rows, 'row')} in ${countedText(commits, 'commit')}, snapshot ${snapshotId}.\n`,
      );
    await context.stdout.write(supersededText(superseded, 'dead letter'));
    const reasons = reasonsText(left);
    if (reasons !== null) await context.stdout.write(`Still no rows: ${reasons}.\n`);
    if (isInterrupted) context.note('It was interrupted: run the command again to go on from there.');
  });
}
