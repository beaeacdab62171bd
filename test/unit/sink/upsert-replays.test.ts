/** Dead letters that are replayed into a table with one row of each key: what is newer stays. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { stageRows } from '../../../staging/index.js';
import { commitRewrite, planFiles, selectSnapshot } from '../../../tables/index.js';
import { failureOf } from '../../support/error-code.js';
import { runs, timeLimit } from '../../support/property-runs.js';
import { openSinkEngine } from '../../support/sink-world.js';
import { IDENTIFIER } from '../../support/table-fixture.js';
import {
  BAD,
  compact,
  LATE_MEND,
  type Row,
  replay,
  rowsOf,
  type SourceRecord,
  stream,
  streamOf,
  UPSERT,
  upsertWorld,
  WORSE,
} from '../../support/upsert-lab.js';

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

describe.each([2, 3] as const)('a dead letter that is replayed into a table of version %d', (version) => {
  test('is refused unless it is replayed with the key and the order of its sink', async () => {
    const lab = await upsertWorld(engine, version);
    await stream(lab, [['a', 1, 1, 'a1', BAD]], [['a', 1, 5, 'a5']]);
    for (const upsert of [undefined, { key: ['part'], order: 'at' }, { key: ['key'], order: 'v' }])
      for (const dryRun of [false, true]) {
        const error = await failureOf(replay(lab, {}, { upsert, dryRun }));
        expect([error.code, error.message]).toEqual([
          'INVALID_ARGUMENT',
          'Sink "s" keeps one row of each key of ns.t: its dead letters are replayed so, too.',
        ]);
        expect(error.remedy).toContain('--upsert key --order at');
      }
    expect(await replay(lab)).toEqual([[0n, 1n, 0]]);
    expect(await rowsOf(lab)).toEqual([['a', 1, 5, 'a5']]);
  });

  test('is replayed without those of sinks of the table that write in another way, or of which that is not known', async () => {
    const lab = await upsertWorld(engine, version);
    await stream(lab, [['a', 1, 1, 'a1', BAD]]);
    const other = { key: ['part', 'key'], order: 'at' };
    const sinks = [
      { name: 'other', upsert: other, row: ['b', 1, 1, 'b1', BAD] },
      { name: 'damaged', upsert: UPSERT, row: ['c', 1, 1, 'c1', BAD] },
    ] as const;
    for (const { row, ...options } of sinks) await streamOf(lab, options, [row]);
    const updates = [{ action: 'set-properties', updates: new Map([['moraine.sink.damaged', '{']]) }] as const;
    await lab.fixture.catalog.commitTable(IDENTIFIER, { requirements: [], updates });
    const before = (await lab.load()).metadata.currentSnapshotId;
    expect((await failureOf(replay(lab, {}, { upsert: undefined }))).code).toBe('SINK_POSITION_UNKNOWN');
    // It has claimed nothing.
    expect((await lab.load()).metadata.currentSnapshotId).toBe(before);
    const notices: string[] = [];
    const onNotice = (text: string) => notices.push(text);
    expect(await replay(lab, {}, { onNotice })).toEqual([[1n, 0n, 0]]);
    expect(notices).toEqual([
      expect.stringContaining('"damaged"'),
      'Sink "other" keeps one row of each key of ns.t: its dead letters are replayed so, too. They are left. Replay them with --upsert part,key --order at (upsert: {"key":["part","key"],"order":"at"}).',
    ]);
    expect(await replay(lab, {}, { upsert: other })).toEqual([[1n, 0n, 0]]);
    expect(await rowsOf(lab)).toEqual([
      ['a', 1, 1, 'a1'],
      ['b', 1, 1, 'b1'],
    ]);
  });

  test('never beats a newer row', async () => {
    const lab = await upsertWorld(engine, version);
    await stream(
      lab,
      [
        ['a', 1, 1, 'a1', BAD],
        ['b', 1, 9, 'b9', BAD],
      ],
      [
        ['a', 2, 5, 'a5'],
        ['b', 2, 5, 'b5'],
      ],
    );
    expect([await replay(lab), await replay(lab)]).toEqual([[[1n, 1n, 0]], []]);
    expect(await rowsOf(lab)).toEqual([
      ['a', 2, 5, 'a5'],
      ['b', 1, 9, 'b9'],
    ]);
  });

  test('loses a tie with a row that was read after it, and wins one with a row that was read before it', async () => {
    const lab = await upsertWorld(engine, version);
    const before: readonly SourceRecord[] = [
      ['newer', 1, 5, 'letter', BAD],
      ['older', 1, 5, 'row'],
      ['unordered', 1, null, 'row'],
    ];
    const after: readonly SourceRecord[] = [
      ['newer', 1, 5, 'row'],
      ['older', 2, 5, 'letter', BAD],
      ['unordered', 1, null, 'letter', BAD],
    ];
    await stream(lab, before, after);
    expect(await replay(lab)).toEqual([[2n, 1n, 0]]);
    expect(await rowsOf(lab)).toEqual([
      ['newer', 1, 5, 'row'],
      ['older', 2, 5, 'letter'],
      ['unordered', 1, null, 'letter'],
    ]);
  });

  test('loses a tie with a row of the batch that left it out: nobody knows which was read first', async () => {
    const lab = await upsertWorld(engine, version);
    await stream(lab, [
      ['a', 1, 5, 'letter', BAD],
      ['a', 1, 5, 'row'],
      ['b', 1, 5, 'row'],
      ['b', 1, 5, 'letter', BAD],
    ]);
    expect(await replay(lab)).toEqual([[0n, 2n, 0]]);
    expect(await rowsOf(lab)).toEqual([
      ['a', 1, 5, 'row'],
      ['b', 1, 5, 'row'],
    ]);
  });

  test('wins a tie with one that was read before it, whether they are replayed together or one after the other', async () => {
    const lab = await upsertWorld(engine, version);
    const batches: readonly (readonly SourceRecord[])[] = [
      [
        ['a', 1, 5, 'first', BAD],
        ['b', 1, 5, 'first', WORSE],
        ['c', 1, 5, 'first', BAD],
      ],
      [
        ['a', 2, 5, 'second', WORSE],
        ['b', 2, 5, 'second', BAD],
        ['c', 2, 5, 'second', BAD],
      ],
    ];
    await stream(lab, ...batches);
    expect(await replay(lab)).toEqual([[3n, 1n, 2]]);
    const second = ['b', 'c'].map((key) => [key, 2, 5, 'second']);
    expect(await rowsOf(lab)).toEqual([['a', 1, 5, 'first'], ...second]);
    expect(await replay(lab, LATE_MEND)).toEqual([[1n, 1n, 0]]);
    expect(await rowsOf(lab)).toEqual([['a', 2, 5, 'second'], ...second]);
  });

  test('wins such a tie in a later batch of the same replay, and beside records that a function leaves out', async () => {
    const lab = await upsertWorld(engine, version);
    await stream(
      lab,
      [
        ['z', 1, 1, 'left out', BAD],
        ['a', 1, 5, 'first', BAD],
      ],
      [['b', 1, 5, 'row']],
      [
        ['b', 1, 5, 'letter', BAD],
        ['a', 1, 5, 'second', BAD],
      ],
    );
    const transform = (record: Uint8Array) => (Buffer.from(record).includes('left out') ? null : record);
    expect(await replay(lab, { transform }, { batchSize: 2 })).toEqual([
      [1n, 0n, 0],
      [2n, 0n, 0],
    ]);
    expect(await rowsOf(lab)).toEqual([
      ['a', 1, 5, 'second'],
      ['b', 1, 5, 'letter'],
    ]);
  });

  test('loses a tie with a row that the sink has put in the place of an earlier dead letter', async () => {
    const lab = await upsertWorld(engine, version);
    await stream(lab, [
      ['a', 1, 5, 'first', BAD],
      ['a', 1, 5, 'second', WORSE],
    ]);
    expect(await replay(lab)).toEqual([[1n, 0n, 1]]);
    await stream(lab, [['a', 1, 5, 'third']]);
    expect(await replay(lab, LATE_MEND)).toEqual([[0n, 1n, 0]]);
    expect(await rowsOf(lab)).toEqual([['a', 1, 5, 'third']]);
  });

  test(`after a compaction ${version === 2 ? 'loses a tie with an older row, which has lost its age' : 'wins a tie with an older row, which keeps its age'}`, async () => {
    const lab = await upsertWorld(engine, version);
    // A file of which a row was deleted is rewritten.
    await stream(
      lab,
      [
        ['a', 1, 5, 'row'],
        ['b', 1, 4, 'row'],
      ],
      [
        ['a', 1, 5, 'letter', BAD],
        ['b', 1, 5, 'row'],
      ],
    );
    expect((await compact(lab)).filesRemoved).toBe(1);
    expect(await replay(lab)).toEqual([version === 2 ? [0n, 1n, 0] : [1n, 0n, 0]]);
    expect((await rowsOf(lab))[0]).toEqual(['a', 1, 5, version === 2 ? 'row' : 'letter']);
  });
});

test('a rewritten file that has the sequence number of a replay does not pass for its rows', async () => {
  const lab = await upsertWorld(engine);
  await stream(
    lab,
    [
      ['a', 1, 5, 'first', BAD],
      ['a', 1, 5, 'second', WORSE],
    ],
    [['a', 1, 5, 'third']],
  );
  expect(await replay(lab)).toEqual([[0n, 1n, 1]]);
  // As engines do that give the files of a rewrite the number of the snapshot that it was planned on.
  const table = await lab.load();
  const { snapshot, schema } = selectSnapshot(table.metadata);
  const { files } = await planFiles(table, { snapshot, schema, appliesDeletes: true });
  const select = "SELECT 'third', 'a', 5::DOUBLE, 1::INTEGER, NULL::BOOLEAN";
  const written = await engine.withConnection((connection) =>
    stageRows(connection, table, { select, namePrefix: 'rewritten' }),
  );
  const removeFiles = files.map(({ file }) => file.filePath);
  await commitRewrite(table, { plannedOn: snapshot?.snapshotId ?? -1n, files: written, removeFiles });
  expect(await replay(lab, LATE_MEND)).toEqual([[0n, 1n, 0]]);
  expect(await rowsOf(lab)).toEqual([['a', 1, 5, 'third']]);
});

/** What a table must have of a key: its row, and the batch, or the dead letter, that it came from. */
interface Stored {
  readonly row: Row;
  readonly batch: number | null;
  readonly place: number;
}

/** A record of {@link Reference}. */
interface Read extends Stored {
  readonly kind: 'good' | 'bad' | 'worse';
  readonly batch: number;
}

/** The rule of ties in its own words, a record at a time. */
class Reference {
  readonly stored = new Map<string, Stored>();
  #letters: Read[] = [];
  #batches = 0;
  #places = 0;

  batch(records: readonly (readonly [Row, Read['kind']])[]): void {
    const read = records.map(([row, kind]): Read => ({ row, kind, batch: this.#batches, place: this.#places++ }));
    this.#batches += 1;
    for (const record of read)
      if (record.kind !== 'good') this.#letters.push(record);
      else if (compared(record, this.stored.get(record.row[0])) >= 0) this.stored.set(record.row[0], record);
  }

  replay(mends: boolean): void {
    const fits = ({ kind }: Read): boolean => mends || kind === 'bad';
    const newest = new Map<string, Read>();
    for (const letter of this.#letters.filter(fits))
      if (compared(letter, newest.get(letter.row[0])) >= 0) newest.set(letter.row[0], letter);
    this.#letters = this.#letters.filter((letter) => !fits(letter));
    for (const [key, letter] of newest) {
      const stored = this.stored.get(key);
      const order = compared(letter, stored);
      const isNewer = stored?.batch === null ? stored.place < letter.place : (stored?.batch ?? -1) < letter.batch;
      if (order > 0 || (order === 0 && isNewer)) this.stored.set(key, { ...letter, batch: null });
    }
  }

  rows(): readonly Row[] {
    return [...this.stored.values()].map(({ row }) => row).sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

const compared = ({ row: [, , a] }: Stored, other: Stored | undefined): number =>
  other === undefined ? 1 : (a ?? -1) - (other.row[2] ?? -1);

test('random batches and replays leave what a reference leaves', { timeout: timeLimit(180_000) }, async () => {
  const kind = fc.constantFrom('good', 'bad', 'worse', 'worse' as const);
  const record = fc.tuple(fc.constantFrom('a', 'b'), fc.nat(1), fc.constantFrom(null, 5, 5, 5), kind);
  const step = fc.oneof(
    { weight: 1, arbitrary: fc.array(record, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constantFrom('replay', 'replay' as const, 'replay with mends' as const) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 9 }),
      fc.constantFrom(2 as const, 3 as const),
      async (steps, version) => {
        const lab = await upsertWorld(engine, version);
        const reference = new Reference();
        await stream(lab, []);
        let number = 0;
        for (const each of steps) {
          if (typeof each === 'string') {
            const mends = each !== 'replay';
            await replay(lab, mends ? LATE_MEND : {});
            reference.replay(mends);
          } else {
            // What mending makes of a time.
            const records = each.map(([key, part, at, kind]) => {
              return [[key, part, kind === 'worse' ? 5 : at, `v${number++}`] as Row, kind] as const;
            });
            const more = { good: {}, bad: BAD, worse: WORSE };
            await stream(
              lab,
              records.map(([row, kind]) => [...row, more[kind]] as const),
            );
            reference.batch(records);
          }
        }
        expect(await rowsOf(lab)).toEqual(reference.rows());
      },
    ),
    { numRuns: runs(6) },
  );
});
