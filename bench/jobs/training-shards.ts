/** A training set by several workers. */
import { randomUUID } from 'node:crypto';
import type { Project } from '../../project/index.js';
import { startTrainingSet, waitForTrainingSet } from '../../workers/index.js';
import type { BenchJob } from '../job.js';
import { dropTables, jobOfWorkers, type RunContext } from '../worker-runs.js';
import { type FeatureTableShape, makeFeatureTable, makeFilledTable, SHARED_SHAPES, SPAN_DAYS } from '../world.js';

const VIEW = 'shared';
/** Retrieved first, so that every worker has begun to work. */
const WARM_UP = 'warm_up';

const setOf = (view: string) => ({ namespace: ['bench'], name: `${view}_set` });

/** Makes a feature table, its view, and the table of as many entity rows: of random entities, of which one in a hundred is unknown, at random times. */
async function makeTables(project: Project, view: string, shape: FeatureTableShape): Promise<void> {
  await makeFeatureTable(project, view, shape);
  const { rows, entities, files } = shape;
  const perFile = Math.ceil(rows / files);
  const selects = Array.from({ length: files }, (_, file) => {
    const [from, to] = [file * perFile, Math.min((file + 1) * perFile, rows)];
    return `SELECT (hash(n + 20000000000) % ${Math.ceil(entities * 1.01)})::BIGINT AS entity_id,
      TIMESTAMP '2026-01-01' + to_microseconds((hash(n + 21000000000) % ${SPAN_DAYS * 86_400_000})::BIGINT * 1000) AS event_timestamp,
      n::DOUBLE AS label FROM range(${from}, ${to}) t(n)`;
  });
  const columns = { entity_id: 'long', event_timestamp: 'timestamp', label: 'double' };
  await makeFilledTable(project, `${view}_labels`, columns, selects);
}

async function retrieve({ temporal, settings }: RunContext, view: string, shards: number) {
  const started = await startTrainingSet(temporal, settings, {
    // A name is taken once and for all.
    name: `set_${randomUUID().replaceAll('-', '_')}`,
    features: [view],
    entities: { table: `bench.${view}_labels` },
    to: `bench.${view}_set`,
    shards,
  });
  await waitForTrainingSet(temporal.client, started);
  return started;
}

export const trainingShards: BenchJob = jobOfWorkers({
  name: 'training-shards',
  title:
    'A training set of as many entity rows as its view has rows by one, two and four workers with a quarter of a core each, in parts and four shards, on tables in an S3 server; beside them one worker without parts.',
  async prepare(project, size) {
    await makeTables(project, VIEW, SHARED_SHAPES[size]);
    await makeTables(project, WARM_UP, { rows: 40_000, entities: 1_000, files: 4 });
  },
  clear: (project) => dropTables(project, [VIEW, WARM_UP].map(setOf)),
  warmUp: (context, pieces) => retrieve(context, WARM_UP, pieces),
  run: (context, pieces) => retrieve(context, VIEW, pieces),
  made: setOf(VIEW),
});
