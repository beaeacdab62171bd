/** Compaction of online tables: what a reader is told at any time from now on does not change. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type CompactRequest,
  commitCompaction,
  compactDirect,
  parseCompactRequest,
  planCompaction,
  rewriteGroup,
} from '../../../maintenance/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { getOnlineFeatures } from '../../../online/index.js';
import { commitOverwrite } from '../../../tables/index.js';
import { compactDeps, filesOf, liveRows } from '../../support/compaction-lab.js';
import { type DeletedPosition, DeleteWriter } from '../../support/delete-writer.js';
import { failureOf } from '../../support/error-code.js';
import { Lab, VIEW } from '../../support/materialization-lab.js';

const NOW_S = 1000;
const ONLINE = 'moraine_online.readings';
const NAME = { namespace: ['moraine_online'], name: 'readings' };
// In online tables sort is binpack: both keep the table's order.
const STRATEGIES = ['binpack', 'latest'] as const;

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  lab.view = { ...VIEW, onlineBuckets: 1 };
  await lab.createSource();
});
afterEach(() => lab.close());

const deps = () => compactDeps(lab, lab.definitions);
const request = (strategy: CompactRequest['strategy']): CompactRequest => ({ table: ONLINE, strategy });
const at = { nowUs: BigInt(NOW_S) * 1_000_000n };

async function materialize(): Promise<void> {
  await materializeDirect(lab.deps, { view: 'readings', nowUs: at.nowUs });
}

/** The served values of keys 1 to 4 now and later. */
async function answers(): Promise<readonly string[]> {
  const all: string[] = [];
  for (const time of [NOW_S, 1999, 2000, 5000]) {
    const { rows } = await getOnlineFeatures(lab.deps, {
      view: 'readings',
      entities: [1, 2, 3, 4].map((k) => ({ k })),
      nowUs: BigInt(time) * 1_000_000n,
      readTimeoutMs: 60_000,
    });
    all.push(
      ...rows.map((row) =>
        row
          .map(
            ({ status, value, eventTimestampUs }) =>
              `${status} ${JSON.stringify(value) ?? ''} ${eventTimestampUs ?? ''}`,
          )
          .join(),
      ),
    );
  }
  return all;
}

const online = () => lab.online();
const ROWS = 'k, epoch_us(event_timestamp) // 1000000, v, _pushed';

/** Corrections of a smaller value, rows from the future, pushed rows newer and older than others. */
async function fill(): Promise<void> {
  await lab.append([
    { k: 1, at: 10, v: 1 },
    { k: 2, at: 20, v: 2 },
    { k: 3, at: 2000, v: 30 },
  ]);
  await materialize();
  await lab.append([
    { k: 1, at: 30, v: 9 },
    { k: 3, at: 50, v: 31 },
  ]);
  await materialize();
  await lab.append([{ k: 1, at: 30, v: 4 }]);
  await materialize();
  await lab.push({ k: 4, at: 15, v: 5 });
  await lab.push({ k: 4, at: 12, v: 6 });
  await lab.push({ k: 1, at: 5, v: 99 });
}

async function staged(strategy: CompactRequest['strategy']) {
  const { planLocation } = await planCompaction(deps(), request(strategy), at);
  const group = await rewriteGroup(deps(), planLocation ?? '', 0);
  return () => commitCompaction(deps(), planLocation ?? '', [group]);
}

/** Where the row with a value lies. */
async function placeOf(value: number): Promise<DeletedPosition> {
  const rows = (await liveRows(lab, await online(), { select: 'v, file, row' })).map((row) => row.split('|'));
  const [, path = '', position] = rows.find(([v]) => v === String(value)) ?? [];
  return { path, position: Number(position) };
}

async function deleteByPosition(value: number): Promise<void> {
  const writer = new DeleteWriter(lab, NAME);
  const deletes = await writer.positions([await placeOf(value)], { partition: [0] });
  await writer.commit([deletes]);
}

const BINPACKED = [
  '1|10|1|false',
  '1|30|4|false',
  '1|5|99|true',
  '2|20|2|false',
  '3|2000|30|false',
  '3|50|31|false',
  '4|12|6|true',
  '4|15|5|true',
];
const LATEST = ['1|30|4|false', '1|5|99|true', '2|20|2|false', '3|2000|30|false', '3|50|31|false', '4|15|5|true'];

it('latest keeps of each time of the future the row that wins, and the newest that was pushed', async () => {
  await lab.append([{ k: 1, at: 2000, v: 1, created: 5 }]);
  await materialize();
  await lab.append([
    { k: 1, at: 2000, v: 2, created: 4 },
    { k: 1, at: 3000, v: 3 },
  ]);
  await materialize();
  await lab.push({ k: 1, at: 2000, v: 8, created: 2 });
  await lab.push({ k: 1, at: 2000, v: 9, created: 1 });
  await compactDirect(deps(), request('latest'), at);
  const rows = await liveRows(lab, await online(), { select: ROWS });
  expect([...rows].sort()).toEqual(['1|2000|1|false', '1|2000|8|true', '1|3000|3|false']);
});

describe.each(STRATEGIES)('%s', (strategy) => {
  it('changes no answer from now on, and drops what cannot win any more', async () => {
    await fill();
    const before = await answers();
    expect(before.slice(0, 4)).toEqual([
      'PRESENT 4 30000000',
      'PRESENT 2 20000000',
      'PRESENT 31 50000000',
      'PRESENT 5 15000000',
    ]);
    await compactDirect(deps(), request(strategy), at);
    expect(await answers()).toEqual(before);
    const rows = [...(await liveRows(lab, await online(), { select: ROWS }))].sort();
    expect(rows).toEqual([...(strategy === 'latest' ? LATEST : BINPACKED)].sort());
    expect(await filesOf(await online())).toHaveLength(1);
    // The progress that the table records is still that of its source: nothing is read again.
    const again = await materializeDirect(lab.deps, { view: 'readings', nowUs: at.nowUs });
    expect(again.commit?.rows ?? 0n).toBe(0n);
  });

  it('lets a correction win that arrives before the commit', async () => {
    await fill();
    const commit = await staged(strategy);
    await lab.append([{ k: 2, at: 20, v: 0 }]);
    await materialize();
    expect((await commit()).conflicts).toEqual([]);
    expect((await answers())[1]).toBe('PRESENT 0 20000000');
  });

  it('is planned again when the row is deleted that older ones gave way to', async () => {
    await fill();
    const commit = await staged(strategy);
    await deleteByPosition(4);
    const before = await answers();
    expect(before[0]).toBe('PRESENT 9 30000000');
    expect((await commit()).conflicts).toEqual([0]);
    expect(await answers()).toEqual(before);
    await compactDirect(deps(), request(strategy), at);
    expect(await answers()).toEqual(before);
  });

  it('is planned again when the file of that row leaves, and committed when all files of a bucket do', async () => {
    await fill();
    const commit = await staged(strategy);
    const { path } = await placeOf(4);
    await commitOverwrite(await online(), { removeFiles: [path], files: [] });
    const before = await answers();
    expect(before[0]).toBe('PRESENT 9 30000000');
    expect((await commit()).conflicts).toEqual([0]);
    expect(await answers()).toEqual(before);
    const late = await staged(strategy);
    await commitOverwrite(await online(), { removePartitions: { specId: 0, tuples: [[0]] }, files: [] });
    await lab.push({ k: 2, at: 20, v: 8 });
    expect((await late()).conflicts).toEqual([]);
    expect((await answers()).slice(0, 4)).toEqual([
      'NOT_FOUND null ',
      'PRESENT 8 20000000',
      'NOT_FOUND null ',
      'NOT_FOUND null ',
    ]);
    expect(await filesOf(await online())).toHaveLength(1);
  });

  it('holds deletes of whole entities that arrive before the commit', async () => {
    await fill();
    const commit = await staged(strategy);
    const keyId = (await online()).metadata.schemas.at(-1)?.fields.find(({ name }) => name === 'k')?.id ?? 0;
    const writer = new DeleteWriter(lab, NAME);
    await writer.commit([await writer.equality({ k: keyId }, 'SELECT 1::BIGINT AS k', { partition: [0] })]);
    expect((await commit()).conflicts).toEqual([]);
    expect((await answers())[0]).toBe('NOT_FOUND null ');
  });
});

it('drops expired rows when asked to, and no others', async () => {
  lab.view = { ...lab.view, ttlMs: 960_000n };
  await fill();
  const before = await answers();
  const result = await compactDirect(deps(), { ...request('latest'), dropExpired: true }, at);
  // Older than 1000 s - 960 s: only the key 3 has rows from 40 s on.
  expect(await liveRows(lab, await online(), { select: ROWS })).toEqual(['3|50|31|false', '3|2000|30|false']);
  expect(result.rows).toBe(2n);
  const after = await answers();
  expect(after.filter((_, index) => index % 4 === 2)).toEqual(before.filter((_, index) => index % 4 === 2));
});

describe('refuses', () => {
  it('latest for a table that is not online, and columns that it does not have', async () => {
    await lab.append([{ k: 1, at: 1, v: 1 }]);
    for (const [wrong, message] of [
      [{ table: 'demo.source', strategy: 'latest' }, /not an online table/],
      [{ table: 'demo.source', strategy: 'sort' }, /no sort order/],
      [{ table: 'demo.source', strategy: 'sort', columns: ['vv'] }, /no column "vv".*'v'/],
    ] as const) {
      const failure = await failureOf(compactDirect(deps(), wrong));
      expect(failure).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) as string });
    }
    expect(await failureOf(compactDirect(deps(), { table: 'demo.nothing', strategy: 'binpack' }))).toMatchObject({
      code: 'TABLE_NOT_FOUND',
    });
    expect((await lab.source()).metadata.snapshots).toHaveLength(1);
  });

  it('JSON with a wrong or missing field, a budget of zero, and options of other strategies', () => {
    const problem = (json: unknown): string => {
      try {
        parseCompactRequest(json);
        return 'accepted';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(problem(null)).toMatch(/expected object/);
    expect(problem({ strategy: 'binpack' })).toMatch(/"table"/);
    expect(problem({ table: 'a.b' })).toMatch(/"strategy"/);
    expect(problem({ table: 'a.b', strategy: 'zip' })).toMatch(/"binpack"\|"sort"\|"latest"/);
    expect(problem({ table: 'a.b', strategy: 'binpack', maxBytes: 0 })).toMatch(/"maxBytes"/);
    expect(problem({ table: 'a.b', strategy: 'binpack', targetSizeBytes: 1 })).toMatch(
      /"targetSizeBytes": must be at least 1048576 \(1 MiB\)/,
    );
    expect(problem({ table: 'a.b', strategy: 'binpack', targetSizeBytes: 2 ** 20 })).toBe('accepted');
    expect(problem({ table: 'a.b', strategy: 'binpack', budget: 1 })).toMatch(/budget/);
    expect(problem({ table: 'a.b', strategy: 'binpack', columns: ['x'] })).toMatch(/takes no columns/);
    expect(problem({ table: 'a.b', strategy: 'sort', columns: ['x'], zOrder: true })).toMatch(/two columns/);
    expect(problem({ table: 'a.b', strategy: 'sort', dropExpired: true })).toMatch(/drops no rows/);
    expect(problem({ table: 'a.b', strategy: 'sort', columns: ['x'] })).toBe('accepted');
  });
});

describe('ties of a source without created', () => {
  const SOURCE: CompactRequest = { table: 'demo.source', strategy: 'binpack' };
  const winner = async (): Promise<unknown> => {
    await lab.catalog.dropTable(NAME);
    await materialize();
    return (await liveRows(lab, await online(), { select: 'v' }))[0];
  };

  beforeEach(async () => {
    lab.view = { ...lab.view, source: { table: 'demo.source', timestampField: 'event_ts' } };
    for (const v of [9, 4, 8, 7, 6]) await lab.append([{ k: v, at: 10, v }]);
  });

  it('a group whose files tell tied rows apart is left, and reported; --allow-tie-change overrides', async () => {
    await lab.append([{ k: 9, at: 10, v: 3 }]);
    await materialize();
    const skipped = [{ reason: expect.stringMatching(/rows of readings that tie/) as string, files: 6 }];
    expect(await compactDirect(deps(), SOURCE)).toMatchObject({ groups: 0, skipped });
    expect(await filesOf(await lab.source())).toHaveLength(6);
    const forced = await compactDirect(deps(), { ...SOURCE, allowTieChange: true });
    expect(forced).toMatchObject({ groups: 1, skipped: [] });
  });

  it('rows that tie and are equal, or tie with nothing, hold nothing up', async () => {
    await lab.append([{ k: 9, at: 10, v: 9 }]);
    await lab.append([{ k: 9, at: 11, v: 1 }]);
    expect(await compactDirect(deps(), SOURCE)).toMatchObject({ groups: 1, skipped: [] });
  });

  it('a row that ties with one of a file that stays counts, too', async () => {
    await lab.append([{ k: 9, at: 10, v: 3 }]);
    await materialize();
    const before = await winner();
    const result = await compactDirect(deps(), { ...SOURCE, where: 'v > 3' });
    expect(result.groups).toBe(0);
    expect(result.skipped[0]?.files).toBe(5);
    expect(await winner()).toBe(before);
  });
});
