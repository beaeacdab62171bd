/** Estimates of runs: what they know from metadata, beside what the runs then read and write. */
import { expect, it } from 'vitest';
import { saveFeatures } from '../../../client/datasets.js';
import { deleteTableRows } from '../../../client/delete-table-rows.js';
import { estimate } from '../../../client/estimate.js';
import { materializeDirect } from '../../../materialization/index.js';
import { materializationDeps } from '../../../project/index.js';
import { failureOf } from '../../support/error-code.js';
import { SmallProject } from '../../support/small-project.js';

it('a materialization is estimated from the files that it will read, and nothing is made', async () => {
  const small = await SmallProject.create();
  const { project, view } = small;
  const deps = await materializationDeps(project);
  const catalog = await project.catalog();
  expect(await estimate(project, { view })).toMatchObject({
    run: { kind: 'nothing', reason: 'the source table is empty' },
    reads: { files: 0, rows: 0 },
    cost: { cpuSeconds: 0, requests: 0, shards: 0, rows: 0 },
    trino: { queries: 0, cpuSeconds: 0 },
  });
  await small.append(1000);
  await small.append(500, 1000);

  const first = await estimate(project, { view });
  expect(await catalog.tableExists({ namespace: ['moraine_online'], name: view })).toBe(false);
  const { plan, commit } = await materializeDirect(deps, { view });
  expect(first).toMatchObject({
    kind: 'materialization',
    name: view,
    run: { kind: plan.kind, reason: plan.reason },
    reads: { files: plan.files, rows: Number(plan.rows), fileBytes: Number(plan.bytes), deleteFiles: 0 },
    // 100 sensors in the 4 buckets of the view.
    cost: { rows: Number(commit?.rows), dataFiles: 4, shards: 1, requests: 0 },
    engine: { choice: 'duckdb', trinoAboveBytes: 2 ** 40 },
  });

  expect(await estimate(project, { view })).toMatchObject({ run: { kind: 'nothing' }, cost: { cpuSeconds: 0 } });
  await small.append(70, 2000);
  const next = await estimate(project, { view });
  const { plan: delta } = await materializeDirect(deps, { view });
  expect(next.reads).toMatchObject({ files: 1, rows: 70, fileBytes: Number(delta.bytes) });
  // Few rows become one file of all buckets.
  expect(next.cost.dataFiles).toBe(1);
});

it('a window is estimated by the files in it, and Trino is the choice above the limit', async () => {
  const small = await SmallProject.create();
  const { project, view } = small;
  await small.append(100);
  await small.append(100, 10_000);
  const window = { view, start: '1970-01-01T02:00:00Z', end: '1970-01-02T00:00:00Z' };
  const within = await estimate(project, window);
  expect([within.reads.files, within.reads.rows]).toEqual([1, 100]);
  const { fileBytes } = within.reads;
  const choiceAbove = async (trinoAboveBytes: number) => {
    const config = { ...project.config, engine: { ...project.config.engine, trinoAboveBytes } };
    return (await estimate({ ...project, config }, window)).engine;
  };
  const saying = (choice: string, limit: number, than: string) => ({
    choice,
    trinoAboveBytes: limit,
    reason: `${fileBytes} bytes after pruning are ${than} engine.trinoAbove (${limit} bytes)`,
  });
  expect(await choiceAbove(fileBytes)).toEqual(saying('duckdb', fileBytes, 'within'));
  expect(await choiceAbove(fileBytes - 1)).toEqual(saying('trino', fileBytes - 1, 'more than'));
});

it('delete files count where they apply to what is read, not where the snapshot has them', async () => {
  const small = await SmallProject.create();
  const { project, view, table } = small;
  await small.append(100);
  await small.append(100, 200);
  await deleteTableRows(project, table, 'sensor = 3');
  const first = await estimate(project, { view });
  expect(first.reads).toMatchObject({ files: 2, deleteFiles: 2 });
  await materializeDirect(await materializationDeps(project), { view });
  await small.append(50, 400);
  expect((await estimate(project, { view })).reads).toMatchObject({ files: 1, rows: 50, deleteFiles: 0 });
});

it('the engine of an estimate is that of the view; tables that Trino does not read are left to DuckDB', async () => {
  const chosen = async (request: object, engine?: 'trino') => {
    const small = await SmallProject.create({ formatVersion: 3, ...(engine === undefined ? {} : { engine }) });
    await small.append(100);
    const { project, view } = small;
    const config = { ...project.config, engine: { ...project.config.engine, trinoAboveBytes: 1 } };
    return (await estimate({ ...project, config }, { view, ...request })).engine;
  };
  const left = {
    choice: 'duckdb',
    reason: expect.stringMatching(
      /^\d+ bytes .* \(1 bytes\), but the table has format version 3, which Trino reads from version 483 on,/,
    ) as string,
    trinoAboveBytes: 1,
  };
  expect(await chosen({})).toEqual(left);
  expect(await chosen({ rows: 10 })).toEqual(left);
  const refused = {
    choice: 'trino',
    reason:
      'the view asks for trino, which is refused: the table has format version 3, which Trino reads from version 483 on, and Moraine does not ask it to yet',
    trinoAboveBytes: 1,
  };
  expect(await chosen({}, 'trino')).toEqual(refused);
  expect(await chosen({ rows: 10 }, 'trino')).toEqual(refused);
});

it('a retrieval reads the files once for each shard', async () => {
  const small = await SmallProject.create();
  const { project, view } = small;
  await small.append(5000);
  const of = async (shards: number) => await estimate(project, { view, rows: 1000, shards });
  const [one, two, five] = [await of(1), await of(2), await of(5)];
  expect(one).toMatchObject({ kind: 'retrieval', run: null, cost: { rows: 1000, dataFiles: 1, shards: 1 } });
  expect(five).toMatchObject({ reads: one.reads, cost: { dataFiles: 5, shards: 5 } });
  // Nine tenths of 500 MB of memory, 384 bytes for each entity row.
  expect(await estimate(project, { view, rows: 10_000_000 })).toMatchObject({ cost: { shards: 9 } });
  const ofShard = two.cost.readBytes - one.cost.readBytes;
  expect(ofShard).toBeGreaterThanOrEqual(one.reads.fileBytes);
  expect(five.cost.readBytes - one.cost.readBytes).toBeCloseTo(4 * ofShard, 3);
});

it('a retrieval in four shards and more reads each of several files once, in parts, and says what Trino would cost', async () => {
  const small = await SmallProject.create();
  const { project, view } = small;
  await small.append(5000);
  await small.append(4000, 5000);
  const of = async (shards: number) => await estimate(project, { view, rows: 1000, shards });
  const [two, three, four, eight] = [await of(2), await of(3), await of(4), await of(8)];
  const { fileBytes } = three.reads;
  // Without parts, one more shard is one more pass over both files; with parts, it is metadata alone.
  const ofShard = (eight.cost.readBytes - four.cost.readBytes) / 4;
  expect(three.cost.readBytes - two.cost.readBytes - ofShard).toBeGreaterThanOrEqual(fileBytes);
  expect(four.cost.writtenBytes).toBeGreaterThan(three.cost.writtenBytes + fileBytes);
  // Trino reads the source once, for all shards.
  expect([three, four, eight].map(({ trino }) => trino.queries)).toEqual([1, 1, 1]);
  // The line through 10.71 s for a million rows and 53.52 s for ten.
  const cpuSeconds = 10.71 - (42.81 * (1e6 - 9000)) / 9e6;
  expect(three.trino).toEqual({
    queries: 1,
    cpuSeconds: expect.closeTo(cpuSeconds, 9) as number,
    timesMeasured: 0.0009,
  });
});

it('a saved dataset is estimated from its own entity rows and the snapshots that it was made from', async () => {
  const small = await SmallProject.create();
  const { project, view } = small;
  await small.append(200);
  await saveFeatures(project, {
    features: [view],
    entities: [
      { sensor: 1, event_timestamp: '1970-01-01T00:01:00Z' },
      { sensor: 2, event_timestamp: '1970-01-01T00:03:00Z' },
    ],
    saveAs: { name: 'march', to: { table: 'demo.march' } },
  });
  // Later rows are not in the snapshot of the dataset.
  await small.append(300, 1000);
  const found = await estimate(project, { dataset: 'march' });
  expect(found).toMatchObject({
    kind: 'retrieval',
    name: 'march',
    // The file of the dataset with its two entity rows, and the one of the source.
    reads: { files: 2, rows: 202 },
    cost: { rows: 2, shards: 1 },
  });
});

it('requests that make no sense are refused with what is wrong', async () => {
  const { project, view } = await SmallProject.create();
  const refused = async (request: Parameters<typeof estimate>[1], code: string, problem: string) => {
    expect(await failureOf(estimate(project, request))).toMatchObject({
      code,
      message: expect.stringContaining(problem) as string,
    });
  };
  await refused({}, 'INVALID_ARGUMENT', 'either a view or a dataset');
  await refused({ view, dataset: 'march' }, 'INVALID_ARGUMENT', 'either a view or a dataset');
  await refused({ view, rows: 0 }, 'INVALID_ARGUMENT', 'The number of rows must be a whole number from 1 on, not 0.');
  await refused(
    { view, rows: 5, start: '2026-01-01' },
    'INVALID_ARGUMENT',
    'A window is for the materialization of a view.',
  );
  await refused({ dataset: 'march' }, 'DATASET_NOT_FOUND', "no dataset 'march'");
  await refused({ view: 'nothing' }, 'FEATURE_VIEW_NOT_FOUND', 'nothing');
});
