/** `features logged` and `features log-compare`. */

import { compareLog, withLoggedFeatures } from '../../client/index.js';
import { formatTimeUs, parseTimeUs } from '../../config/index.js';
import { writeRows } from '../../engine/index.js';
import { countText, MoraineError } from '../../errors/index.js';
import {
  CAUSES,
  type ComparisonProgress,
  DIFFERENCES,
  type DifferenceExample,
  type LogComparison,
} from '../../logging/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { noteSummary, snapshotIds } from '../output/feature-summary.js';
import { formatColumns } from '../output/output.js';
import { type RowOutputOptions, rowFormat, withRowOutput } from '../output/row-output.js';

interface WindowOptions {
  readonly start?: string;
  readonly end?: string;
}

interface LoggedOptions extends RowOutputOptions, WindowOptions {
  readonly json?: boolean;
}

/** Prints what was served for a service. */
export async function featuresLogged(
  context: CommandContext,
  [service = '']: readonly string[],
  options: LoggedOptions,
): Promise<void> {
  const format = rowFormat(options);
  const request = { service, ...windowOf(options), signal: context.signal };
  await withProject(context, (project) =>
    withLoggedFeatures(project, request, async ({ connection, select, schema, snapshot }) => {
      await withRowOutput(context, options, async (output) => {
        await writeRows(connection, select, schema, format, output);
      });
      noteSummary(context, options.json, { snapshot: snapshot?.snapshotId ?? null });
    }),
  );
}

interface CompareOptions extends WindowOptions {
  readonly examples?: number;
  readonly check?: boolean;
  readonly json?: boolean;
}

/** Prints what differs between served and retrieved features, and why. */
export async function featuresLogCompare(
  context: CommandContext,
  [service = '']: readonly string[],
  options: CompareOptions,
): Promise<void> {
  const { examples } = options;
  const request = {
    service,
    ...windowOf(options),
    signal: context.signal,
    onProgress: ({ rows, totalRows }: ComparisonProgress) =>
      context.progress.update(`compared ${countText(rows)} of ${countText(totalRows)} rows`),
    ...(examples === undefined ? {} : { examples }),
  };
  await withProject(context, async (project) => {
    const comparison = await compareLog(project, request);
    context.progress.clear();
    if (options.json === true)
      await printJson(context, { ...comparisonJson(comparison), storageTraffic: context.storageTraffic() });
    else await context.stdout.write(comparisonText(comparison));
    if (options.check !== true || comparison.matches) return;
    const message = `Of ${comparison.rows} logged rows of '${service}', some have served values that retrieval does not give.`;
    throw new MoraineError('VERIFICATION_FAILED', message);
  });
}

function windowOf({ start, end }: WindowOptions): { readonly startUs?: bigint; readonly endUs?: bigint } {
  return {
    ...(start === undefined ? {} : { startUs: parseTimeUs(start, '--start') }),
    ...(end === undefined ? {} : { endUs: parseTimeUs(end, '--end') }),
  };
}

const timeOrNull = (us: bigint | null): string | null => (us === null ? null : formatTimeUs(us));

function comparisonJson({ sources, examples, ...comparison }: LogComparison): object {
  return {
    ...comparison,
    snapshots: snapshotIds(sources),
    examples: examples.map(({ eventTimestampUs, servedEventTimestampUs, offlineEventTimestampUs, ...example }) => ({
      ...example,
      eventTimestamp: formatTimeUs(eventTimestampUs),
      servedEventTimestamp: timeOrNull(servedEventTimestampUs),
      offlineEventTimestamp: timeOrNull(offlineEventTimestampUs),
    })),
  };
}

function comparisonText({ rows, features, examples, undatable }: LogComparison): string {
  const differences = features.flatMap(({ name, ...feature }) =>
    DIFFERENCES.flatMap((difference) =>
      CAUSES.flatMap((cause) => {
        const count = feature[difference][cause];
        return count === 0 ? [] : [[name, difference, cause, countText(count)]];
      }),
    ),
  );
  const summary = features.map(({ name, match, mismatch, missing, extra, notLogged }) => [
    name,
    ...[match, mismatch.total, missing.total, extra.total, notLogged].map((count) => countText(count)),
  ]);
  const parts = [
    `${countText(rows)} logged rows\n`,
    formatColumns(
      ['feature', ...['match', 'mismatch', 'missing', 'extra', 'not logged'].map((number) => ({ number }))],
      summary,
    ),
  ];
  if (differences.length > 0)
    parts.push(formatColumns(['feature', 'difference', 'cause', { number: 'values' }], differences));
  if (examples.length > 0) parts.push(exampleText(examples));
  if (undatable > 0) parts.push(`${undatable} values may be late: their sources' snapshots have been expired.\n`);
  return parts.join('\n');
}

function exampleText(examples: readonly DifferenceExample[]): string {
  const at = (value: string | null, time: bigint | null) => [value ?? '-', time === null ? '-' : formatTimeUs(time)];
  return formatColumns(
    ['entity', 'at', 'feature', 'cause', 'served', 'of', 'offline', 'of'],
    examples.map((example) => [
      [...example.entity].map(([key, value]) => `${key}=${value ?? 'null'}`).join(','),
      formatTimeUs(example.eventTimestampUs),
      example.feature,
      example.cause,
      ...at(example.served, example.servedEventTimestampUs),
      ...at(example.offline, example.offlineEventTimestampUs),
    ]),
  );
}
