import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ancestors } from '../../iceberg/index.js';
import { planFiles, selectSnapshot } from '../../tables/index.js';
import { projectRoot } from '../support/paths.js';
import { tableFixture } from '../support/table-fixture.js';

const run = promisify(execFile);

interface Acknowledged {
  readonly filePath: string;
  readonly snapshotId: string;
}

/** Runs a writer as a process of its own; see append-writer.mjs. */
async function writer(folder: string, name: string, batches: number): Promise<Acknowledged[]> {
  const script = join(projectRoot, 'test/faults/append-writer.mjs');
  const { stdout } = await run(process.execPath, [script, join(projectRoot, 'dist'), folder, name, `${batches}`]);
  return JSON.parse(stdout) as Acknowledged[];
}

test.each([
  { writers: 2, batches: 1 },
  { writers: 2, batches: 10 },
  { writers: 5, batches: 6 },
])(
  '$writers processes that append $batches batches each: every batch lands once, numbers are unique and gapless',
  async ({ writers, batches }) => {
    const { folder, load } = await tableFixture({ properties: new Map([['commit.retry.num-retries', '100']]) });
    const names = Array.from({ length: writers }, (_, i) => `w${i}`);
    const acknowledged = (await Promise.all(names.map((name) => writer(folder, name, batches)))).flat();
    expect(acknowledged).toHaveLength(writers * batches);

    const table = await load();
    const plan = await planFiles(table, selectSnapshot(table.metadata));
    expect(plan.files.map(({ file }) => file.filePath).sort()).toEqual(
      acknowledged.map(({ filePath }) => filePath).sort(),
    );
    const history = [...ancestors(table.metadata, table.metadata.currentSnapshotId ?? 0n)];
    const numbers = history.map((snapshot) => snapshot.sequenceNumber).reverse();
    expect(numbers).toEqual(Array.from({ length: writers * batches }, (_, i) => BigInt(i + 1)));
    expect(new Set(history.map(({ snapshotId }) => snapshotId.toString()))).toEqual(
      new Set(acknowledged.map(({ snapshotId }) => snapshotId)),
    );
    expect(history[0]?.summary.get('total-records')).toBe(`${writers * batches * 10}`);
    for (const { file, sequenceNumber } of plan.files) {
      const { snapshotId } = acknowledged.find(({ filePath }) => filePath === file.filePath) ?? { snapshotId: '' };
      expect(history.find((snapshot) => snapshot.snapshotId.toString() === snapshotId)?.sequenceNumber).toBe(
        sequenceNumber,
      );
    }
  },
);

test('two processes with the same run key: one lands, the other reports its snapshot', async () => {
  const { folder, load } = await tableFixture();
  const [one = [], two = []] = await Promise.all([writer(folder, 'same', 1), writer(folder, 'same', 1)]);
  expect(one).toEqual(two);
  expect((await load()).metadata.snapshots).toHaveLength(1);
});
