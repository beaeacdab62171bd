/** A materialization by several workers. */
import { startMaterialization, waitForRun } from '../../workers/index.js';
import type { BenchJob } from '../job.js';
import { dropTables, jobOfWorkers, type RunContext } from '../worker-runs.js';
import { makeFeatureTable, SHARED_SHAPES } from '../world.js';

const VIEW = 'shared';
/** Materialized first, so that every worker has begun to work. */
const WARM_UP = 'warm_up';

const onlineOf = (view: string) => ({ namespace: ['moraine_online'], name: view });

async function materialize({ temporal, settings }: RunContext, view: string, shards: number) {
  const started = await startMaterialization(temporal, settings, { view, shards });
  await waitForRun(temporal.client, started);
  return started;
}

export const shards: BenchJob = jobOfWorkers({
  name: 'shards',
  title:
    'A materialization by one, two and four workers with a quarter of a core each, in four parts and four shards, on tables in an S3 server; beside them one worker without parts.',
  async prepare(project, size) {
    await makeFeatureTable(project, VIEW, SHARED_SHAPES[size]);
    await makeFeatureTable(project, WARM_UP, { rows: 40_000, entities: 1_000, files: 4 });
  },
  // Their rows are in no file of a new one.
  clear: (project) => dropTables(project, [VIEW, WARM_UP].map(onlineOf)),
  warmUp: (context, pieces) => materialize(context, WARM_UP, pieces),
  run: (context, pieces) => materialize(context, VIEW, pieces),
  made: onlineOf(VIEW),
});
