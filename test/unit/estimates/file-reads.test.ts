/** Bytes and requests of a pass over files, against ranges laid out by hand. */
import { describe, expect, it } from 'vitest';
import { bytesPerRow, readsOfFiles } from '../../../estimates/file-reads.js';
import type { DataFile, Schema } from '../../../iceberg/index.js';

const MIB = 2 ** 20;
const END = 64 * 1024;
const LONG = { kind: 'long' } as const;
const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    ...[1, 2, 3].map((id) => ({ id, name: `c${id}`, required: false, type: LONG })),
    {
      id: 4,
      name: 'nested',
      required: false,
      type: { kind: 'struct', fields: [{ id: 5, name: 'inner', required: false, type: LONG }] },
    },
  ],
};

function file(sizes: Readonly<Record<number, number>>, rows = 100_000, fileSizeInBytes = 100 * MIB): DataFile {
  return {
    content: 'data',
    filePath: 's3://bucket/a.parquet',
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    recordCount: BigInt(rows),
    fileSizeInBytes: BigInt(fileSizeInBytes),
    columnSizes: new Map(Object.entries(sizes).map(([id, size]) => [Number(id), BigInt(size)])),
  };
}

const reads = (files: readonly DataFile[], ...columns: number[]) =>
  readsOfFiles(files, { schema: SCHEMA, columns: new Set(columns), endBytes: END });

describe('a pass over a file', () => {
  it('asks for its end and for each run of columns', () => {
    const one = file({ 1: MIB, 2: MIB, 3: MIB, 5: MIB });
    expect(reads([one], 1, 2)).toMatchObject({ files: 1, rows: 100_000, requests: 2, readBytes: 2 * MIB + END });
    expect(reads([one], 1, 3)).toMatchObject({ requests: 3, readBytes: 2 * MIB + END });
    expect(reads([one], 4)).toMatchObject({ requests: 2, readBytes: MIB + END });
  });

  it('asks for chunks that are less than 8 KiB apart as one', () => {
    expect(reads([file({ 1: MIB, 2: 8192, 3: MIB })], 1, 3)).toMatchObject({
      requests: 2,
      readBytes: 2 * MIB + 8192 + END,
    });
    expect(reads([file({ 1: MIB, 2: 8193, 3: MIB })], 1, 3)).toMatchObject({ requests: 3 });
  });

  it('asks for long ranges in pieces of 8 MiB', () => {
    expect(reads([file({ 1: 17 * MIB })], 1)).toMatchObject({ requests: 1 + 3, readBytes: 17 * MIB + END });
  });

  it('asks once for each row group, as many as the file says or as its rows make', () => {
    // 122,880 rows are a row group.
    expect(reads([file({ 1: MIB, 2: MIB }, 122_881)], 1)).toMatchObject({ requests: 1 + 2 });
    const said = { ...file({ 1: MIB, 2: MIB }), splitOffsets: [4n, 1000n, 2000n] };
    expect(reads([said], 1)).toMatchObject({ requests: 1 + 3 });
  });

  it('of a small file is one request', () => {
    expect(reads([file({ 1: 100 }, 10, END)], 1)).toMatchObject({ requests: 1, readBytes: END });
  });

  it('takes all of a file whose columns have no sizes', () => {
    expect(reads([file({})], 1)).toMatchObject({ requests: 1 + 13, readBytes: 100 * MIB });
  });
});

it('bytes of a row are those of its columns', () => {
  const files = [file({ 1: 1000, 2: 5000, 5: 300 }, 100), file({ 1: 3000, 2: 5000, 5: 100 }, 300)];
  expect(bytesPerRow(files, SCHEMA, new Set([1, 4]))).toBe((1000 + 300 + 3000 + 100) / 400);
});
