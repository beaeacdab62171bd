/** What maintenance by the policy knows of its tables stays a value that Temporal takes, however many there are. */
import { expect, test } from 'vitest';
import type { MaintainTablesReported } from '../../../activities/maintain-contract.js';
import {
  allDone,
  maintainTablesResult,
  planMade,
  stepFailed,
  tableCompacted,
  tableMaintained,
} from '../../../workflows/maintain/maintain-tables-report.js';

const names = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `demo.t${from + index}`);
const failure = (table: string) => ({ table, step: 'health' as const, message: 'METADATA_CORRUPT: damaged' });
const NOTHING: MaintainTablesReported = {
  ...{ progress: { step: 'planning', tables: 0, tablesDone: 0, failed: 0 }, toCompact: 0 },
  ...{ compacted: [], maintained: [], failed: [] },
};

test('two thousand names and two hundred failures are listed, and the rest is counted', () => {
  const plan = { budgets: [], runs: [], failed: names(0, 150).map(failure) };
  const changes = [
    planMade(plan),
    ...names(0, 2100).flatMap((table) => [tableCompacted(table), tableMaintained(table)]),
    tableCompacted('demo.t7'),
    planMade(plan),
    stepFailed(failure('demo.last')),
    allDone,
  ];
  const state = changes.reduce((before, change) => change(before), NOTHING);
  expect(state.progress).toEqual({ step: 'working', tables: 0, tablesDone: 0, failed: 301 });
  expect(maintainTablesResult(state)).toEqual({
    ...{ tables: 0, compacted: names(0, 2000), maintained: names(0, 2000) },
    failed: [...names(0, 150), ...names(0, 50)].map(failure),
    unlisted: { compacted: 100, maintained: 100, failed: 101 },
  });
});
