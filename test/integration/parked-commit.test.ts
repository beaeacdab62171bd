/** A commit whose outcome stays unknown: the run is parked with what is known of it, and ends as soon as the outcome is. */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import type { RunProgress } from '../../activities/contract.js';
import { startMaterialization, waitForRun } from '../../workers/index.js';
import { rejectionCode } from '../support/error-code.js';
import { failureOf, scriptedActivities } from '../support/scripted-activities.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';

/** As `asActivity` reports what `tables/commit.ts` throws. */
function unknownOutcome(): ApplicationFailure {
  const details = [{ snapshotId: '4711', runKey: 'key-of-the-run' }];
  return ApplicationFailure.create({ type: 'COMMIT_STATE_UNKNOWN', message: 'the answer was lost', details });
}

test('is parked for the operator, shown, and found when it is looked for again', async () => {
  const settings = testSettings();
  let attempts = 0;
  let isFound = false;
  await testWorker(
    settings,
    scriptedActivities({
      commit: async () => {
        attempts += 1;
        if (!isFound) throw unknownOutcome();
        return { snapshotId: '4711', outcome: 'already-committed' };
      },
    }),
  );
  const temporal = await testClient(settings);
  const run = await startMaterialization(temporal, settings, { view: `view_${randomUUID().slice(0, 8)}` });
  const handle = temporal.client.workflow.getHandle(run.workflowId, run.runId);
  const progress = (): Promise<RunProgress> => handle.query<RunProgress>('progress');
  await expect.poll(async () => (await progress()).step, { timeout: 40_000, interval: 200 }).toBe('parked');
  const parked = {
    code: 'COMMIT_STATE_UNKNOWN',
    reason: 'the answer was lost',
    runKey: 'key-of-the-run',
    snapshotId: '4711',
  };
  expect((await progress()).parked).toEqual(parked);
  const described = await handle.describe();
  expect(described.status.name).toBe('RUNNING');
  expect(described.memo).toMatchObject({ parked });
  const { currentDetails } = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  expect(currentDetails).toContain('The commit is parked (COMMIT_STATE_UNKNOWN)');
  expect(currentDetails).toContain('key-of-the-run');
  expect(currentDetails).toContain('retryCommit');

  const before = attempts;
  isFound = true;
  await handle.signal('retryCommit');
  expect(await waitForRun(temporal.client, run)).toMatchObject({ snapshotId: '4711' });
  expect(attempts).toBe(before + 1);
  expect((await handle.describe()).memo).not.toHaveProperty('parked');
});

test('an answer is not parked: a commit that is refused fails the run at once', async () => {
  const settings = testSettings();
  const commit = async () => {
    throw failureOf('TABLE_REPLACED', true);
  };
  await testWorker(settings, scriptedActivities({ commit }));
  const temporal = await testClient(settings);
  const run = await startMaterialization(temporal, settings, { view: `view_${randomUUID().slice(0, 8)}` });
  expect(await rejectionCode(waitForRun(temporal.client, run))).toBe('TABLE_REPLACED');
});
