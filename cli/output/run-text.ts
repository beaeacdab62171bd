/** A run as text for people. */

import { countedText, countText, durationText, largest, sizeText, trafficText } from '../../errors/index.js';
import type { Run, RunStep } from '../../runs/index.js';
import { formatColumns, printable } from './output.js';
import { queryText } from './query-text.js';

/** Steps that are shown: the first ones, and more of the last ones, since those that matter are in flight. */
const FIRST_STEPS = 3;
const LAST_STEPS = 17;

/** Everything about a run, in lines. */
export function formatRun(run: Run): string {
  return [facts(run), steps(run.steps), retries(run.steps)].filter((part) => part !== '').join('\n');
}

function facts(run: Run): string {
  const { workflowId, workflow, status, startedAt, elapsedMs, view, table, joined, commits, outcome, blocked } = run;
  const { storageTraffic } = run;
  const lines: (readonly [string, string])[] = [
    ['run', workflowId],
    ['workflow', `${workflow} (${run.runId})`],
    ['status', `${status.toLowerCase()}, ${durationText(elapsedMs)} since ${startedAt}`],
    ...(run.firstStartedAt === null || run.firstStartedAt === startedAt
      ? []
      : [['began', `${run.firstStartedAt}, in an earlier execution`] as const]),
    ...(blocked === null ? [] : [['blocked', blocked] as const]),
    ...(view === null ? [] : [['view', view] as const]),
    ...(table === null ? [] : [['table', table] as const]),
    ...joined.map((id) => ['joined', `${id}  (moraine run show ${id})`] as const),
    ...Object.entries(run.progress ?? {})
      .filter(([, value]) => tells(value))
      .map(([name, value]) => [name, valueText(name, value, run.rates[name])] as const),
    ...commits.map(
      ({ snapshotId, table: of }) => ['committed', `snapshot ${snapshotId}${of === null ? '' : ` of ${of}`}`] as const,
    ),
    ...Object.entries(run.signals).map(
      ([name, count]) => ['signals', `${name}, ${countedText(count, 'time')}`] as const,
    ),
    ...(storageTraffic === null ? [] : [['storage', trafficText(storageTraffic)] as const]),
    ...(outcome === null ? [] : outcomeLines(outcome)),
  ];
  const width = largest(lines.map(([name]) => name.length)) + 2;
  return lines.map(([name, value]) => `${printable(name).padEnd(width)}${printable(value)}\n`).join('');
}

/** Not what there is none of, such as failed windows. */
function tells(value: unknown): boolean {
  return value !== null && !(Array.isArray(value) && value.length === 0);
}

function valueText(name: string, value: unknown, rate: number | undefined): string {
  const shown =
    typeof value === 'string' || typeof value === 'number' ? quantityText(name, value) : JSON.stringify(value);
  return rate === undefined ? shown : `${shown} (${rate < 10 ? rate.toFixed(1) : Math.round(rate)} a second)`;
}

/** A value of a run's progress or result; its name says what kind of quantity it is. */
function quantityText(name: string, value: string | number): string {
  if (!/^\d+$/.test(String(value)) || name.endsWith('Id')) return String(value);
  if (name.toLowerCase().startsWith('bytes') || name.endsWith('Bytes')) return sizeText(value);
  return name.endsWith('Ms') ? durationText(Number(value)) : countText(value);
}

/** A line for each member of the result. */
function outcomeLines(outcome: NonNullable<Run['outcome']>): [string, string][] {
  if (outcome.status === 'failed') return [['outcome', `${outcome.code}: ${outcome.message}`]];
  const { result } = outcome;
  const said = Object.entries(result ?? {}).filter(([, value]) => tells(value));
  return [
    ['outcome', outcome.status],
    ...said.map(([name, value]): [string, string] => [`  ${name}`, valueText(name, value, undefined)]),
  ];
}

function steps(all: readonly RunStep[]): string {
  if (all.length === 0) return '';
  const left = all.length - FIRST_STEPS - LAST_STEPS;
  const row = ({ name, state, attempts, startedAt, endedAt, query }: RunStep): string[] => {
    const ms = (endedAt === null ? Date.now() : Date.parse(endedAt)) - Date.parse(startedAt);
    const now = query === null ? '' : `  (${queryText(query)})`;
    return [state, String(attempts), durationText(ms), `${name}${now}`];
  };
  const rows =
    left <= 0
      ? all.map(row)
      : [
          ...all.slice(0, FIRST_STEPS).map(row),
          ['..', '', '', `${left} more`],
          ...all.slice(FIRST_STEPS + left).map(row),
        ];
  return formatColumns(['STATE', { number: 'TRIES' }, { number: 'TOOK' }, 'STEP'], rows);
}

/** The steps that are being tried again or have failed, and why. */
function retries(all: readonly RunStep[]): string {
  return all
    .filter(({ failure }) => failure !== null)
    .slice(-LAST_STEPS)
    .map(({ name, state, attempts, failure, retriesAt }) => {
      const again = state === 'retrying' && retriesAt !== null ? `, again at ${retriesAt}` : '';
      return `${printable(name)}: attempt ${attempts}, ${state}${again}\n  ${printable(failure ?? '')}\n`;
    })
    .join('');
}

/** A run in one line, for where lines cannot be drawn anew. */
export const runLine = (run: Run): string => `${durationText(run.elapsedMs)}: ${runState(run)}`;

/** Where a run stands: equal as long as nothing happens. */
export function runState({ status, step, steps: all, commits, blocked }: Run): string {
  const done = all.filter(({ state }) => state === 'done').length;
  const retrying = all.filter(({ state }) => state === 'retrying').length;
  const parts = [
    status.toLowerCase(),
    ...(step === null ? [] : [step]),
    `${done} of ${all.length} steps done`,
    ...(retrying === 0 ? [] : [`${retrying} tried again`]),
    ...(blocked === null ? [] : [`blocked: ${blocked}`]),
    ...(commits.length === 0 ? [] : [`${commits.length} committed`]),
  ];
  return printable(parts.join(', '));
}
