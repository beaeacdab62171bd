/** Compaction of tables: the same rows before and after, whatever the strategy, the deletes and what others commit meanwhile. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deleteRows } from '../../../deletes/index.js';
import { MoraineError } from '../../../errors/index.js';
import { bindExpression, currentSchema, parseExpression } from '../../../iceberg/index.js';
import {
  type CompactRequest,
  commitCompaction,
  compactDirect,
  planCompaction,
  type RewrittenGroup,
  rewriteGroup,
} from '../../../maintenance/index.js';
import { commitOverwrite } from '../../../tables/index.js';
import { compactDeps, filesOf, liveRows } from '../../support/compaction-lab.js';
import { DeleteWriter } from '../../support/delete-writer.js';
import { Lab, SOURCE, type SourceRow } from '../../support/materialization-lab.js';
import { replacing } from '../../support/replacing.js';

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
});
afterEach(() => lab.close());

const NAME = { namespace: ['demo'], name: 'source' };
const writer = (): DeleteWriter => new DeleteWriter(lab, NAME);
const STRATEGIES: readonly [string, CompactRequest][] = [
  ['binpack', { table: SOURCE, strategy: 'binpack' }],
  ['sort into many files', { table: SOURCE, strategy: 'sort', columns: ['v', 'k'], targetSizeBytes: 2000 }],
  ['z-order', { table: SOURCE, strategy: 'sort', columns: ['k', 'event_ts', 'v'], zOrder: true }],
];
const [[, BINPACK]] = STRATEGIES as [[string, CompactRequest]];

/** Files of three rows each: keys 10f, 10f + 1, 10f + 2 in file f. */
async function appendFiles(count: number): Promise<void> {
  for (let file = 0; file < count; file++) {
    await lab.append([0, 1, 2].map((row) => ({ k: 10 * file + row, at: 1000 - file, v: (file * 7 + row * 5) % 11 })));
  }
}

/** The keys of the live rows, in order. */
const keys = async (): Promise<readonly number[]> =>
  (await liveRows(lab, await lab.source(), { select: 'k' })).map(Number).sort((a, b) => a - b);

/** Where the row of a key lies now. */
async function placeOf(key: number): Promise<{ path: string; position: number }> {
  const rows = await liveRows(lab, await lab.source(), { select: 'k, file, row' });
  const [, path, position] = rows.map((row) => row.split('|')).find(([k]) => k === String(key)) ?? [];
  if (path === undefined) throw new Error(`no row of key ${key}`);
  return { path, position: Number(position) };
}

async function deleteByPosition(...wanted: readonly number[]): Promise<void> {
  const places = await Promise.all(wanted.map(placeOf));
  await writer().commit([await writer().positions(places)]);
}

async function deleteByVector(...wanted: readonly number[]): Promise<void> {
  const byPath = new Map<string, number[]>();
  for (const key of wanted) {
    const { path, position } = await placeOf(key);
    byPath.set(path, [...(byPath.get(path) ?? []), position]);
  }
  await writer().commit(await writer().vectors([...byPath].map(([path, positions]) => ({ path, positions }))));
}

async function deleteByValue(...wanted: readonly number[]): Promise<void> {
  const rows = wanted.map((key) => `(${key}::BIGINT)`).join(', ');
  await writer().commit([await writer().equality({ k: 1 }, `SELECT * FROM (VALUES ${rows}) v(k)`)]);
}

/** As the command does it: a file that loses its last row leaves the table. */
async function deleteRowsOf(...wanted: readonly number[]): Promise<void> {
  const table = await lab.source();
  const filter = bindExpression(parseExpression(`k IN (${wanted.join(', ')})`), currentSchema(table.metadata));
  await lab.engine.withConnection((connection) => deleteRows(table, connection, { filter }));
}

/** The file that the row of a key lies in, replaced by one with these rows. */
async function overwriteFile(key: number, rows: readonly SourceRow[]): Promise<void> {
  const { path } = await placeOf(key);
  await commitOverwrite(await lab.source(), { removeFiles: [path], files: await lab.write(rows) });
}

/** Plans and rewrites; what is committed between that and the compaction is up to the test. */
async function staged(request: CompactRequest) {
  const plan = await planCompaction(compactDeps(lab), request);
  const planLocation = plan.planLocation ?? '';
  const groups: RewrittenGroup[] = [];
  for (let group = 0; group < plan.groups; group++) {
    groups.push(await rewriteGroup(compactDeps(lab), planLocation, group));
  }
  return () => commitCompaction(compactDeps(lab), planLocation, groups);
}

const without = (all: readonly number[], ...gone: readonly number[]): readonly number[] =>
  all.filter((key) => !gone.includes(key));

describe.each(STRATEGIES)('%s', (_, request) => {
  it('has the same rows, with the sequence number of the planned snapshot', async () => {
    await appendFiles(6);
    const before = await liveRows(lab, await lab.source());
    expect(before).toHaveLength(18);
    const result = await compactDirect(compactDeps(lab), request);
    const table = await lab.source();
    expect(await liveRows(lab, table)).toEqual(before);
    expect(result).toMatchObject({ filesRemoved: 6, rows: 18n, passes: 1, skipped: [] });
    const files = await filesOf(table);
    expect(new Set(files.map(({ sequenceNumber }) => sequenceNumber))).toEqual(new Set([6n]));
    expect(files.length).toBe(result.filesAdded);
    expect(table.metadata.snapshots.at(-1)?.summary.get('operation')).toBe('replace');
    expect(table.metadata.properties.get('moraine.leases')).toBeUndefined();
  });

  it('leaves out what delete files take', async () => {
    await appendFiles(6);
    const all = await keys();
    await deleteByPosition(0, 12);
    await deleteByValue(20, 21, 22, 51);
    const left = without(all, 0, 12, 20, 21, 22, 51);
    expect(await keys()).toEqual(left);
    await compactDirect(compactDeps(lab), request);
    expect(await keys()).toEqual(left);
    expect((await filesOf(await lab.source())).every(({ deletes }) => deletes === undefined)).toBe(true);
  });

  it('holds position and equality deletes that arrive before the commit, and keeps what is appended', async () => {
    await appendFiles(6);
    await deleteByPosition(1);
    const all = await keys();
    const commit = await staged(request);
    await deleteByPosition(2, 30, 52);
    await deleteByValue(41);
    await lab.append([{ k: 41, at: 5, v: 1 }]);
    await deleteByPosition(31);
    const expected = [...without(all, 2, 30, 31, 41, 52), 41].sort((a, b) => a - b);
    expect(await keys()).toEqual(expected);
    expect(await commit()).toMatchObject({ conflicts: [] });
    expect(await keys()).toEqual(expected);
    // Deletes that were carried over count for the next compaction, too.
    await compactDirect(compactDeps(lab), { ...request, targetSizeBytes: 4000 });
    expect(await keys()).toEqual(expected);
  });

  it('holds deletes of whole files, and overwrites of others, that arrive before the commit', async () => {
    await appendFiles(6);
    await deleteByPosition(1);
    const all = await keys();
    const commit = await staged(request);
    await deleteByPosition(30);
    await deleteRowsOf(0, 2, 50, 51, 52);
    await overwriteFile(11, [{ k: 10, at: 1, v: 77 }]);
    const expected = without(all, 0, 2, 11, 12, 30, 50, 51, 52);
    const before = await liveRows(lab, await lab.source());
    expect(await keys()).toEqual(expected);
    expect(await commit()).toMatchObject({ conflicts: [] });
    expect(await liveRows(lab, await lab.source())).toEqual(before);
    await compactDirect(compactDeps(lab), { ...request, targetSizeBytes: 4000 });
    expect(await liveRows(lab, await lab.source())).toEqual(before);
  });

  it('holds deletion vectors that arrive before the commit, those of files that had one among them', async () => {
    await appendFiles(6);
    await writer().upgradeToV3();
    await deleteByVector(10, 51);
    const all = await keys();
    const commit = await staged(request);
    await deleteByVector(0, 1, 22);
    const expected = without(all, 0, 1, 22);
    expect(await keys()).toEqual(expected);
    expect(await commit()).toMatchObject({ conflicts: [] });
    expect(await keys()).toEqual(expected);
  });
});

describe('binpack alone', () => {
  const request = BINPACK;

  it('keeps row ids and sequence numbers of rows in version 3', async () => {
    await writer().upgradeToV3();
    await appendFiles(5);
    const lineage = await liveRows(lab, await lab.source(), { select: 'id, seq, k' });
    expect(lineage.slice(0, 4)).toEqual(['0|1|0', '1|1|1', '2|1|2', '3|2|10']);
    await compactDirect(compactDeps(lab), request);
    expect(await liveRows(lab, await lab.source(), { select: 'id, seq, k' })).toEqual(lineage);
    await lab.append([{ k: 99, at: 1, v: 1 }]);
    const [added] = (await liveRows(lab, await lab.source(), { select: 'id, k' })).slice(-1);
    expect(Number(added?.split('|')[0])).toBeGreaterThanOrEqual(15);
  });

  it('plans again what another compaction was faster with', async () => {
    await appendFiles(6);
    const all = await keys();
    const slower = await staged(request);
    const faster = await staged(request);
    const first = await faster();
    expect(first.conflicts).toEqual([]);
    const { committed, conflicts } = await slower();
    expect(committed).toEqual([]);
    expect(conflicts).toEqual(first.committed);
    expect(await keys()).toEqual(all);
  });

  it('commits groups together or not at all while other writers are faster with the table, not with its files', async () => {
    await appendFiles(12);
    await lab.update(NAME, [{ action: 'set-properties', updates: new Map([['commit.retry.num-retries', '0']]) }]);
    const size = (await filesOf(await lab.source())).reduce((sum, { file }) => sum + Number(file.fileSizeInBytes), 0);
    let tries = 0;
    const catalog = replacing(lab.catalog, () => ({
      commitTable: () => {
        tries += 1;
        return Promise.reject(new MoraineError('COMMIT_CONFLICT', 'Another was first.'));
      },
    }));
    const request = { ...BINPACK, targetSizeBytes: Math.ceil(size / 2) };
    const { planLocation, groups } = await planCompaction(compactDeps(lab), request);
    expect(groups).toBe(2);
    const rewritten: RewrittenGroup[] = [];
    for (const group of [0, 1]) rewritten.push(await rewriteGroup(compactDeps(lab), planLocation ?? '', group));
    const deps = compactDeps({ io: lab.io, engine: lab.engine, catalog });
    expect(await commitCompaction(deps, planLocation ?? '', rewritten)).toMatchObject({
      committed: [],
      conflicts: [0, 1],
    });
    expect(tries).toBe(1);
  });

  it('commits once, however often it is told to', async () => {
    await appendFiles(6);
    const commit = await staged(request);
    const first = await commit();
    const snapshots = (await lab.source()).metadata.snapshots.length;
    expect(await commit()).toEqual(first);
    expect((await lab.source()).metadata.snapshots).toHaveLength(snapshots);
  });
});

it('sorts by the columns', async () => {
  await appendFiles(6);
  await compactDirect(compactDeps(lab), { table: SOURCE, strategy: 'sort', columns: ['v', 'k'] });
  const rows = await liveRows(lab, await lab.source(), { select: 'row, v, k' });
  const places = rows.map((row) => row.split('|').map(Number) as [number, number, number]).sort((a, b) => a[0] - b[0]);
  const expected = places.toSorted((a, b) => a[1] - b[1] || a[2] - b[2]);
  expect(places).toEqual(expected);
});

it('interleaves the bits of the columns of a z-order', async () => {
  // The first sixteen places of the curve through a square of 4 x 4, as Morton drew it: x before y.
  const points = Array.from({ length: 16 }, (_, index) => ({ k: index % 4, at: 1, v: Math.floor(index / 4) }));
  for (let file = 0; file < 4; file++) await lab.append(points.filter((_, index) => index % 4 === file).reverse());
  await compactDirect(compactDeps(lab), { table: SOURCE, strategy: 'sort', columns: ['k', 'v'], zOrder: true });
  const rows = await liveRows(lab, await lab.source(), { select: 'row, k, v' });
  const places = rows.map((row) => row.split('|').map(Number) as [number, number, number]).sort((a, b) => a[0] - b[0]);
  const morton = ([, x, y]: readonly [number, number, number]): number =>
    ((x >> 1) << 3) | ((y >> 1) << 2) | ((x & 1) << 1) | (y & 1);
  expect(places.map(([, x]) => x)).toEqual([0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]);
  // Doubles are not evenly spaced: their order along the curve is that of their own bits.
  expect(new Set(places.map(morton)).size).toBe(16);
});

describe('a file that outweighs the small ones', () => {
  const many = (rows: number, from: number) =>
    `SELECT (n + ${from})::BIGINT, TIMESTAMPTZ '2001-01-01 00:00:00+00' + n * INTERVAL 1 SECOND, NULL::TIMESTAMPTZ, hash(n)::DOUBLE
     FROM range(${rows}) t(n)`;
  const paths = async (): Promise<readonly string[]> =>
    (await filesOf(await lab.source())).map(({ file }) => file.filePath);

  it('stays as it is while they are compacted, until together they are as large', async () => {
    await lab.appendSelect(many(20_000, 100_000));
    const [large] = await paths();
    await appendFiles(5);
    expect(await compactDirect(compactDeps(lab), BINPACK)).toMatchObject({ filesRemoved: 5, filesAdded: 1, rows: 15n });
    expect(await paths()).toHaveLength(2);
    expect(await paths()).toContain(large);
    for (const from of [200_000, 300_000]) await lab.appendSelect(many(12_000, from));
    await appendFiles(3);
    expect(await compactDirect(compactDeps(lab), BINPACK)).toMatchObject({ filesRemoved: 7, filesAdded: 1 });
    expect(await keys()).toHaveLength(20_000 + 15 + 24_000 + 9);
  });

  it('is rewritten with them where they make a file of the target size', async () => {
    await lab.appendSelect(many(20_000, 100_000));
    const [large] = (await filesOf(await lab.source())).map(({ file }) => Number(file.fileSizeInBytes));
    await appendFiles(5);
    const request = { ...BINPACK, targetSizeBytes: Math.floor((large ?? 0) * 1.34) };
    expect(await compactDirect(compactDeps(lab), request)).toMatchObject({ filesRemoved: 6, filesAdded: 1 });
  });
});
