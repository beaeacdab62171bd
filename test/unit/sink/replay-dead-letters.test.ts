/** Dead letters that fit become rows, each once, whatever happens to replays on the way. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deleteRows } from '../../../deletes/index.js';
import type { Engine } from '../../../engine/index.js';
import { MoraineError } from '../../../errors/index.js';
import { bindExpression, currentSchema, currentSnapshot, parseExpression } from '../../../iceberg/index.js';
import { placedSql } from '../../../sink/dead-letters/letter-places.js';
import { type ReplayedBatch, type ReplayRequest, replayDeadLetters, type SinkRecords } from '../../../sink/index.js';
import { loadTable } from '../../../tables/index.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { type CommitFault, listed, openSinkEngine, SinkWorld } from '../../support/sink-world.js';
import { IDENTIFIER } from '../../support/table-fixture.js';

const DEAD = { namespace: ['ns'], name: 'dead' };
let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

/** Dead letters `-n` as rows of the id n, those of them that are at most `limit`. */
const negated =
  (limit: number) =>
  (letters: readonly Uint8Array[]): SinkRecords => ({
    count: letters.length,
    bytes: 10 * letters.length,
    open: async () => {
      const ids = letters.map((raw) => -Number(Buffer.from(raw).toString()));
      const good = ids.filter((id) => id <= limit);
      const rejected = ids.flatMap((id, index) => {
        const position = { partition: 'dead', offset: BigInt(index) };
        return id <= limit ? [] : [{ reason: 'TOO_LARGE', message: `${id}`, raw: Buffer.from(`${-id}`), position }];
      });
      const values = good.map((id) => `(${id}::BIGINT, 'c${id % 3}', 0::DOUBLE)`).join(', ');
      const sql = `SELECT * FROM (VALUES ${values}) AS v(id, category, amount)`;
      return { sql, rows: BigInt(good.length), rejected, close: () => Promise.resolve() };
    },
  });

/** A table with the rows 1 to 3 and the dead letters -10 to -15. */
async function world(): Promise<SinkWorld> {
  const opened = await SinkWorld.open(engine);
  const sink = await opened.sink({ deadLetters: DEAD });
  await sink.writer(0).writeBatch(...listed('p', 0, 1, -10, -11, -12));
  await sink.flush();
  await sink.writer(0).writeBatch(...listed('p', 4, 2, 3, -13, -14, -15));
  await sink.close();
  return opened;
}

async function replay(
  { catalog, fixture: { io } }: SinkWorld,
  limit = 99,
  options: Partial<ReplayRequest> = {},
): Promise<{ readonly rows: bigint; readonly commits: number; readonly left: readonly string[] }> {
  const batches: ReplayedBatch[] = [];
  await replayDeadLetters(
    { catalog, io, engine },
    {
      ...{ deadLetters: DEAD, table: IDENTIFIER, records: negated(limit) },
      onBatch: (batch) => batches.push(batch),
      ...options,
    },
  );
  return {
    rows: batches.reduce((sum, { rows }) => sum + rows, 0n),
    commits: batches.filter(({ snapshotId }) => snapshotId !== null).length,
    left: batches.flatMap(({ rejected }) => rejected.map(({ message }) => message)),
  };
}

const marked = async (lab: SinkWorld): Promise<readonly string[]> =>
  (await lab.rowsOf(DEAD, "raw::VARCHAR || CASE WHEN replayed_at IS NULL THEN '' ELSE ' replayed' END")).map(String);
const ALL = [1, 2, 3, 10, 11, 12, 13, 14, 15];
const dies: CommitFault = () => Promise.reject(new MoraineError('STORAGE_UNAVAILABLE', 'down'));

test('records of one source are replayed by position whatever clocks said, those of several as they were left out', async () => {
  const letters = [
    ['a5', 's', 'a', 5, 30],
    ['a6', 's', 'a', 6, 10],
    ['a4', 's', 'a', 4, 3],
    ['b1', 's', 'b', 1, 20],
    ['other', 't', 'a', 7, 25],
    ['early', 's', null, null, 5],
    ['late', 's', null, null, 40],
    // Read again after a rollback.
    ['a5', 's', 'a', 5, 50],
  ] as const;
  const texts = letters.map(([id, sink, source, position, at]) => {
    const place = source === null ? 'NULL::VARCHAR, NULL::BIGINT' : `'${source}', ${position}::BIGINT`;
    return `('${id}', '${sink}', ${place}, make_timestamptz(${at}))`;
  });
  const rows = `(VALUES ${texts.join(', ')}) AS v("id", "sink", "source", "position", "rejected_at")`;
  const found = await engine.withConnection((connection) =>
    connection.rows(`SELECT id, n, times FROM (${placedSql(rows, "id <> 'none'", ['count(*) AS times'])}) ORDER BY n`),
  );
  expect(found).toEqual([
    ['a4', 0n, 1n],
    ['early', 1n, 1n],
    ['b1', 2n, 1n],
    ['other', 3n, 1n],
    ['a5', 4n, 2n],
    ['a6', 5n, 1n],
    ['late', 6n, 1n],
  ]);
});

test('those that fit become rows in whole batches and are marked; others stay', async () => {
  const lab = await world();
  expect(await replay(lab, 99, { dryRun: true })).toEqual({ rows: 6n, commits: 0, left: [] });
  expect(await lab.ids()).toEqual([1, 2, 3]);
  expect(await replay(lab, 13, { batchSize: 3 })).toEqual({ rows: 4n, commits: 2, left: ['14', '15'] });
  expect(await lab.ids()).toEqual([1, 2, 3, 10, 11, 12, 13]);
  const replayed = ['-10 replayed', '-11 replayed', '-12 replayed', '-13 replayed'];
  expect(await marked(lab)).toEqual([...replayed, '-14', '-15']);
  expect(await replay(lab)).toEqual({ rows: 2n, commits: 1, left: [] });
  expect(await replay(lab)).toEqual({ rows: 0n, commits: 0, left: [] });
  expect(await lab.ids()).toEqual(ALL);
  expect((await marked(lab)).filter((text) => text.endsWith('replayed'))).toHaveLength(6);
});

test('a replay that dies with its rows in and nothing marked is finished by the next one', async () => {
  const lab = await world();
  // The lease is no commit of rows.
  lab.otherFaults.push(dies);
  expect(await rejectionCode(replay(lab, 12))).toBe('STORAGE_UNAVAILABLE');
  expect([await lab.ids(), await marked(lab)]).toEqual([
    [1, 2, 3, 10, 11, 12],
    ['-10', '-11', '-12', '-13', '-14', '-15'],
  ]);
  expect(await replay(lab)).toEqual({ rows: 3n, commits: 1, left: [] });
  expect(await lab.ids()).toEqual(ALL);
});

test.each([
  ['landed', true],
  ['was lost', false],
])('an unknown outcome of the rows, which %s, is settled by the next replay', async (_, landed) => {
  const lab = await world();
  const unknown: CommitFault = async (commit) => {
    if (landed) await commit();
    throw new MoraineError('COMMIT_STATE_UNKNOWN', 'No answer came.');
  };
  // The claim goes through.
  lab.faults.push((commit) => commit(), unknown, ...(landed ? [] : [dies]));
  await replay(lab).catch(() => undefined);
  expect((await lab.ids()).length).toBe(landed ? 9 : 3);
  await replay(lab);
  expect(await lab.ids()).toEqual(ALL);
  expect((await marked(lab)).every((text) => text.endsWith('replayed'))).toBe(true);
});

test('of two replays at once the later one goes on, and no row is there twice', async () => {
  const lab = await world();
  let second: Promise<unknown> | undefined;
  const first = replay(lab, 99, {
    batchSize: 2,
    onBatch: () => {
      second ??= replay(lab);
    },
  });
  expect(await rejectionCode(first)).toBe('SINK_FENCED');
  await second;
  expect(await lab.ids()).toEqual(ALL);
  expect((await marked(lab)).every((text) => text.endsWith('replayed'))).toBe(true);
});

/** Removes the lists of what replays have made rows of, as a sweep does once their leases have gone. */
function sweepLists({ fixture: { folder } }: SinkWorld): number {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const lists = files.filter((file) => file.endsWith('-replayed.json'));
  for (const list of lists) rmSync(join(folder, list));
  return lists.length;
}

async function rollBackDead({ fixture: { catalog, io } }: SinkWorld): Promise<void> {
  const { metadata } = await loadTable(catalog, io, DEAD);
  const snapshotId = currentSnapshot(metadata)?.parentSnapshotId;
  if (snapshotId === undefined) throw new Error('There is nothing to roll back to.');
  const ref = { type: 'branch', snapshotId } as const;
  await catalog.commitTable(DEAD, {
    requirements: [],
    updates: [{ action: 'set-snapshot-ref', refName: 'main', ref }],
  });
}

test('a replay does not need the list of the one before, which a sweep has taken', async () => {
  const lab = await world();
  expect(await replay(lab, 12)).toMatchObject({ rows: 3n });
  expect(sweepLists(lab)).toBe(1);
  expect(await replay(lab, 13)).toMatchObject({ rows: 1n });
  expect(await lab.ids()).toEqual([1, 2, 3, 10, 11, 12, 13]);
});

test('a replay that died behind its marks, or whose dead letters others have deleted, leaves nothing to look for', async () => {
  const lab = await world();
  lab.otherFaults.push(dies);
  await replay(lab, 12).catch(() => undefined);
  const { catalog, io } = lab.fixture;
  await engine.withConnection(async (connection) => {
    const table = await loadTable(catalog, io, DEAD);
    const replayed = parseExpression("message = '-10' OR message = '-11' OR message = '-12'");
    const filter = bindExpression(replayed, currentSchema(table.metadata));
    expect((await deleteRows(table, connection, { filter })).rows).toBe(3n);
  });
  expect(await replay(lab, 12)).toMatchObject({ rows: 0n });
  expect(sweepLists(lab)).toBe(1);
  expect(await replay(lab)).toMatchObject({ rows: 3n });
  expect(await lab.ids()).toEqual(ALL);
});

test('dead letters that are left out are marked, also where no other becomes a row', async () => {
  const lab = await world();
  const leftOut = (letters: readonly Uint8Array[]): SinkRecords => ({
    ...negated(99)(letters),
    open: () =>
      Promise.resolve({
        ...{ sql: 'SELECT', rows: 0n, rejected: [], omitted: letters.map((_, index) => BigInt(index)) },
        close: () => Promise.resolve(),
      }),
  });
  expect(await replay(lab, 99, { records: leftOut })).toMatchObject({ rows: 0n, left: [] });
  expect((await marked(lab)).every((text) => text.endsWith('replayed'))).toBe(true);
  expect(await replay(lab)).toMatchObject({ rows: 0n, commits: 0 });
  expect(await lab.ids()).toEqual([1, 2, 3]);
});

test('marks that were rolled back are made again, and no row is there twice', async () => {
  const lab = await world();
  expect(await replay(lab)).toMatchObject({ rows: 6n });
  await rollBackDead(lab);
  expect((await marked(lab)).some((text) => text.endsWith('replayed'))).toBe(false);
  expect(await replay(lab)).toMatchObject({ rows: 0n });
  expect([await lab.ids(), (await marked(lab)).every((text) => text.endsWith('replayed'))]).toEqual([ALL, true]);
});

test('dead letters that arrive while others are marked are kept', async () => {
  const lab = await world();
  const sink = await lab.sink({ deadLetters: DEAD });
  lab.otherFaults.push(async (commit) => {
    await sink.writer(0).writeBatch(...listed('p', 9, 4, -16));
    await sink.flush();
    return await commit();
  });
  await replay(lab);
  await sink.close();
  expect(await lab.ids()).toEqual([1, 2, 3, 4, ...ALL.slice(3)]);
  expect((await marked(lab)).filter((text) => !text.endsWith('replayed'))).toEqual(['-16']);
});

test('a list of replayed dead letters that somebody has overwritten stops the sink, and the rows stay once', async () => {
  const lab = await world();
  lab.otherFaults.push(() => Promise.reject(new MoraineError('STORAGE_UNAVAILABLE', 'down')));
  expect(await rejectionCode(replay(lab))).toBe('STORAGE_UNAVAILABLE');
  const { location } = (await loadTable(lab.fixture.catalog, lab.fixture.io, DEAD)).metadata;
  const lists = readdirSync(location, { recursive: true })
    .map((name) => join(location, String(name)))
    .filter((name) => name.endsWith('.json') && readFileSync(name, 'utf8').includes('"replayed-at-ms"'));
  expect(lists).toHaveLength(1);
  for (const list of lists) writeFileSync(list, '{}');
  const failure = await failureOf(replay(lab));
  expect([failure.code, failure.message]).toEqual([
    'METADATA_CORRUPT',
    `${lists[0]} is no list of replayed dead letters.`,
  ]);
  expect(new Set(await lab.ids()).size).toBe((await lab.ids()).length);
});
