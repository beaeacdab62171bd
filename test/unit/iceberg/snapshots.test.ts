import { describe, expect, it } from 'vitest';
import {
  ancestors,
  currentSnapshot,
  isAncestor,
  newTableMetadata,
  parseSchema,
  resolveSnapshot,
  type Snapshot,
  snapshotAsOf,
  snapshotById,
  snapshotForRef,
  type TableMetadata,
} from '../../../iceberg/index.js';

const field = (name: string) => ({ id: 1, name, required: false, type: 'int' });
const OLD = parseSchema({ 'schema-id': 0, fields: [field('old')] });
const NEW = parseSchema({ 'schema-id': 1, fields: [field('new')] });

function snapshot(id: number, parent: number | undefined, schemaId: number | undefined): Snapshot {
  return {
    snapshotId: BigInt(id),
    ...(parent !== undefined && { parentSnapshotId: BigInt(parent) }),
    sequenceNumber: BigInt(id),
    timestampMs: BigInt(id * 100),
    manifestList: `/m/${id}`,
    summary: new Map(),
    ...(schemaId !== undefined && { schemaId }),
  };
}

/** 1 (expired) <- 2 <- 3 <- 5, and 4 beside 3; at 350 the table was rolled back from 3 to 2, then went on to 5. */
const TABLE: TableMetadata = {
  ...newTableMetadata({ schema: OLD, location: '/t', tableUuid: 'u', nowMs: 0n }),
  schemas: [OLD, NEW],
  currentSchemaId: 1,
  currentSnapshotId: 5n,
  snapshots: [snapshot(2, 1, 0), snapshot(3, 2, 1), snapshot(4, 2, undefined), snapshot(5, 3, 9)],
  snapshotLog: [
    { snapshotId: 1n, timestampMs: 100n },
    { snapshotId: 2n, timestampMs: 200n },
    { snapshotId: 3n, timestampMs: 300n },
    { snapshotId: 2n, timestampMs: 350n },
    { snapshotId: 5n, timestampMs: 500n },
  ],
  refs: new Map([
    ['main', { snapshotId: 5n, type: 'branch' }],
    ['audit', { snapshotId: 2n, type: 'branch' }],
    ['release', { snapshotId: 2n, type: 'tag' }],
    ['gone', { snapshotId: 77n, type: 'tag' }],
  ]),
};
const EMPTY = newTableMetadata({ schema: OLD, location: '/t', tableUuid: 'u', nowMs: 0n });
const code = (name: string): Error => expect.objectContaining({ code: name }) as Error;

describe('as of a time', () => {
  it.each([
    [200n, 2n],
    [299n, 2n],
    [300n, 3n],
    [349n, 3n],
    [350n, 2n],
    [499n, 2n],
    [500n, 5n],
    [10_000n, 5n],
  ])('%i ms is the snapshot that was current then: %i', (atMs, id) => {
    expect(snapshotAsOf(TABLE, atMs).snapshotId).toBe(id);
  });
  it('before the first entry there is none', () => {
    expect(() => snapshotAsOf(TABLE, 99n)).toThrow(code('SNAPSHOT_NOT_FOUND'));
    expect(() => snapshotAsOf(TABLE, 99n)).toThrow(/history begins at 1970-01-01T00:00:00.100Z/);
    expect(() => snapshotAsOf(EMPTY, 99n)).toThrow(code('SNAPSHOT_NOT_FOUND'));
  });
  it('an expired snapshot is said to be expired', () => {
    expect(() => snapshotAsOf(TABLE, 150n)).toThrow(code('SNAPSHOT_EXPIRED'));
  });
});

describe('by id and by name', () => {
  it('finds them', () => {
    expect(snapshotById(TABLE, 4n).manifestList).toBe('/m/4');
    expect(snapshotForRef(TABLE, 'release').snapshotId).toBe(2n);
    expect(currentSnapshot(TABLE)?.snapshotId).toBe(5n);
    expect(currentSnapshot(EMPTY)).toBeNull();
  });
  it('tells expired from unknown', () => {
    expect(() => snapshotById(TABLE, 1n)).toThrow(code('SNAPSHOT_EXPIRED'));
    expect(() => snapshotById(TABLE, 99n)).toThrow(code('SNAPSHOT_NOT_FOUND'));
    expect(() => snapshotForRef(TABLE, 'gone')).toThrow(code('SNAPSHOT_EXPIRED'));
    expect(() => snapshotForRef(TABLE, '__proto__')).toThrow(code('SNAPSHOT_NOT_FOUND'));
    expect(() => snapshotForRef(TABLE, 'nope')).toThrow(/'main', 'audit', 'release', 'gone'/);
  });
});

describe('what to read, and with which schema', () => {
  it.each([
    [{}, 5n, 'new'],
    [{ snapshotId: 2n }, 2n, 'old'],
    [{ snapshotId: 3n }, 3n, 'new'],
    [{ asOfMs: 200n }, 2n, 'old'],
    [{ ref: 'release' }, 2n, 'old'],
    [{ ref: 'audit' }, 2n, 'new'],
    [{ ref: 'main' }, 5n, 'new'],
    // Without a schema id, or with one that is gone, the current schema.
    [{ snapshotId: 4n }, 4n, 'new'],
    [{ snapshotId: 5n }, 5n, 'new'],
  ] as const)('%o', (selection, id, column) => {
    const { snapshot: found, schema } = resolveSnapshot(TABLE, selection);
    expect([found?.snapshotId, schema.fields[0]?.name]).toEqual([id, column]);
  });
  it('of an empty table is nothing', () => {
    expect(resolveSnapshot(EMPTY)).toMatchObject({ snapshot: null });
    expect(resolveSnapshot(EMPTY, { ref: 'main' })).toMatchObject({ snapshot: null });
  });
  it('is named in one way', () => {
    expect(() => resolveSnapshot(TABLE, { ref: 'main', asOfMs: 1n })).toThrow(code('INVALID_ARGUMENT'));
  });
});

describe('ancestry', () => {
  it('goes back as far as snapshots are there', () => {
    expect([...ancestors(TABLE, 5n)].map((each) => each.snapshotId)).toEqual([5n, 3n, 2n]);
    expect([...ancestors(TABLE, 99n)]).toEqual([]);
  });
  it.each([
    [5n, 5n, true],
    [2n, 5n, true],
    [1n, 5n, true],
    [4n, 5n, false],
    [5n, 2n, false],
    [0n, 5n, false],
  ])('%i before %i: %s', (ancestor, of, expected) => {
    expect(isAncestor(TABLE, ancestor, of)).toBe(expected);
  });
});
