/** How many pieces a run has, and which files are in which part. */
import { describe, expect, test } from 'vitest';
import { planPieces } from '../../../materialization/pieces.js';
import type { PlannedSourceFile, SourceRead } from '../../../materialization/plan.js';
import { arePartsAlike, filesOfPart } from '../../../materialization/reduction-parts.js';
import { planShards } from '../../../materialization/shards.js';
import { areAlike, smallOf } from '../../../reduction/index.js';

const file = (path: string, bytes: number): PlannedSourceFile => ({
  path,
  recordCount: 1n,
  fileSizeInBytes: BigInt(bytes),
  sequenceNumber: 1n,
});

const read = (files: readonly PlannedSourceFile[], keep: SourceRead['keep'] = 'newest'): SourceRead => ({
  startUs: null,
  endUs: null,
  keep,
  files,
  snapshotId: 1n,
});

describe('parts', () => {
  test('hold each file once and about equally many bytes; a file of two reads counts twice', () => {
    const all = [file('a', 50), file('b', 40), file('c', 30), file('d', 20), file('e', 10)];
    const partsOf = (files: readonly PlannedSourceFile[]) => {
      const plan = { appendReads: [read(files), read([file('e', 10)], 'all')], rebuild: null };
      return [0, 1].map((part) => filesOfPart({ ...plan, reduction: { engine: 'duckdb', parts: 2 } }, part));
    };
    expect(partsOf(all)).toEqual([new Set(['a', 'd', 'e']), new Set(['b', 'c'])]);
    expect(partsOf(all.toReversed())).toEqual(partsOf(all));
  });

  test('are those of the plan', () => {
    const rebuild = { buckets: null, reads: [read([file('a', 2), file('b', 1)])], pushedFiles: [file('p', 9)] };
    const plan = { appendReads: [], rebuild, reduction: { engine: 'duckdb' as const, parts: 2 } };
    expect([0, 1, 2].map((part) => filesOfPart(plan, part))).toEqual([new Set(['a']), new Set(['b']), undefined]);
    expect(filesOfPart({ ...plan, reduction: null }, 0)).toBeUndefined();
  });
});

describe('parts are alike', () => {
  const sizes = (...bytes: number[]) => bytes.map((each) => ({ bytes: BigInt(each) }));

  test('if none has more than twice the bytes of another; else some are small beside the largest one', () => {
    expect([areAlike(sizes(10, 5, 7)), smallOf(sizes(10, 5, 7))]).toEqual([true, []]);
    expect([areAlike(sizes(11, 5, 7)), smallOf(sizes(11, 5, 7))]).toEqual([false, [1]]);
    expect([areAlike(sizes(1, 0)), smallOf(sizes(0, 100, 1, 50, 49))]).toEqual([false, [0, 2, 4]]);
    expect([areAlike([]), areAlike(sizes(3)), areAlike(sizes(0, 0))]).toEqual([true, true, true]);
  });

  test('by the bytes that each part of the plan reads, and never where Trino reads', () => {
    const alike = (bytes: readonly number[], parts: number, engine: 'duckdb' | 'trino' = 'duckdb') => {
      const reads = [read(bytes.map((size, index) => file(`f${index}`, size)))];
      return arePartsAlike({ appendReads: reads, rebuild: null, reduction: { engine, parts } });
    };
    expect([alike([4, 4, 2, 2], 2), alike([20, 10], 2), alike([21, 10], 2), alike([21, 10, 1], 2)]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect([alike([4, 4], 1, 'trino'), alike([4, 4], 2)]).toEqual([false, true]);
    expect(arePartsAlike({ appendReads: [read([file('a', 1)])], rebuild: null, reduction: null })).toBe(false);
    // A file of two reads is read twice.
    const twice = { appendReads: [read([file('a', 4), file('b', 2)]), read([file('b', 4)])], rebuild: null };
    expect(arePartsAlike({ ...twice, reduction: { engine: 'duckdb', parts: 2 } })).toBe(true);
  });
});

describe('Trino', () => {
  test('reads all files in one part, and is not asked where none are left', () => {
    const sizing = { buckets: 8, memoryLimitBytes: 2 ** 30, shards: 3, isForTrino: true };
    const emptied = { appendReads: [], rebuild: { buckets: null, reads: [], pushedFiles: [file('p', 9)] } };
    const some = { ...emptied, rebuild: { ...emptied.rebuild, reads: [read([file('a', 1)])] } };
    expect(planPieces('full', some, sizing).reduction).toEqual({ engine: 'trino', parts: 1 });
    const pieces = planPieces('full', emptied, sizing);
    expect([pieces.shards.length, pieces.reduction]).toEqual([3, null]);
  });
});

describe('shards', () => {
  const GIB = 2 ** 30;
  const count = (sizing: {
    rows: bigint;
    memory?: number;
    shards?: number;
    spread?: number;
    buckets?: number;
  }): number =>
    planShards({
      buckets: sizing.buckets ?? 256,
      sourceRows: sizing.rows,
      memoryLimitBytes: sizing.memory ?? 4 * GIB,
      shards: sizing.shards,
      spread: sizing.spread,
    }).length;

  test('are as many as keep 8 bytes of memory for each row', () => {
    expect(count({ rows: 500_000_000n })).toBe(1);
    expect(count({ rows: 2_000_000_000n })).toBe(4);
    expect(count({ rows: 500_000_000n, memory: GIB })).toBe(4);
    expect(count({ rows: 2_000_000_000n, buckets: 2 })).toBe(2);
  });

  test('are spread over workers if each has a million rows', () => {
    expect(count({ rows: 999_999n, spread: 8 })).toBe(1);
    expect(count({ rows: 3_500_000n, spread: 8 })).toBe(3);
    expect(count({ rows: 100_000_000n, spread: 8 })).toBe(8);
    expect(count({ rows: 100_000_000n, spread: 8, shards: 2 })).toBe(2);
    expect(count({ rows: 0n, spread: 8 })).toBe(1);
  });

  test('have all buckets, each once', () => {
    expect(planShards({ buckets: 5, sourceRows: 1n, memoryLimitBytes: GIB, shards: 2 })).toEqual([
      { firstBucket: 0, lastBucket: 1 },
      { firstBucket: 2, lastBucket: 4 },
    ]);
  });
});
