import { withPulledFeatures } from '../../client/index.js';
import { parseTimeUs } from '../../config/index.js';
import { writeRows } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import type { HistoricalAsOf, PullRequest, PullSource } from '../../features/index.js';
import { type CommandContext, withProject } from '../context.js';
import { type AsOfOptions, chosenStates } from '../options/as-of-option.js';
import { sqlTables } from '../options/entities-option.js';
import { noteSummary, snapshotIds } from '../output/feature-summary.js';
import { type RowOutputOptions, rowFormat, withRowOutput } from '../output/row-output.js';

interface FeaturesPullOptions extends RowOutputOptions, AsOfOptions {
  readonly sql?: string;
  readonly table?: readonly string[];
  readonly keys?: string;
  readonly features?: string;
  readonly timestamp: string;
  readonly created?: string;
  readonly start?: string;
  readonly end?: string;
  readonly json?: boolean;
}

/** Prints every row of a source. */
export const featuresPullAll = (context: CommandContext, operands: readonly string[], options: FeaturesPullOptions) =>
  pull('all', context, operands, options);

/** Prints the newest row of each entity of a source. */
export const featuresPullLatest = (
  context: CommandContext,
  operands: readonly string[],
  options: FeaturesPullOptions,
) => pull('latest', context, operands, options);

async function pull(
  kind: 'all' | 'latest',
  context: CommandContext,
  [table]: readonly string[],
  options: FeaturesPullOptions,
): Promise<void> {
  const format = rowFormat(options);
  const request = pullRequest(table, options, context.signal);
  await withProject(context, (project) =>
    withPulledFeatures(
      project,
      kind,
      request,
      async ({ connection, select, schema, sources, filesRead, filesSkipped }) => {
        let rows = 0n;
        await withRowOutput(context, options, async (output) => {
          rows = await writeRows(connection, select, schema, format, output);
        });
        noteSummary(context, options.json, { rows, snapshots: snapshotIds(sources), filesRead, filesSkipped });
      },
    ),
  );
}

function pullRequest(table: string | undefined, options: FeaturesPullOptions, signal: AbortSignal): PullRequest {
  const { features, created, start, end } = options;
  return {
    source: pullSource(table, options, chosenStates(options).sources),
    joinKeys: options.keys === undefined ? [] : names('--keys', options.keys),
    ...(features === undefined ? {} : { features: names('--features', features) }),
    timestampField: options.timestamp,
    ...(created === undefined ? {} : { createdTimestampField: created }),
    ...(start === undefined ? {} : { startUs: parseTimeUs(start, '--start') }),
    ...(end === undefined ? {} : { endUs: parseTimeUs(end, '--end') }),
    signal,
  };
}

function pullSource(
  table: string | undefined,
  options: FeaturesPullOptions,
  asOf: HistoricalAsOf | undefined,
): PullSource {
  const state = asOf === undefined ? {} : { asOf };
  if ((table === undefined) === (options.sql === undefined)) {
    throw new MoraineError('INVALID_ARGUMENT', 'give a table or --sql');
  }
  const tables = sqlTables(options.table ?? [], options.sql !== undefined);
  if (options.sql !== undefined) return { query: { sql: options.sql, tables }, ...state };
  return { table: table ?? '', ...state };
}

function names(option: string, text: string): readonly string[] {
  const list = text.split(',').map((name) => name.trim());
  if (!list.includes('')) return list;
  throw new MoraineError('INVALID_ARGUMENT', `${option} ${JSON.stringify(text)}: a name is missing`);
}
