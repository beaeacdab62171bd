import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { compactDirect } from '../../maintenance/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { compactDeps, materializationDeps } from '../../project/index.js';
import { describeInterop, python } from '../support/python.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';

interface Reading {
  readonly rows: readonly { readonly sensor: number; readonly reading: number }[];
  readonly problems: readonly string[];
  readonly files: number;
}

const BUCKETS = 4;

describeInterop('an online table after compaction with latest', () => {
  test('PyIceberg reads the newest row of each entity', async () => {
    // Folders that a reader could take for values of the table's columns.
    const folder = join(temporaryFolder(), 'sensor=7/reading=7');
    mkdirSync(folder, { recursive: true });
    const small = await SmallProject.createIn(folder, { buckets: BUCKETS });
    const { project, view } = small;
    onTestFinished(() => project.close());
    const table = `moraine_online.${view}`;
    const read = () => python<Reading>('read_ours.py', `sqlite:///${folder}/catalog.db`, `${folder}/warehouse`, table);
    // The first run writes buckets, the others one file without a partition each.
    for (const fromSecond of [0, 100, 200, 300]) {
      await small.append(100, fromSecond);
      const { commit } = await materializeDirect(await materializationDeps(project), { view });
      expect(commit?.files).toBe(fromSecond === 0 ? BUCKETS : 1);
    }
    const before = await read();
    expect(before.problems).toEqual([]);
    expect(before.files).toBe(BUCKETS + 3);
    const all = Array.from({ length: 400 }, (_, second) => [second % 100, second]);
    const bySecond = before.rows.map(({ sensor, reading }) => [sensor, reading]);
    expect(bySecond.toSorted(([, a = 0], [, b = 0]) => a - b)).toEqual(all);
    await compactDirect(await compactDeps(project), { table, strategy: 'latest' });
    const { rows, problems, files } = await read();
    expect(problems).toEqual([]);
    expect(files).toBe(BUCKETS);
    // Readings are numbered by their seconds, sensors by their remainders by a hundred.
    const newest = Array.from({ length: 100 }, (_, sensor) => [sensor, 300 + sensor]);
    expect(rows.map(({ sensor, reading }) => [sensor, reading]).toSorted(([a = 0], [b = 0]) => a - b)).toEqual(newest);
  });
});

describeInterop.each(['timestamp', 'hybrid'] as const)('an online table by the strategy %s', (strategy) => {
  test('PyIceberg reads it, before and after compaction with latest', async () => {
    const folder = temporaryFolder();
    const small = await SmallProject.createIn(folder, { buckets: 2, strategy });
    const { project, view } = small;
    onTestFinished(() => project.close());
    const table = `moraine_online.${view}`;
    const read = () => python<Reading>('read_ours.py', `sqlite:///${folder}/catalog.db`, `${folder}/warehouse`, table);
    const pairs = ({ rows }: Reading) =>
      rows.map(({ sensor, reading }) => [sensor, reading]).toSorted(([, a = 0], [, b = 0]) => a - b);
    // Rows of a hundred sensors in the last seconds of one hour and the first of the next, then in another hour.
    await small.append(100, 3_550);
    await materializeDirect(await materializationDeps(project), { view });
    await small.append(50, 7_200, 50);
    await materializeDirect(await materializationDeps(project), { view });
    const first = Array.from({ length: 100 }, (_, row) => [row, 3_550 + row]);
    const second = Array.from({ length: 50 }, (_, row) => [row, 7_200 + row]);
    const before = await read();
    expect(before.problems).toEqual([]);
    expect(pairs(before)).toEqual([...first, ...second]);
    const parts = strategy === 'hybrid' ? 2 : 1;
    // The second run of `hybrid` is one file without a partition.
    expect(before.files).toBe(2 * parts + 1);
    for (const fromSecond of [10_800, 14_400]) {
      await small.append(50, fromSecond, 50);
      await materializeDirect(await materializationDeps(project), { view });
    }
    await compactDirect(await compactDeps(project), { table, strategy: 'latest' });
    const after = await read();
    expect(after.problems).toEqual([]);
    expect(pairs(after)).toEqual([...first.slice(50), ...second.map(([sensor, at = 0]) => [sensor, at + 7_200])]);
    expect(after.files).toBe(2 * parts);
  });
});
