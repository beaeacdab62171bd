/** The ways that the workflows can take: for recording their histories. */
import { backfillWays } from './backfill-ways.js';
import { ingestWays } from './ingest-ways.js';
import { extractedShard, plannedRun, plannedTrainingSet, reducedPart } from './scripted-activities.js';
import { compactWays, maintainTablesWays, maintainWays } from './upkeep-ways.js';
import { cancelled, failing, failingOnce, type Steps, scripted, untilGivenUp, type Way } from './way.js';

/** Every way of every workflow. The scripts count their calls, so that each is to be used once. */
export function workflowWays(): readonly Way[] {
  return [
    ...materializeWays(),
    ...trainingSetWays(),
    ...backfillWays(),
    ...compactWays(),
    ...maintainWays(),
    ...maintainTablesWays(),
    ...ingestWays(),
  ];
}

function materializeWays(): readonly Way[] {
  const way = (name: string, steps: Steps, outcome = 'completed'): Way => ({
    workflow: 'materialize',
    name,
    input: (view) => ({ view }),
    runId: (view) => `materialize/${view}/incremental`,
    activities: scripted(steps),
    outcome,
  });
  const conflict = failingOnce('COMMIT_CONFLICT', () => ({ snapshotId: '12', outcome: 'committed' as const }));
  return [
    way('three-shards', { plan: async () => plannedRun(3) }),
    way('two-parts', { plan: async () => plannedRun(2, { parts: 2 }) }),
    way(
      'failed-in-parts',
      { plan: async () => plannedRun(2, { parts: 2 }), extract: failing('DATA_FILE_CORRUPT') },
      'DATA_FILE_CORRUPT',
    ),
    way('slow-part', {
      plan: async () => plannedRun(2, { parts: 2, partsAlike: true }),
      reduce: slowOnce(1, reducedPart),
    }),
    way('nothing-new', { plan: async () => plannedRun(0, { kind: 'nothing', reason: 'nothing new' }) }),
    way('conflict', { commit: conflict }),
    way('stale-plan', {
      plan: async () => plannedRun(1, { parts: 1 }),
      reduce: failingOnce('PLAN_STALE', reducedPart),
    }),
    way('failed', { extract: failing('DATA_FILE_CORRUPT') }, 'DATA_FILE_CORRUPT'),
    way('cancelled-in-last-shard', { extract: (shard) => cancelled(extractedShard(shard)) }, 'CANCELLED'),
    way('cancelled-in-commit', { commit: () => cancelled({ snapshotId: '11', outcome: 'committed' as const }) }),
  ];
}

/** A step that a worker is slow with, and another one not. */
function slowOnce<Answer>(piece: number, answer: (piece: number) => Answer): (piece: number) => Promise<Answer> {
  let calls = 0;
  return async (asked) => {
    if (asked === piece) calls += 1;
    return asked === piece && calls === 1 ? await untilGivenUp() : answer(asked);
  };
}

function trainingSetWays(): readonly Way[] {
  const way = (name: string, steps: Steps, outcome = 'completed'): Way => ({
    workflow: 'trainingSet',
    name,
    input: (set) => ({ name: set, features: ['v'], entities: { table: 'demo.labels' }, to: 'demo.set' }),
    activities: scripted(steps),
    outcome,
  });
  return [
    way('two-shards-pinned', { planTraining: async () => plannedTrainingSet(2, { pin: true }) }),
    way('two-parts', { planTraining: async () => plannedTrainingSet(2, { parts: 2 }) }),
    way(
      'failed-in-parts',
      { planTraining: async () => plannedTrainingSet(2, { parts: 2 }), reduceTraining: failing('DATA_FILE_CORRUPT') },
      'DATA_FILE_CORRUPT',
    ),
    way('recorded-only', { planTraining: async () => plannedTrainingSet(0) }),
    way('failed', { stageTraining: failing('DATA_FILE_CORRUPT') }, 'DATA_FILE_CORRUPT'),
  ];
}
