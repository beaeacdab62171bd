/**
 * The policy of `moraine.yaml` on a server: a schedule starts `maintainTables`, which shares a budget that is smaller than the need. Tables
 * whose files fit no share have their turn one after the other, and tables that fail keep no other from it.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { MaintainTablesResult } from '../../activities/maintain-contract.js';
import { createMoraine, type Moraine } from '../../client/index.js';
import { checkedSchedule } from '../../client/schedules.js';
import { tableHealth } from '../../maintenance/index.js';
import type { Project } from '../../project/index.js';
import { createSchedule, deleteSchedule, describeSchedule, triggerSchedule } from '../../schedules/index.js';
import { planFiles, selectSnapshot } from '../../tables/index.js';
import { createActivities, type TemporalClient } from '../../workers/index.js';
import { rejectionCode } from '../support/error-code.js';
import { SmallProject } from '../support/small-project.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import { withPolicy } from '../support/with-policy.js';

const POLL = { timeout: 120_000, interval: 300 };
/** As many as a compaction wants to see at least. */
const FILES = 5;

/** Appends files of as many rows each, whose values differ, to a table. */
async function appendFiles(moraine: Moraine, folder: string, table: string): Promise<void> {
  const file = join(folder, 'rows.csv');
  for (let index = 0; index < FILES; index += 1) {
    const rows = Array.from({ length: 1_000 }, (_, row) => `${index * 1_000 + row},${(row * 7919) % 1000}`);
    writeFileSync(file, `id,x\n${rows.join('\n')}\n`);
    await moraine.appendFile(table, file, { create: true });
  }
}

async function filesOf(project: Project, name: string) {
  const table = await project.loadTable(name);
  const { schema, snapshot } = selectSnapshot(table.metadata);
  return (await planFiles(table, { schema, snapshot })).files;
}

/** Has a schedule start a run, and waits for its result. */
async function triggered({ client }: TemporalClient, id: string): Promise<MaintainTablesResult> {
  const before = (await describeSchedule(client, id)).taken;
  await triggerSchedule(client, id);
  await expect.poll(async () => (await describeSchedule(client, id)).taken, POLL).toBe(before + 1);
  const { recent } = await describeSchedule(client, id);
  return client.workflow.getHandle(recent.at(-1)?.workflowId ?? '').result() as Promise<MaintainTablesResult>;
}

test('a budget below the need: each run takes tables that the ones before have left; failing ones are reported', async () => {
  const small = await SmallProject.create();
  const moraine = await createMoraine({ cwd: small.folder, fileFolders: [small.folder] });
  for (const table of ['shop.a', 'shop.b', 'shop.c', 'other.d']) await appendFiles(moraine, small.folder, table);
  await moraine.close();
  const sizes = await Promise.all(
    ['shop.a', 'shop.b', 'shop.c'].map(
      async (name) => (await tableHealth(await small.project.loadTable(name), 0n)).dataBytes,
    ),
  );
  const largest = Math.max(...sizes.map(Number));
  // One group of files is larger than a third or a half of the budget.
  const budget = Math.floor(1.5 * largest);
  const compact = '{ amplification: 4 }';
  const project = await withPolicy(
    small.folder,
    `  - { tables: "shop.*", compact: ${compact}, maintain: { olderThan: 5d }, budget: ${budget} }\n  - { tables: "no_such.*", compact: ${compact} }\n`,
  );
  const [lost] = await filesOf(project, 'shop.a');
  rmSync(lost?.file.filePath ?? '');

  const settings = testSettings();
  await testWorker(settings, createActivities(project));
  const temporal = await testClient(settings);
  const id = `maintainTables/${small.view}`;
  const request = { id, workflow: 'maintainTables', input: { policy: true }, every: '1d', paused: true };
  await createSchedule(temporal.client, settings.taskQueue, await checkedSchedule(project, request));
  try {
    const lostFile = {
      table: 'shop.a',
      step: 'compact',
      message: expect.stringMatching(/^FILE_NOT_FOUND: /) as string,
    };
    const counts = async () =>
      Promise.all(['shop.b', 'shop.c', 'other.d'].map(async (name) => (await filesOf(project, name)).length));
    const maintained = ['shop.a', 'shop.b', 'shop.c'];
    expect(await triggered(temporal, id)).toEqual({ tables: 3, compacted: ['shop.b'], maintained, failed: [lostFile] });
    expect(await counts()).toEqual([1, FILES, FILES]);
    expect(await triggered(temporal, id)).toMatchObject({ compacted: ['shop.c'], failed: [lostFile] });
    expect(await counts()).toEqual([1, 1, FILES]);

    // Its metadata cannot be read: the others have their turn.
    writeFileSync((await project.loadTable('shop.b')).metadataLocation, '{');
    const damaged = await triggered(temporal, id);
    expect(damaged.tables).toBe(2);
    expect(damaged.failed.map(({ table, step }) => [table, step])).toContainEqual(['shop.b', 'health']);
  } finally {
    await deleteSchedule(temporal.client, id);
  }
});

test('without a policy, or with another input, nothing is started and the reason is said', async () => {
  const small = await SmallProject.create();
  const settings = testSettings();
  await testWorker(settings, createActivities(small.project));
  const { client } = await testClient(settings);
  const { taskQueue } = settings;
  const run = (input: object) =>
    client.workflow.execute('maintainTables', { workflowId: `policy-${small.view}`, taskQueue, args: [input] });
  await expect(run({ policy: true })).rejects.toMatchObject({
    cause: {
      cause: { type: 'INVALID_ARGUMENT', message: 'moraine.yaml has no maintenance policy: add `maintenance` to it' },
    },
  });
  await expect(run({ table: 'shop.a' })).rejects.toMatchObject({
    cause: { cause: { message: 'the input of maintainTables is not right: it is always {"policy": true}' } },
  });
  const request = { workflow: 'maintainTables', input: { policy: true }, every: '1d' };
  expect(await rejectionCode(checkedSchedule(small.project, request))).toBe('INVALID_ARGUMENT');
});
