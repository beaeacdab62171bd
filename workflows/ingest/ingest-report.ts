/** What the details, the queries and the result of an ingest say, over all of its workflow executions. */
import type {
  CarriedIngest,
  IngestBatch,
  IngestCounts,
  IngestSource,
  IngestStatus,
} from '../../activities/ingest-contract.js';
import { counted } from '../../errors/index.js';
import { type Change, Report, sum } from '../report.js';

interface IngestState {
  readonly progress: IngestStatus;
}

export type IngestReport = Report<IngestState>;

const NOTHING: IngestCounts = { rows: '0', commits: 0, rejected: {} };
const [BATCH_SIZE, BATCH_INTERVAL_MS] = [10_000, 10_000];

/** @param input as it came from outside: nothing has checked it yet */
export function ingestReport(input: unknown, carried: CarriedIngest | undefined): IngestReport {
  const { rows, commits, rejected } = carried?.counts ?? NOTHING;
  const first = { step: 'running', ...shownOf(input), ...carried?.batch, rows, commits, rejected } as const;
  return new Report<IngestState>({
    subject: `ingest into ${first.table}`,
    description: 'What was committed, and how batches are made.',
    first: { progress: first },
    lines,
  });
}

/** What is shown of a request that may be anything. */
function shownOf(input: unknown): Pick<IngestStatus, 'table' | 'name' | 'source' | 'batchSize' | 'batchIntervalMs'> {
  const { table, name, source, batchSize, batchIntervalMs } = (input ?? {}) as Readonly<Record<string, unknown>>;
  const shown = sourceOf((source ?? {}) as Readonly<Record<string, unknown>>);
  return {
    table: typeof table === 'string' ? table : '',
    name: typeof name === 'string' ? name : shown.kind === 'kafka' ? `kafka.${shown.topic}` : 'files',
    source: shown,
    batchSize: typeof batchSize === 'number' ? batchSize : BATCH_SIZE,
    batchIntervalMs: typeof batchIntervalMs === 'number' ? batchIntervalMs : BATCH_INTERVAL_MS,
  };
}

function sourceOf({ kind, files, cluster, topic }: Readonly<Record<string, unknown>>): IngestSource {
  if (kind === 'kafka') return { kind, cluster: String(cluster), topic: String(topic) };
  return { kind: 'files', files: Array.isArray(files) ? files.map(String) : [] };
}

const progressed =
  (change: (progress: IngestStatus) => Partial<IngestStatus>): Change<IngestState> =>
  ({ progress }) => ({ progress: { ...progress, ...change(progress) } });

export const stepBegan = (step: IngestStatus['step']) => progressed(() => ({ step }));

export const batchChanged = (batch: IngestBatch) => progressed(() => batch);

export const recordsWritten = ({ rows, commits, rejected }: IngestCounts) =>
  progressed((before) => ({
    rows: sum(before.rows, rows),
    commits: before.commits + commits,
    rejected: Object.fromEntries(
      [...new Set([...Object.keys(before.rejected), ...Object.keys(rejected)])].map((reason) => [
        reason,
        (before.rejected[reason] ?? 0) + (rejected[reason] ?? 0),
      ]),
    ),
  }));

/** The counts alone, for the result and for the next history. */
export const countsOf = ({ rows, commits, rejected }: IngestStatus): IngestCounts => ({ rows, commits, rejected });

function lines({ progress }: IngestState): readonly string[] {
  const { name, source, rows, commits, rejected, batchSize, batchIntervalMs } = progress;
  const left = Object.entries(rejected).map(([reason, count]) => `${reason} ${count}`);
  return [
    `- sink ${name}, ${sourceText(source)}`,
    `- batches of ${counted(batchSize, 'record')}, or of ${batchIntervalMs / 1000} s`,
    `- ${counted(rows, 'row')} in ${counted(commits, 'commit')}, by attempts that have ended`,
    ...(left.length === 0 ? [] : [`- left out: ${left.join(', ')}`]),
  ];
}

const sourceText = (source: IngestSource): string =>
  source.kind === 'kafka'
    ? `topic ${source.topic} of Kafka cluster ${source.cluster}`
    : counted(source.files.length, 'file');
