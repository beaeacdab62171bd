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
