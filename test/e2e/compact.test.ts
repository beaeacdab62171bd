/** The workflow `compact` on a real server: from its JSON input to the commits. */
import { ApplicationFailure, WorkflowFailedError } from '@temporalio/client';
import { expect, test } from 'vitest';
import type { CompactResult } from '../../activities/compact-contract.js';
import { createActivities, startCompact, waitForCompact } from '../../workers/index.js';
import { filesOf, liveRows } from '../support/compaction-lab.js';
import { SmallProject } from '../support/small-project.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';

const TABLE = 'demo.readings';

test('compacts as its input says, once for all who ask at the same time', async () => {
  const small = await SmallProject.create();
  for (let file = 0; file < 6; file++) await small.append(20, 20 * file);
  const load = () => small.project.loadTable(TABLE);
  const lab = { io: small.project.io, engine: await small.project.engine() };
  const before = await liveRows(lab, await load());
  const settings = testSettings(await small.project.identity());
  await testWorker(settings, createActivities(small.project));
  const temporal = await testClient(settings);
  const request = { table: TABLE, strategy: 'binpack' } as const;
  const asked = await Promise.all([
    startCompact(temporal, settings, request),
    startCompact(temporal, settings, request),
  ]);
  const results = await Promise.all(asked.map((run) => waitForCompact(temporal.client, run, TABLE)));
  const done = { table: TABLE, workflowId: `compact/${TABLE}@${settings.project}`, passes: 1 };
  // Who asked in time shares the run; who came after it found nothing to do.
  expect(results.map(({ groups }) => groups).sort((a, b) => b - a)[0]).toBe(1);
  expect(results.find(({ groups }) => groups === 1)).toMatchObject({
    ...done,
    filesAdded: 1,
    rows: String(before.length),
  });
  expect(await liveRows(lab, await load())).toEqual(before);
  expect(await filesOf(await load())).toHaveLength(1);
  const idle = await waitForCompact(temporal.client, await startCompact(temporal, settings, request), TABLE);
  expect(idle).toMatchObject({
    groups: 0,
    snapshotId: null,
    reason:
      '1 data file left as it is: no partition has 5 small files, a file that is too large, or one with many deleted rows',
  });
  const description = await temporal.client.workflow.getHandle(`compact/${TABLE}@${settings.project}`).describe();
  expect(description.memo).toMatchObject({ table: TABLE, progress: { step: 'done' } });

  const refused = async (input: unknown): Promise<string | null | undefined> => {
    const workflowId = `ask-${Math.random()}`;
    const options = { workflowId, taskQueue: settings.taskQueue, args: [input] as [unknown] };
    const failed = await temporal.client.workflow
      .execute<(input: unknown) => Promise<CompactResult>>('compact', options)
      .catch((error: unknown) => error);
    if (!(failed instanceof WorkflowFailedError)) throw new Error('it was accepted');
    const cause = failed.cause?.cause;
    return cause instanceof ApplicationFailure ? `${cause.type}: ${cause.message}` : undefined;
  };
  expect(await refused({ table: TABLE })).toMatch(/^INVALID_ARGUMENT: .*"strategy"/);
  expect(await refused({ table: 'demo.reading', strategy: 'binpack' })).toBe(
    `TABLE_NOT_FOUND: Table local/demo.reading does not exist. Did you mean '${TABLE}'?`,
  );
  expect(await refused({ table: TABLE, strategy: 'latest' })).toMatch(/^INVALID_ARGUMENT: .*not an online table/);
  expect((await load()).metadata.snapshots).toHaveLength(7);
});
