/** Rows that engines delete through delete files: which buckets of the online table are rebuilt, and what they serve then. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseTableName } from '../../../catalogs/index.js';
import { applyTransform, type DataFile, parseTransform } from '../../../iceberg/index.js';
import { type MaterializationRequest, materializeDirect } from '../../../materialization/index.js';
import { commitOverwrite, planFiles, selectSnapshot } from '../../../tables/index.js';
import { DeleteWriter } from '../../support/delete-writer.js';
import { Lab, SOURCE, VIEW } from '../../support/materialization-lab.js';

const BUCKETS = 16;
const KEYS = [1, 2, 3, 4, 5];
const us = (seconds: number): bigint => BigInt(seconds) * 1_000_000n;

let lab: Lab;
let writer: DeleteWriter;
beforeEach(async () => {
  lab = await Lab.open();
  lab.view = { ...VIEW, onlineBuckets: BUCKETS };
  writer = new DeleteWriter(lab, parseTableName(SOURCE).identifier);
  await lab.createSource();
});
afterEach(() => lab.close());

/** Two rows for every key, at 10 and 20 with that many times its number as value; positions 0 to 9 of one file. */
async function appendRows(): Promise<string> {
  await lab.append(KEYS.flatMap((k) => [10, 20].map((at) => ({ k, at, v: at * k }))));
  return await newestFile();
}

async function newestFile(): Promise<string> {
  const table = await lab.source();
  const { files } = await planFiles(table, { ...selectSnapshot(table.metadata), appliesDeletes: true });
  const newest = files.toSorted((a, b) => Number(b.sequenceNumber - a.sequenceNumber))[0];
  return newest?.file.filePath ?? '';
}

/** The kind of a run, and the buckets that it rebuilt. */
async function run(
  request: Partial<MaterializationRequest> = {},
): Promise<readonly [string, readonly number[] | null]> {
  const { plan } = await materializeDirect(lab.deps, { view: 'readings', ...request });
  if (plan.planLocation === null) return [plan.kind, null];
  const text = Buffer.from(await lab.io.read(plan.planLocation)).toString();
  const stored = JSON.parse(text) as { rebuild: { buckets: number[] } | null };
  return [plan.kind, stored.rebuild?.buckets ?? null];
}

const bucketsOf = (...keys: readonly number[]): readonly unknown[] => {
  const bucket = (k: number) => applyTransform(parseTransform(`bucket[${BUCKETS}]`), { kind: 'long' }, BigInt(k));
  return [...new Set(keys.map(bucket))].toSorted((a, b) => Number(a) - Number(b));
};

/** Key and value of the newest row of each entity. */
async function online(): Promise<unknown[][]> {
  const rows = await lab.query(
    await lab.online(),
    'SELECT k, max_by(v, event_timestamp) FROM rows GROUP BY k ORDER BY k',
  );
  return rows.map(([k, v]) => [Number(k), v]);
}

const without = (...keys: readonly number[]) => KEYS.filter((k) => !keys.includes(k)).map((k) => [k, 20 * k]);

describe('a row is deleted', () => {
  const at20 = "TIMESTAMPTZ '1970-01-01 00:00:20+00' AS event_ts";

  it.each<readonly [string, (path: string) => Promise<readonly DataFile[]>]>([
    ['by its position', async (path) => [await writer.positions([{ path, position: 5 }])]],
    [
      'by a vector',
      async (path) => {
        await writer.upgradeToV3();
        return writer.vectors([{ path, positions: [5] }]);
      },
    ],
    ['by key and time', async () => [await writer.equality({ k: 1, event_ts: 2 }, `SELECT 3::BIGINT AS k, ${at20}`)]],
    ['by its value alone', async () => [await writer.equality({ v: 4 }, 'SELECT 60::DOUBLE AS v')]],
  ])('%s: its bucket alone is rebuilt, the row before it is served again', async (_name, make) => {
    const path = await appendRows();
    await run();
    await writer.commit(await make(path));
    expect(await run()).toEqual(['rebuild-buckets', bucketsOf(3)]);
    expect(await online()).toEqual([...without(3), [3, 30]].toSorted(([a = 0], [b = 0]) => a - b));
    expect((await run())[0]).toBe('nothing');
  });

  it('with all others of its entity: the entity is gone, pushed rows stay', async () => {
    await appendRows();
    await run();
    await lab.push({ k: 4, at: 5, v: -1 });
    await writer.commit([await writer.equality({ k: 1 }, 'SELECT * FROM (VALUES (2::BIGINT), (4)) AS t(k)')]);
    expect(await run()).toEqual(['rebuild-buckets', bucketsOf(2, 4)]);
    expect(await online()).toEqual([...without(2, 4), [4, -1]].toSorted(([a = 0], [b = 0]) => a - b));
  });

  it('out of the window of the run: nothing is touched until it is covered', async () => {
    const path = await appendRows();
    await run();
    await writer.commit([await writer.positions([{ path, position: 1 }])]);
    expect(await run({ startUs: us(5), endUs: us(15) })).toEqual(['nothing', null]);
    expect(await online()).toEqual(without());
    expect(await run()).toEqual(['rebuild-buckets', bucketsOf(1)]);
  });
});

it('equality deletes that equal no older row, as upserts of new keys write them: an incremental run', async () => {
  await appendRows();
  await run();
  await writer.commit([await writer.equality({ k: 1 }, 'SELECT 7::BIGINT AS k')]);
  await lab.append([{ k: 7, at: 30, v: 7 }]);
  expect(await run()).toEqual(['incremental', null]);
  expect(await online()).toEqual([...without(), [7, 7]]);
});

describe('deletes take the place of others', () => {
  it('a vector of another one: only what it deletes besides is touched', async () => {
    const path = await appendRows();
    await writer.upgradeToV3();
    const first = await writer.vectors([{ path, positions: [1, 3] }]);
    await writer.commit(first);
    await run();
    await writer.commit(await writer.vectors([{ path, positions: [1, 3, 9] }]), first);
    expect(await run()).toEqual(['rebuild-buckets', bucketsOf(5)]);
    expect(await online()).toEqual([
      [1, 10],
      [2, 20],
      [3, 60],
      [4, 80],
      [5, 50],
    ]);
  });

  it('a vector of position-delete files, when the table was upgraded', async () => {
    const path = await appendRows();
    const positions = await writer.positions([{ path, position: 1 }]);
    await writer.commit([positions]);
    await run();
    await writer.upgradeToV3();
    await writer.commit(await writer.vectors([{ path, positions: [1, 7] }]), [positions]);
    expect(await run()).toEqual(['rebuild-buckets', bucketsOf(4)]);
  });

  it('nothing: rows that come back are served again', async () => {
    const path = await appendRows();
    const deletes = [
      await writer.positions([{ path, position: 1 }]),
      await writer.equality({ v: 4 }, 'SELECT 40::DOUBLE AS v'),
    ];
    await writer.commit(deletes);
    await run();
    expect(await online()).toEqual([[1, 10], [2, 20], ...without(1, 2)]);
    await writer.commit([], deletes);
    expect(await run()).toEqual(['rebuild-buckets', bucketsOf(1, 2, 4)]);
    expect(await online()).toEqual(without());
  });
});

it('rows appended, deleted and compacted away between two runs never come up', async () => {
  await appendRows();
  await run();
  await lab.append([
    { k: 1, at: 40, v: 400 },
    { k: 8, at: 40, v: 800 },
  ]);
  await writer.commit([await writer.positions([{ path: await newestFile(), position: 0 }])]);
  await lab.compact('v <> 400');
  expect(await run()).toEqual(['incremental', null]);
  expect(await online()).toEqual([...without(), [8, 800]]);
});

it('rows deleted from what a compaction wrote, and from files that an overwrite wrote', async () => {
  const path = await appendRows();
  await run();
  await lab.append([{ k: 6, at: 20, v: 120 }]);
  await writer.commit([await writer.positions([{ path, position: 1 }])]);
  await lab.compact('k <> 1 OR v <> 20');
  await writer.commit([await writer.equality({ v: 4 }, 'SELECT 40::DOUBLE AS v')]);
  await commitOverwrite(await lab.source(), { removeFiles: [await newestFile()], files: [] });
  await appendRows();
  await writer.commit([await writer.equality({ k: 1 }, 'SELECT 5::BIGINT AS k')]);
  expect((await run())[0]).toBe('rebuild-buckets');
  expect(await online()).toEqual(without(5));
});
