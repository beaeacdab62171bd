import { expect, test } from 'vitest';
import { distinctOfAll, sampleFiles } from '../../../features/retrieval/distinct-sample.js';
import { selectivePart } from '../../../features/retrieval/selective-filter.js';
import { type BoundExpression, type DataFile, serializeValue } from '../../../iceberg/index.js';

const LONG = { kind: 'long' } as const;
const KEY = { fieldId: 1, path: 'k', type: LONG, required: false, nested: false };
const atLeast = (literal: bigint): BoundExpression => ({ op: 'gt-eq', ref: KEY, literal });
const atMost = (literal: bigint): BoundExpression => ({ op: 'lt-eq', ref: KEY, literal });

function file(lowest: bigint, highest: bigint, recordCount = 100n): DataFile {
  return {
    content: 'data',
    filePath: 'f',
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    recordCount,
    fileSizeInBytes: 1n,
    lowerBounds: new Map([[1, serializeValue(LONG, lowest)]]),
    upperBounds: new Map([[1, serializeValue(LONG, highest)]]),
  };
}

test('conditions that nearly all rows meet are left out, the others stay', () => {
  const filter: BoundExpression = { op: 'and', children: [atLeast(3n), atMost(500n)] };
  expect(selectivePart(filter, [file(0n, 1000n)])).toEqual({ op: 'and', children: [atMost(500n)] });
  expect(selectivePart(atMost(960n), [file(0n, 1000n)])).toBeUndefined();
  // Nine rows in ten are in files that it does not touch, of the others it takes all: not nearly all.
  expect(selectivePart(atLeast(100n), [file(0n, 99n, 10n), file(100n, 200n, 90n)])).toBeDefined();
});

test('what cannot be told stays: lists, and files without bounds', () => {
  const listed: BoundExpression = { op: 'in', ref: KEY, literals: [1n] };
  expect(selectivePart(listed, [file(1n, 1n)])).toEqual({ op: 'and', children: [listed] });
  const unknown = { ...file(0n, 10n), lowerBounds: new Map<number, Uint8Array>() };
  expect(selectivePart(atLeast(0n), [file(0n, 10n), unknown])).toBeDefined();
});

test('a sample is spread over the files, and small tables are looked at whole', () => {
  const files = Array.from({ length: 20 }, (_, name) => ({ name, recordCount: 250_000n }));
  expect(sampleFiles(files).map(({ name }) => name)).toEqual([0, 5, 10, 15]);
  expect(sampleFiles(files.slice(0, 4))).toHaveLength(4);
});

test('distinct values of a table from a sample of it', () => {
  expect(distinctOfAll(7, 100, 100)).toBe(7);
  // A million draws from 100,000 values show 99,995 of them: 100,000 (1 - e^-10).
  expect(distinctOfAll(99_995, 1_000_000, 10_000_000)).toBeGreaterThan(99_500);
  expect(distinctOfAll(99_995, 1_000_000, 10_000_000)).toBeLessThan(100_500);
  // A million draws that are all different may come from as many values as there are rows.
  expect(distinctOfAll(1_000_000, 1_000_000, 10_000_000)).toBe(10_000_000);
});
