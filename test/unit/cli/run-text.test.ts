import { expect, test } from 'vitest';
import { formatRun } from '../../../cli/run-text.js';

const SUMMARY = {
  workflowId: 'backfill/delays',
  runId: 'r1',
  workflow: 'backfillRun',
  status: 'COMPLETED',
  step: 'done',
  startedAt: '2026-01-01T00:00:00.000Z',
  elapsedMs: 2_400,
  view: null,
  table: null,
  joined: [],
  commits: [],
  signals: {},
  steps: [],
  rates: {},
  outcome: null,
} as const;

test('a run shows what there is of its progress', () => {
  const failed = [{ window: 'w1', code: 'FILE_NOT_FOUND' }];
  const progressOf = (progress: Readonly<Record<string, unknown>>): string[] =>
    formatRun({ ...SUMMARY, progress } as unknown as Parameters<typeof formatRun>[0])
      .trimEnd()
      .split('\n')
      .slice(3);
  expect(progressOf({ rowsWritten: '0', snapshotId: null, failed: [] })).toEqual(['rowsWritten  0']);
  expect(progressOf({ snapshotId: '11', failed })).toEqual([
    'snapshotId  11',
    'failed      [{"window":"w1","code":"FILE_NOT_FOUND"}]',
  ]);
});
