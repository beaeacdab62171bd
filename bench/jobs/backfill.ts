/** The cost of backfills besides reading: windows without rows, and how long histories and metadata become. */
import { type NewBackfill, startBackfill, waitForBackfill, withLocalRun } from '../../workers/index.js';
import { type BenchContext, type BenchJob, type BenchSize, figure } from '../job.js';
import { makeFeatureTable, openBenchProject } from '../world.js';

const NAME = 'backfill';
const MOST_SECONDS = 30;
const MOST_EVENTS = 10_000;
const SHAPE = { rows: 30_000, entities: 1_000, files: 30, inTimeOrder: true };
const HOUR_US = 3_600_000_000n;
/** The first row is of 2026-01-01. */
const FIRST_ROW_US = 1_767_225_600_000_000n;
const EMPTY_WINDOWS = 1_000;
/** Windows of an hour around the thirty days that hold rows: 720 windows of any number. */
const MANY_WINDOWS: Readonly<Record<BenchSize, number>> = { S: 2_000, M: 100_000 };

interface Measured {
  readonly windows: number;
  readonly commits: number;
  /** Events of the longest history of a workflow execution. */
  readonly events: number;
  readonly executions: number;
  readonly metadataBytes: number;
}

/** @param startUs first event time; windows of an hour from there on */
async function measured(
  context: BenchContext,
  startUs: bigint,
  windows: number,
  measure: <T>(body: () => Promise<T>) => Promise<T>,
): Promise<Measured> {
  const project = await openBenchProject(context.scratchFolder);
  await makeFeatureTable(project, 'readings', SHAPE);
  try {
    return await withLocalRun(project, async (local) => {
      const range = { startUs, endUs: startUs + BigInt(windows) * HOUR_US, stepUs: HOUR_US };
      const input: NewBackfill = { view: 'readings', ...asText(range), newestFirst: false, concurrency: 4 };
      const result = await measure(async () => {
        const run = await startBackfill(local, local.settings, input);
        return waitForBackfill(local.client, run);
      });
      const lengths = await historyLengths(local.client, result.workflowId);
      const online = await project.loadTable(`${project.config.online.namespace}.readings`);
      const { sizeBytes } = await project.io.stat(online.metadataLocation);
      return {
        windows: result.windows,
        commits: result.commits,
        events: Math.max(...lengths),
        executions: lengths.length,
        metadataBytes: sizeBytes,
      };
    });
  } finally {
    await project.close();
  }
}

const asText = ({ startUs, endUs, stepUs }: Record<'startUs' | 'endUs' | 'stepUs', bigint>) => ({
  startUs: String(startUs),
  endUs: String(endUs),
  stepUs: String(stepUs),
});

type Client = Parameters<Parameters<typeof withLocalRun>[1]>[0]['client'];

/** Of every execution of the backfill, the first one first. */
async function historyLengths(client: Client, workflowId: string): Promise<readonly number[]> {
  const lengths: number[] = [];
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    lengths.push(events?.length ?? 0);
  }
  return lengths.reverse();
}

export const backfill: BenchJob = {
  name: NAME,
  title:
    'Orchestration of backfills: 1,000 windows without rows; and 100,000 windows (2,000 in the small form), 720 of them with rows.',
  runs: 1,
  prepare: () => Promise.resolve(),
  variants: {
    async empty(context, measure) {
      // Long before the first row.
      const { windows } = await measured(context, -100_000n * HOUR_US, EMPTY_WINDOWS, measure);
      return { windows };
    },
    async many(context, measure) {
      const windows = MANY_WINDOWS[context.size];
      return { ...(await measured(context, FIRST_ROW_US - 100n * HOUR_US, windows, measure)) };
    },
  },
  figures(medians, size) {
    const { empty, many } = medians;
    if (empty === undefined || many === undefined) throw new Error('a variant was not measured');
    const { windows = 0, commits = 0, events = 0, executions = 0, metadataBytes = 0 } = many.extra;
    return [
      figure(NAME, size, `${EMPTY_WINDOWS} windows without rows`, empty.wallSeconds, 's', { atMost: MOST_SECONDS }),
      figure(NAME, size, `${windows} windows, 720 with rows`, many.wallSeconds, 's'),
      figure(NAME, size, 'events of its longest history', events, 'events', { atMost: MOST_EVENTS }),
      figure(NAME, size, 'its workflow executions', executions, 'executions'),
      figure(NAME, size, 'its commits', commits, 'commits'),
      figure(NAME, size, "the online table's metadata file afterwards", metadataBytes, 'bytes'),
    ];
  },
};
