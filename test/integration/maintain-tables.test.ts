/** Maintenance by the policy of more tables than one history has room for. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { AllActivities } from '../../activities/index.js';
import type { MaintainTablesInput, MaintainTablesResult } from '../../activities/maintain-contract.js';
import { OwnTemporalServer } from '../support/own-temporal-server.js';
import { plannedCompaction } from '../support/scripted-upkeep.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import { scripted } from '../support/way.js';

type MaintainTables = (input: MaintainTablesInput) => Promise<MaintainTablesResult>;

test('every table has its turn, and the budget is spent, over as many executions as the server wants', async () => {
  const limits = { 'limit.historyCount.suggestContinueAsNew': 60 };
  const server = await OwnTemporalServer.start(join(temporaryFolder(), 'temporal'), limits);
  onTestFinished(() => server.kill());
  const settings = server.settings();
  const tables = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'].map((name) => `demo.${name}`);
  const compact = { strategy: 'binpack', maxBytes: 6_000 };
  const runs = tables.map((table) => ({ table, policy: 0, compact, maintain: {} }));
  const plan = { budgets: [100_000], runs, failed: [] };
  const asked: (number | undefined)[] = [];
  const activities: AllActivities = {
    ...scripted({ maintain: { policy: async () => plan } }),
    // One group of 5,000 bytes is rewritten, and one that is larger than the share is left.
    planCompaction: async ({ request }) => {
      asked.push(request.maxBytes);
      return { ...plannedCompaction(1), skipped: [{ reason: 'more than may be read', files: 1 }] };
    },
  };
  await testWorker(settings, activities);
  const { client } = await testClient(settings);
  const workflowId = 'upkeep';
  const { taskQueue } = settings;
  const handle = await client.workflow.start<MaintainTables>('maintainTables', {
    ...{ workflowId, taskQueue, args: [{ policy: true }] as [MaintainTablesInput] },
  });
  expect(await handle.result()).toEqual({ tables: 10, compacted: tables, maintained: tables, failed: [] });
  // 10 x 5,000 of 100,000 bytes are read; each further turn may read what is left, until that is no more than a share.
  const rest = [50_000, 45_000, 40_000, 35_000, 30_000, 25_000, 20_000, 15_000, 10_000];
  expect(asked).toEqual([...tables.map(() => 6_000), ...rest]);
  const last = client.workflow.getHandle(workflowId);
  expect((await last.describe()).runId).not.toBe(handle.firstExecutionRunId);
  expect((await last.fetchHistory()).events?.length).toBeLessThan(100);
}, 180_000);

test('tables that one plan has no room for are in the next, and the budget goes on', async () => {
  const settings = testSettings();
  const asked: unknown[] = [];
  const compact = { strategy: 'binpack', maxBytes: 6_000 };
  const plans = [
    { runs: ['demo.a', 'demo.b'], failed: [], next: 'demo.b' },
    { runs: ['demo.c'], failed: [{ table: 'demo.d', step: 'health' as const, message: 'METADATA_CORRUPT: damaged' }] },
  ];
  const activities: AllActivities = {
    ...scripted({}),
    planPolicy: async ({ request, ...more }) => {
      expect(request).toEqual({ policy: true });
      asked.push(more);
      const { runs = [], failed = [], ...rest } = plans[asked.length - 1] ?? {};
      return { ...rest, failed, budgets: [20_000], runs: runs.map((table) => ({ table, policy: 0, compact })) };
    },
  };
  await testWorker(settings, activities);
  const { client } = await testClient(settings);
  const handle = await client.workflow.start<MaintainTables>('maintainTables', {
    ...{ workflowId: `upkeep-${randomUUID()}`, taskQueue: settings.taskQueue },
    args: [{ policy: true }],
  });
  expect(await handle.result()).toEqual({
    ...{ tables: 3, compacted: ['demo.a', 'demo.b', 'demo.c'], maintained: [] },
    failed: plans[1]?.failed,
  });
  // Each compaction has read 5,000 bytes.
  expect(asked).toEqual([{}, { after: 'demo.b', left: [10_000] }]);
  // A history of a version that made one plan has no such mark, and replays.
  const { events } = await handle.fetchHistory();
  const marks = (events ?? []).flatMap(({ markerRecordedEventAttributes: mark }) =>
    (mark?.details?.['patch-data']?.payloads ?? []).map(({ data }) => Buffer.from(data ?? []).toString()),
  );
  expect(marks.map((mark) => (JSON.parse(mark) as { readonly id: string }).id)).toContain('maintain-tables-plans-on');
  expect((await handle.describe()).memo).toMatchObject({
    progress: { step: 'done', tables: 3, tablesDone: 3, failed: 1 },
  });
}, 60_000);
