/** The activity of `ingest`: a sink that runs until it is told to end. */
import { Context } from '@temporalio/activity';
import type { Project } from '../project/index.js';
import { readThenClose, type SinkAttempt } from '../sink/index.js';
import type { IngestActivities, IngestCounts } from './ingest-contract.js';
import { type IngestRequest, parseIngestRequest } from './ingest-request.js';
import { type HowLong, openIngestSource } from './ingest-sources.js';
import { asActivity, workNamed } from './step.js';

/** An attempt ends so that the history can go on in a new one. */
const ATTEMPT_MS = 86_400_000;

export function createIngestActivities(project: Project): IngestActivities {
  return {
    writeRecords: ({ request, batch, until }) =>
      asActivity(async ({ signal }) => {
        const checked = { ...parseIngestRequest(request), ...batch };
        if (until === 'stopped') {
          const attempt = AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_MS)]);
          return (await write(project, checked, { until, signal: attempt })).counts;
        }
        const { isThrough, counts } = await write(project, checked, { until, signal });
        // Another attempt goes on.
        if (!isThrough) signal.throwIfAborted();
        return counts;
      }),
  };
}

async function write(
  project: Project,
  request: IngestRequest,
  howLong: HowLong,
): Promise<{ readonly isThrough: boolean; readonly counts: IngestCounts }> {
  const { log } = Context.current();
  const onNotice = (text: string): void => {
    log.warn(text);
  };
  const { sink, source } = await openIngestSource(project, request, ownAttempt(), { ...howLong, onNotice });
  try {
    const isThrough = await readThenClose(sink, () => source.read());
    const { committedRows, committedBatches, rejected } = sink.metrics();
    return { isThrough, counts: { rows: String(committedRows), commits: committedBatches, rejected } };
  } finally {
    await source.close();
  }
}

/**
 * This attempt among those of all runs of its workflow: a run starts its activities one after the other and numbers them, and begins when the one before has ended. Its
 * activities are asked for by the clock of the server.
 */
function ownAttempt(): SinkAttempt {
  const { info } = Context.current();
  const { workflowId = '', runId: id = '' } = info.workflowExecution ?? {};
  const run = { id, askedAtMs: info.scheduledTimestampMs };
  const work = workNamed(info.namespace, workflowId);
  return { work, order: [Number(info.activityId), info.attempt], run };
}
