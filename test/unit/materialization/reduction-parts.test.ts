/** How many pieces a run has, and which files are in which part. */
import { describe, expect, test } from 'vitest';
import { planPieces } from '../../../materialization/pieces.js';
import type { PlannedSourceFile, SourceRead } from '../../../materialization/plan.js';
import { filesOfPart } from '../../../materialization/reduction-parts.js';
import { planShards } from '../../../materialization/shards.js';

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
