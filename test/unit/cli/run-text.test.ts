import { expect, test } from 'vitest';
import { formatRun } from '../../../cli/output/run-text.js';

const SUMMARY = {
  workflowId: 'backfill/delays',
  runId: 'r1',
  workflow: 'backfillRun',
  status: 'COMPLETED',
  step: 'done',
  startedAt: '2026-01-01T00:00:00.000Z',
  firstStartedAt: '2026-01-01T00:00:00.000Z',
  elapsedMs: 2_400,
  view: null,
  table: null,
  joined: [],
  commits: [],
  signals: {},
  steps: [],
  rates: {},
  outcome: null,
  storageTraffic: null,
  blocked: null,
} as const;

/** A run's text after its first three lines. */
const linesOf = (more: Readonly<Record<string, unknown>>): string[] =>
  formatRun({ ...SUMMARY, ...more } as unknown as Parameters<typeof formatRun>[0])
    .trimEnd()
    .split('\n')
    .slice(3);

test('a run shows what there is of its progress', () => {
  const failed = [{ window: 'w1', code: 'FILE_NOT_FOUND' }];
  const progressOf = (progress: Readonly<Record<string, unknown>>): string[] => linesOf({ progress });
  expect(progressOf({ rowsWritten: '0', snapshotId: null, failed: [] })).toEqual(['rowsWritten  0']);
  expect(progressOf({ snapshotId: '11', failed })).toEqual([
    'snapshotId  11',
    'failed      [{"window":"w1","code":"FILE_NOT_FOUND"}]',
  ]);
});

test('a run that was continued shows when its first execution began', () => {
  expect(linesOf({ firstStartedAt: '2025-12-31T23:00:00.000Z' })).toEqual([
    'began     2025-12-31T23:00:00.000Z, in an earlier execution',
  ]);
  expect(linesOf({ firstStartedAt: null })).toEqual([]);
});

test('a run shows what its steps asked of object stores', () => {
  const storageTraffic = { requests: 1, readBytes: 2048, writtenBytes: 0 };
  expect(linesOf({ storageTraffic })).toEqual(['storage   1 request, 2.0 kB read, 0 B written']);
});

test('a run shows its outcome, and how often it was signalled', () => {
  const result = { view: 'delays', rows: '20', snapshotId: null, skipped: [] };
  expect(linesOf({ signals: { pause: 1, resume: 2 }, outcome: { status: 'completed', result } })).toEqual([
    'signals   pause, 1 time',
    'signals   resume, 2 times',
    'outcome   completed',
    '  view    delays',
    '  rows    20',
  ]);
  expect(linesOf({ outcome: { status: 'completed' } })).toEqual(['outcome   completed']);
  const failure = { status: 'failed', code: 'FILE_NOT_FOUND', message: 'a.parquet is not there' };
  expect(linesOf({ outcome: failure })).toEqual(['outcome   FILE_NOT_FOUND: a.parquet is not there']);
});
