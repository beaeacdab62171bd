/** A sink that upserts: one row of each key, the highest by the order, whatever others do to the table meanwhile. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { currentSchema, currentSnapshot, parseSchema } from '../../../iceberg/index.js';
import type { SinkSnapshot } from '../../../sink/index.js';
import { stageRows } from '../../../staging/index.js';
import { commitOverwrite, planFiles } from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { runs, timeLimit } from '../../support/property-runs.js';
import { openSinkEngine, SinkWorld } from '../../support/sink-world.js';
import { append, json, openUpsert, type Row, rowsOf, upsertWorld } from '../../support/upsert-lab.js';

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

describe.each([2, 3] as const)('in a table of version %d', (version) => {
  test('one row of each key stays: of the batch, and of the table in any partition', async () => {
    const lab = await upsertWorld(engine, version);
    const sink = await openUpsert(lab);
    await sink.writer(0).writeBatch(json(['a', 1, 5, 'a5'], ['b', 1, 1, 'b1'], ['a', 2, 4, 'a4']));
    await sink.writer(0).writeBatch(json(['b', 2, 1, 'b1 again'], ['c', 1, null, 'c']));
    const first = await sink.flush();
    expect([first.rows, first.superseded]).toEqual([3n, 2n]);
    expect(await rowsOf(lab)).toEqual([
      ['a', 1, 5, 'a5'],
      ['b', 2, 1, 'b1 again'],
      ['c', 1, null, 'c'],
    ]);
    // Moves to another partition, comes late, ties, has a value at last; and a new one.
    await sink
      .writer(0)
      .writeBatch(json(['a', 3, 6, 'a6'], ['b', 1, 0.5, 'late'], ['c', 2, -1, 'c-1'], ['d', 1, 0, 'd']));
    const second = await sink.flush();
    expect([second.rows, second.superseded]).toEqual([3n, 1n]);
    await sink
      .writer(0)
      .writeBatch(json(['a', 1, 6, 'a tie'], ['c', 1, null, 'null is below'], ['d', 2, 1e308, 'd high']));
    await sink.close();
    expect(await rowsOf(lab)).toEqual([
      ['a', 1, 6, 'a tie'],
      ['b', 2, 1, 'b1 again'],
      ['c', 2, -1, 'c-1'],
      ['d', 2, 1e308, 'd high'],
    ]);
  });

  test('what others append, rewrite and delete between the look-up and the commit is looked up again', async () => {
    const lab = await upsertWorld(engine, version);
    await append(lab, ['a', 1, 1, 'a1'], ['b', 1, 1, 'b1'], ['c', 2, 9, 'c9']);
    const sink = await openUpsert(lab);
    await sink.writer(0).writeBatch(json(['a', 1, 2, 'a2'], ['b', 1, 2, 'b2'], ['c', 1, 2, 'c2'], ['d', 1, 1, 'd1']));
    let attempts = 0;
    lab.faults.push(async (commit) => {
      attempts += 1;
      await append(lab, ['d', 3, 5, 'd5'], ['a', 4, 0, 'a0']);
      return await commit();
    });
    lab.faults.push(async (commit) => {
      attempts += 1;
      // A compaction of the partition in which b lies, and c is gone.
      const table = await lab.load();
      const { files } = await planFiles(table, {
        snapshot: currentSnapshot(table.metadata),
        schema: currentSchema(table.metadata),
      });
      const old = files.filter(({ file }) =>
        ['a1', 'c9'].some((v) => Buffer.from(file.lowerBounds?.get(1) ?? []).toString() === v),
      );
      const select =
        "SELECT *, NULL::BOOLEAN FROM (VALUES ('b1', 'b', 1::DOUBLE, 1::INTEGER), ('a1', 'a', 1::DOUBLE, 1::INTEGER))";
      const written = await engine.withConnection((connection) =>
        stageRows(connection, table, { select, namePrefix: 'compacted' }),
      );
      await commitOverwrite(table, { files: written, removeFiles: old.map(({ file }) => file.filePath) });
      return await commit();
    });
    const { rows, superseded } = await sink.flush();
    expect([attempts, rows, superseded]).toEqual([2, 3n, 1n]);
    expect(await rowsOf(lab)).toEqual([
      ['a', 1, 2, 'a2'],
      ['b', 1, 2, 'b2'],
      ['c', 1, 2, 'c2'],
      ['d', 3, 5, 'd5'],
    ]);
  });
});

test('a record without a key is no row, and takes no other away', async () => {
  const lab = await upsertWorld(engine);
  await append(lab, ['a', 1, 1, 'a1']);
  const sink = await openUpsert(lab);
  await sink.writer(0).writeBatch(json([null as unknown as string, 1, 9, 'null'], ['b', 1, 2, 'b2']));
  const { rows, superseded, rejected } = await sink.flush();
  expect([rows, superseded, rejected.map(({ reason }) => reason)]).toEqual([1n, 0n, ['MISSING_REQUIRED']]);
  await sink.close();
  expect(await rowsOf(lab)).toEqual([
    ['a', 1, 1, 'a1'],
    ['b', 1, 2, 'b2'],
  ]);
});

test('rows are not ordered by a column of several values: the table is not claimed', async () => {
  const fields = [
    { id: 1, name: 'k', required: true, type: 'string' },
    {
      id: 2,
      name: 'at',
      required: false,
      type: { type: 'list', 'element-id': 3, element: 'long', 'element-required': true },
    },
  ];
  const schema = parseSchema({ type: 'struct', 'schema-id': 0, fields });
  const lab = await SinkWorld.open(engine, { schema, partitionSpec: { specId: 0, fields: [] } });
  await expect(openUpsert(lab, { upsert: { key: ['k'], order: 'at' } })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: 'Rows cannot be ordered by the nested column "at".',
  });
  expect((await lab.load()).metadata.snapshots).toEqual([]);
});

test('a checkpoint of an upsert is compared with the table as it is when it is committed', async () => {
  const lab = await upsertWorld(engine);
  const sink = await openUpsert(lab);
  await sink.writer(0).writeBatch(json(['a', 1, 1, 'a1'], ['b', 1, 1, 'b1']));
  const state = JSON.parse(JSON.stringify(await sink.snapshot())) as SinkSnapshot;
  await append(lab, ['a', 2, 7, 'a7'], ['b', 2, 0, 'b0']);
  const next = await openUpsert(lab);
  for (let time = 0; time < 2; time++) await (await openUpsert(lab)).restore(state);
  expect(await rowsOf(lab)).toEqual([
    ['a', 2, 7, 'a7'],
    ['b', 1, 1, 'b1'],
  ]);
  expect(await rejectionCode(next.flush().then(() => next.restore(state)))).toBe('SINK_FENCED');
});

const KNOWN = 'it has v, key, at, part, deleted';
const NO_KEY = 'it must be required, and neither a floating-point number nor nested.';
test.each([
  ['no such column', { key: ['no'], order: 'at' }, 'COLUMN_NOT_FOUND', `The table has no column "no"; ${KNOWN}.`],
  [
    'a key that may be null',
    { key: ['v'], order: 'at' },
    'INVALID_ARGUMENT',
    `The column "v" cannot be of a key: ${NO_KEY}`,
  ],
  [
    'a key of a floating-point number',
    { key: ['at'], order: 'at' },
    'INVALID_ARGUMENT',
    `The column "at" cannot be of a key: ${NO_KEY}`,
  ],
  ['no key', { key: [], order: 'at' }, 'INVALID_ARGUMENT', 'An upsert needs the columns of its key, each once.'],
  [
    'a key twice',
    { key: ['key', 'key'], order: 'at' },
    'INVALID_ARGUMENT',
    'An upsert needs the columns of its key, each once.',
  ],
  ['no such order', { key: ['key'], order: 'no' }, 'COLUMN_NOT_FOUND', `The table has no column "no"; ${KNOWN}.`],
])('%s is refused when the sink is opened', async (_, upsert, code, message) => {
  const lab = await upsertWorld(engine);
  await expect(lab.sink({ upsert })).rejects.toMatchObject({ code, message });
});

test('random batches, foreign rows and restarts leave what a map leaves', { timeout: timeLimit(120_000) }, async () => {
  const record = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(2), fc.option(fc.nat(5)), fc.constant(''));
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ batch: fc.array(record, { minLength: 1, maxLength: 6 }) }) },
    { weight: 1, arbitrary: fc.constant('reopen' as const) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 8 }),
      fc.constantFrom(2 as const, 3 as const),
      async (steps, version) => {
        const lab = await upsertWorld(engine, version);
        let sink = await openUpsert(lab);
        const expected = new Map<string, Row>();
        let number = 0;
        for (const each of steps) {
          if (each === 'reopen') {
            await sink.close();
            sink = await openUpsert(lab);
            continue;
          }
          const rows = each.batch.map(([key, part, at]): Row => [key, part, at, `v${(number += 1)}`]);
          for (const row of rows) {
            const before = expected.get(row[0]);
            if (before === undefined || (row[2] ?? -1) >= (before[2] ?? -1)) expected.set(row[0], row);
          }
          await sink.writer(0).writeBatch(json(...rows));
          await sink.flush();
        }
        expect(await rowsOf(lab)).toEqual([...expected.values()].sort(([a], [b]) => (a < b ? -1 : 1)));
        await sink.close();
      },
    ),
    { numRuns: runs(12) },
  );
});
