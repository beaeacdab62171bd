/** The jobs of the bench, in the order in which they run. */
import type { BenchJob } from '../job.js';
import { appendCommits } from './append-commits.js';
import { backfill } from './backfill.js';
import { compact } from './compact.js';
import { compactPlan } from './compact-plan.js';
import { feast } from './feast.js';
import { growth } from './growth.js';
import { historical } from './historical.js';
import { historicalDeletes } from './historical-deletes.js';
import { historicalMemory } from './historical-memory.js';
import { historicalSkew } from './historical-skew.js';
import { http } from './http.js';
import { httpBeside } from './http-beside.js';
import { manyEntities } from './many-entities.js';
import { materialize } from './materialize.js';
import { onlineReads } from './online.js';
import { onlineHours } from './online-hours.js';
import { onlineStore } from './online-store.js';
import { onlineWrite } from './online-write.js';
import { plan, planCold } from './plan.js';
import { positionDeletes } from './position-deletes.js';
import { pushes } from './pushes.js';
import { scale, scaleBeyond, scaleParts, scalePartsBeyond } from './scale.js';
import { shards } from './shards.js';
import { sink } from './sink.js';
import { sinkHour } from './sink-hour.js';
import { sinkKafkaJob } from './sink-kafka.js';
import { sinkRecords } from './sink-records.js';
import { sinkServing } from './sink-serving.js';
import { sinkUpsert } from './sink-upsert.js';
import { storeMaterialize, storePlan, storeRead } from './store.js';
import { storeCommit } from './store-commit.js';
import { trainingShards } from './training-shards.js';
import { trino } from './trino.js';
import { wideView } from './wide-view.js';
import { workflowOverhead } from './workflow-overhead.js';

export const JOBS: readonly BenchJob[] = [
  materialize,
  manyEntities,
  workflowOverhead,
  appendCommits,
  plan,
  planCold,
  historical,
  historicalDeletes,
  positionDeletes,
  historicalMemory,
  historicalSkew,
  wideView,
  feast,
  compact,
  compactPlan,
  backfill,
  growth,
  onlineReads,
  onlineHours,
  onlineStore,
  onlineWrite,
  http,
  httpBeside,
  pushes,
  sink,
  sinkHour,
  sinkRecords,
  sinkKafkaJob,
  sinkServing,
  sinkUpsert,
  storePlan,
  storeRead,
  storeMaterialize,
  storeCommit,
  scale,
  scaleBeyond,
  scaleParts,
  scalePartsBeyond,
  shards,
  trainingShards,
  trino,
];

/** The job of that name. */
export function jobByName(name: string): BenchJob {
  const job = JOBS.find((candidate) => candidate.name === name);
  if (job === undefined) throw new Error(`no job ${name}; the jobs are ${JOBS.map((one) => one.name).join(', ')}`);
  return job;
}
