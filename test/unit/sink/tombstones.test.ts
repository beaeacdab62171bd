/** Keys that records of an upsert delete, by a column that says so: late records do not bring them back. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { planFiles, selectSnapshot } from '../../../tables/index.js';
import { openSinkEngine, type SinkWorld } from '../../support/sink-world.js';
import {
  BAD,
  compact,
  json,
  openUpsert,
  type Row,
  remainingRows,
  replay,
  rowsOf,
  type SourceRecord,
  stream,
  upsertWorld,
} from '../../support/upsert-lab.js';

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

describe.each([2, 3] as const)('a key that a tombstone has deleted in a table of version %d', (version) => {
  const TOMBSTONE = { deleted: true };
  /** A key that is deleted at 5, one that stays, and dead letters of the deleted one: from before it was deleted, but one. */
  async function deletedKey(): Promise<SinkWorld> {
    const lab = await upsertWorld(engine, version);
    const before: readonly SourceRecord[] = [
      ['gone', 1, 4, 'late letter', BAD],
      ['gone', 1, 5, 'tied letter', BAD],
      ['gone', 1, 1, 'first'],
      ['stays', 1, 1, 'first'],
    ];
    await stream(lab, before, [['gone', 2, 5, 'tombstone', TOMBSTONE]], [['gone', 1, 3, 'late letter', BAD]]);
    return lab;
  }
  const STAYS: Row = ['stays', 1, 1, 'first'];
  const STORED: readonly Row[] = [['gone', 2, 5, 'tombstone'], STAYS];

  test('does not return through late records, of the run that deleted it and of later ones', async () => {
    const lab = await deletedKey();
    expect([await rowsOf(lab), await remainingRows(lab)]).toEqual([STORED, [STAYS]]);
    for (const at of [4.5, null]) {
      const sink = await openUpsert(lab);
      await sink.writer(0).writeBatch(json(['gone', 2, at, 'late']));
      await sink.writer(0).writeBatch(json(['gone', 3, 4, 'late in the same batch']));
      const { rows, superseded } = await sink.flush();
      expect([rows, superseded]).toEqual([0n, 2n]);
      await sink.close();
    }
    expect(await rowsOf(lab)).toEqual(STORED);
  });

  test('does not return through dead letters', async () => {
    const lab = await deletedKey();
    expect(await replay(lab)).toEqual([[0n, 3n, 0]]);
    expect(await rowsOf(lab)).toEqual(STORED);
  });

  test('does not return after its tombstone was compacted, through late records and dead letters', async () => {
    const lab = await deletedKey();
    // A file of which many rows were deleted is rewritten.
    await stream(
      lab,
      [
        ['gone', 2, 6, 'tombstone', TOMBSTONE],
        ['passing', 2, 1, 'row'],
      ],
      [['passing', 1, 2, 'row']],
    );
    const fileOf = async () => {
      const table = await lab.load();
      const { files } = await planFiles(table, { ...selectSnapshot(table.metadata), appliesDeletes: true });
      return files.find(({ file }) => Buffer.from(file.upperBounds?.get(1) ?? []).toString() === 'tombstone')?.file
        .filePath;
    };
    const before = await fileOf();
    await compact(lab);
    expect([before === undefined, (await fileOf()) === before]).toEqual([false, false]);
    await stream(lab, [['gone', 1, 5.5, 'late']]);
    expect(await replay(lab)).toEqual([[0n, 3n, 0]]);
    expect(await rowsOf(lab)).toEqual([['gone', 2, 6, 'tombstone'], ['passing', 1, 2, 'row'], STAYS]);
    expect(await remainingRows(lab)).toEqual([['passing', 1, 2, 'row'], STAYS]);
  });

  test('is deleted by a tombstone that is replayed, and returns with a newer record', async () => {
    const lab = await upsertWorld(engine, version);
    await stream(lab, [['a', 1, 4, 'row']], [['a', 1, 5, 'tombstone', { ...BAD, ...TOMBSTONE }]]);
    expect(await remainingRows(lab)).toEqual([['a', 1, 4, 'row']]);
    expect(await replay(lab)).toEqual([[1n, 0n, 0]]);
    expect([await rowsOf(lab), await remainingRows(lab)]).toEqual([[['a', 1, 5, 'tombstone']], []]);
    await stream(lab, [['a', 1, 6, 'back']]);
    expect(await remainingRows(lab)).toEqual([['a', 1, 6, 'back']]);
  });
});
