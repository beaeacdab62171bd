/** Runs some of whose workers are slow, though not lost: their heartbeats come, and their work does not end. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { expect, test } from 'vitest';
import { showRun } from '../../runs/index.js';
import { startMaterialization, startTrainingSet, waitForRun, waitForTrainingSet } from '../../workers/index.js';
import { rejectionCode } from '../support/error-code.js';
import { gate } from '../support/gate.js';
import {
  extractedShard,
  failureOf,
  plannedRun,
  plannedTrainingSet,
  reducedPart,
  scriptedActivities,
  stagedShard,
} from '../support/scripted-activities.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import { untilGivenUp } from '../support/way.js';

const newView = (): string => `view_${randomUUID().slice(0, 8)}`;

test('what a slow worker has not done another one does as well; who ends first counts, and once', async () => {
  const settings = testSettings();
  const seen: string[] = [];
  const slowly = (name: string): Promise<never> => untilGivenUp().finally(() => seen.push(`${name} was given up`));
  const runs = new Map<string, number>();
  const runOf = (name: string): number => {
    runs.set(name, (runs.get(name) ?? 0) + 1);
    return runs.get(name) ?? 0;
  };
  const again = gate();
  const scripted = scriptedActivities({
    plan: async () => plannedRun(2),
    reduce: async (part) => {
      if (part === 1 && runOf('part') === 1) return await slowly('the first run of the part');
      return reducedPart(part);
    },
    extract: async (shard) => {
      if (shard === 0) return extractedShard(shard);
      if (runOf('shard') === 2) {
        again.open();
        return await slowly('the second run of the shard');
      }
      const context = Context.current();
      const timer = setInterval(() => context.heartbeat({}), 1000);
      await again.opened;
      clearInterval(timer);
      return extractedShard(shard);
    },
  });
  const views = [newView(), newView()] as const;
  await testWorker(settings, {
    ...scripted,
    planMaterialization: async ({ view }) => plannedRun(2, view === views[0] ? { parts: 2, partsAlike: true } : {}),
    extractShard: async (input) => {
      if (input.reduced === undefined) return await scripted.extractShard(input);
      seen.push(`shard of ${input.reduced.length} lists`);
      return extractedShard(input.shard);
    },
    discardReduced: async ({ reduced }) => void seen.push(`${reduced.length} lists discarded`),
  });
  const temporal = await testClient(settings);
  const found = await Promise.all(
    views.map(
      async (view) => await waitForRun(temporal.client, await startMaterialization(temporal, settings, { view })),
    ),
  );
  expect(found.map(({ rows, passes }) => [rows, passes])).toEqual([
    ['20', 1],
    ['20', 1],
  ]);
  await expect
    .poll(() => seen.toSorted(), { timeout: 10_000 })
    .toEqual([
      '2 lists discarded',
      'shard of 2 lists',
      'shard of 2 lists',
      'the first run of the part was given up',
      'the second run of the shard was given up',
    ]);
  expect([...runs.values()]).toEqual([2, 2]);
  const { steps } = await showRun(temporal.client, `materialize/${views[0]}/incremental`);
  expect(steps.filter(({ type }) => type === 'reducePart').map(({ name }) => name)).toEqual([
    'Read: part 1 of 2',
    'Read: part 2 of 2',
    'Read: part 2 of 2, again: its worker is slow',
  ]);
});

test('runs that others have overtaken end before what was made is taken back, and what they leave late is discarded, too', async () => {
  const runs = new Map<string, number>();
  const isFirst = (name: string): boolean => {
    runs.set(name, (runs.get(name) ?? 0) + 1);
    return runs.get(name) === 1;
  };
  const isLate = gate();
  const isCommitted = gate();
  const seen: string[] = [];
  const again: unknown[] = [];
  const settings = testSettings();
  const activities = scriptedActivities({
    planTraining: () => Promise.resolve(plannedTrainingSet(2, { parts: 3, smallParts: [0] })),
    discardTraining: async () => void seen.push('discard'),
  });
  await testWorker(settings, {
    ...activities,
    reduceTrainingPart: async ({ part, again: isAgain }) => {
      if (part === 1) again.push(isAgain);
      if (part !== 1 || !isFirst('part')) return reducedPart(part);
      // It hears of its end, and has ended.
      await untilGivenUp().catch(() => undefined);
      setTimeout(() => isLate.open(), 500);
      return { ...reducedPart(part), reducedLocation: 'late' };
    },
    stageTrainingShard: async ({ shard, again: isAgain }) => {
      if (shard === 1) again.push(isAgain);
      if (shard === 1 && isFirst('shard'))
        return await untilGivenUp().finally(async () => {
          await isCommitted.opened;
          await sleep(300);
          seen.push('the shard was given up');
        });
      const context = Context.current();
      const timer = setInterval(() => context.heartbeat({}), 1000);
      await isLate.opened;
      clearInterval(timer);
      return stagedShard(shard);
    },
    commitTrainingSet: async ({ reduced }) => {
      seen.push(`commit: ${(reduced ?? []).join(', ')}`);
      isCommitted.open();
      throw failureOf('TABLE_ALREADY_EXISTS', true);
    },
  });
  const temporal = await testClient(settings);
  const started = await startTrainingSet(temporal, settings, {
    name: `set_${randomUUID().slice(0, 8)}`,
    features: ['v'],
    entities: { table: 'demo.labels' },
    to: 'demo.set',
  });
  expect(await rejectionCode(waitForTrainingSet(temporal.client, started))).toBe('TABLE_ALREADY_EXISTS');
  const lists = [0, 1, 2].map((part) => reducedPart(part).reducedLocation);
  expect(seen).toEqual([`commit: ${[...lists, 'late'].join(', ')}`, 'the shard was given up', 'discard']);
  expect(again).toEqual([undefined, true, undefined, true]);
}, 120_000);
