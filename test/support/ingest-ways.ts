/** Ways of ingests. */
import { Context } from '@temporalio/activity';
import type { IngestActivities, IngestCounts, IngestSource } from '../../activities/ingest-contract.js';
import { failureOf } from './scripted-activities.js';
import { cancelled, scripted, type Way } from './way.js';

type Step = IngestActivities['writeRecords'];

const COUNTS: IngestCounts = { rows: '10', commits: 1, rejected: { WRONG_TYPE: 2 } };

/** The workflow that this step belongs to. */
function own() {
  const { client, info } = Context.current();
  return client.workflow.getHandle(info.workflowExecution?.workflowId ?? '');
}

/** As a sink does: it ends when it is told to. */
async function untilStopped(): Promise<IngestCounts> {
  const timer = setInterval(() => Context.current().heartbeat(), 100);
  await Context.current().cancelled.catch(() => undefined);
  clearInterval(timer);
  return COUNTS;
}

/** Attempts that follow the source, each with what is said during it; one that writes to the ends. */
function attempts(...said: readonly (() => Promise<unknown>)[]): Step {
  let calls = 0;
  return async ({ until }) => {
    if (until === 'ends') return COUNTS;
    const say = said[calls];
    calls += 1;
    await say?.();
    return untilStopped();
  };
}

export function ingestWays(): readonly Way[] {
  const log: IngestSource = { kind: 'files', files: ['/log'] };
  const way = (name: string, ingest: Step, outcome = 'completed', source: IngestSource = log): Way => ({
    workflow: 'ingest',
    name,
    input: (table) => ({ table: `demo.${table}`, source }),
    activities: scripted({ ingest }),
    outcome,
  });
  const drain = () => own().signal('drain');
  return [
    way('drained', attempts(drain)),
    way('topic-drained', attempts(drain), 'completed', { kind: 'kafka', cluster: 'prod', topic: 'uplinks' }),
    way(
      'spoken-to',
      attempts(
        async () => {
          await own().signal('pause');
          await own().signal('resume');
        },
        () => own().executeUpdate('changeBatch', { args: [{ batchSize: 5 }] }),
        drain,
      ),
    ),
    way(
      'failed',
      async () => {
        throw failureOf('SINK_FENCED', true);
      },
      'SINK_FENCED',
    ),
    way(
      'cancelled',
      attempts(() => cancelled(undefined)),
      'CANCELLED',
    ),
  ];
}
