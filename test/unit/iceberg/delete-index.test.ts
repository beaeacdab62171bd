/** The scope rules of the specification's "Scan Planning", one by one. */
import { describe, expect, it, test } from 'vitest';
import {
  type DataFile,
  type DeleteFile,
  DeleteIndex,
  type IcebergType,
  type PartitionSpec,
  type PrimitiveValue,
  type Schema,
  serializeValue,
} from '../../../iceberg/index.js';
import { codeOf } from '../../support/error-code.js';

const LONG: IcebergType = { kind: 'long' };
const schema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: 1, name: 'k', required: false, type: LONG },
    { id: 2, name: 's', required: false, type: { kind: 'string' } },
    { id: 3, name: 'd', required: false, type: { kind: 'double' } },
    {
      id: 4,
      name: 'st',
      required: false,
      type: { kind: 'struct', fields: [{ id: 5, name: 'x', required: false, type: LONG }] },
    },
  ],
};
const identity = { sourceId: 1, fieldId: 1000, name: 'k', transform: { kind: 'identity' } } as const;
const specs: readonly PartitionSpec[] = [
  { specId: 0, fields: [] },
  { specId: 1, fields: [identity] },
  { specId: 2, fields: [{ ...identity, fieldId: 1001 }] },
  { specId: 3, fields: [{ ...identity, transform: { kind: 'void' } }] },
];

const stripScheme = (location: string): string => location.replace(/^file:(\/\/)?/, '');
const indexOf = (...deletes: DeleteFile[]): DeleteIndex =>
  new DeleteIndex(deletes, { specs, schema, normalize: stripScheme });

let made = 0;
function file(content: DataFile['content'], fields: Partial<DataFile>): DataFile {
  made += 1;
  const base = { specId: 0, partition: [], recordCount: 1n, fileSizeInBytes: 1n };
  return { content, filePath: `/t/file-${made}`, fileFormat: 'PARQUET', ...base, ...fields };
}
const deletes = (
  content: 'position-deletes' | 'equality-deletes',
  sequenceNumber: bigint,
  fields: Partial<DataFile> = {},
): DeleteFile => ({
  file: file(content, content === 'equality-deletes' ? { equalityIds: [1], ...fields } : fields),
  sequenceNumber,
});
const vector = (sequenceNumber: bigint, referencedDataFile: string, fields: Partial<DataFile> = {}): DeleteFile =>
  deletes('position-deletes', sequenceNumber, {
    fileFormat: 'PUFFIN',
    referencedDataFile,
    contentOffset: 4n,
    contentSizeInBytes: 40n,
    ...fields,
  });
const data = (filePath: string, fields: Partial<DataFile> = {}): DataFile => file('data', { filePath, ...fields });
const inPartition = (specId: number, value: PrimitiveValue | null): Partial<DataFile> => ({
  specId,
  partition: [value],
});
const pathBounds = (lower: string, upper = lower): Partial<DataFile> => ({
  lowerBounds: new Map([[2147483546, Buffer.from(lower)]]),
  upperBounds: new Map([[2147483546, Buffer.from(upper)]]),
});

describe('position deletes', () => {
  const older = deletes('position-deletes', 4n);
  const same = deletes('position-deletes', 5n);
  const newer = deletes('position-deletes', 6n);

  it('apply to files of their own sequence number and of lower ones', () => {
    expect(indexOf(newer, older, same).forDataFile(data('/t/a'), 5n).positions).toEqual([same, newer]);
  });

  it('apply to their own partition of their own spec', () => {
    const ofOne = deletes('position-deletes', 9n, inPartition(1, 1n));
    const ofNull = deletes('position-deletes', 9n, inPartition(1, null));
    const ofOtherSpec = deletes('position-deletes', 9n, inPartition(2, 1n));
    const unpartitioned = deletes('position-deletes', 9n);
    const index = indexOf(ofOne, ofNull, ofOtherSpec, unpartitioned);
    expect(index.forDataFile(data('/t/a', inPartition(1, 1n)), 1n).positions).toEqual([ofOne]);
    expect(index.forDataFile(data('/t/a', inPartition(1, null)), 1n).positions).toEqual([ofNull]);
    expect(index.forDataFile(data('/t/a', inPartition(2, 1n)), 1n).positions).toEqual([ofOtherSpec]);
    expect(index.forDataFile(data('/t/a'), 1n).positions).toEqual([unpartitioned]);
  });

  test.each([
    ['its manifest entry says so', { referencedDataFile: 'file:///t/a' }],
    ['both bounds of its paths are one', pathBounds('file:/t/a')],
  ])('are about one file when %s', (_name, fields) => {
    const aboutA = deletes('position-deletes', 9n, fields);
    const index = indexOf(aboutA);
    expect(index.forDataFile(data('/t/a'), 1n).positions).toEqual([aboutA]);
    expect(index.forDataFile(data('/t/b'), 1n).positions).toEqual([]);
    expect(index.forDataFile(data('/t/a'), 10n).positions).toEqual([]);
  });

  it('of several paths are about every file of the partition', () => {
    const several = deletes('position-deletes', 9n, pathBounds('/t/a', '/t/c'));
    expect(indexOf(several).forDataFile(data('/t/z'), 1n).positions).toEqual([several]);
  });

  it('that name a file of another partition are damaged metadata', () => {
    const index = indexOf(deletes('position-deletes', 9n, { ...inPartition(1, 2n), referencedDataFile: '/t/a' }));
    expect(codeOf(() => index.forDataFile(data('/t/a', inPartition(1, 1n)), 1n))).toBe('MANIFEST_CORRUPT');
  });
});

describe('equality deletes', () => {
  it('apply to files of lower sequence numbers only', () => {
    const same = deletes('equality-deletes', 5n);
    const newer = deletes('equality-deletes', 6n);
    expect(indexOf(same, newer).forDataFile(data('/t/a'), 5n).equality).toEqual([newer]);
  });

  it('of a spec without partitions are global, of any other they keep to their partition', () => {
    const global = deletes('equality-deletes', 9n);
    const ofVoid = deletes('equality-deletes', 9n, inPartition(3, null));
    const ofOne = deletes('equality-deletes', 9n, inPartition(1, 1n));
    const index = indexOf(global, ofVoid, ofOne);
    expect(index.forDataFile(data('/t/a', inPartition(1, 1n)), 1n).equality).toEqual([global, ofVoid, ofOne]);
    expect(index.forDataFile(data('/t/a', inPartition(1, 2n)), 1n).equality).toEqual([global, ofVoid]);
    expect(index.forDataFile(data('/t/a', inPartition(2, 1n)), 1n).equality).toEqual([global, ofVoid]);
    expect(index.forDataFile(data('/t/a'), 1n).equality).toEqual([global, ofVoid]);
  });

  it('without their columns are damaged metadata', () => {
    expect(codeOf(() => indexOf(deletes('equality-deletes', 1n, { equalityIds: [] })))).toBe('MANIFEST_CORRUPT');
  });
});

describe('deletion vectors', () => {
  it('supersede the position deletes of their file, and nothing else', () => {
    const [byPath, byPartition] = [
      deletes('position-deletes', 9n, { referencedDataFile: '/t/a' }),
      deletes('position-deletes', 9n),
    ];
    const equality = deletes('equality-deletes', 9n);
    const dv = vector(9n, 'file:/t/a');
    const index = indexOf(byPath, byPartition, equality, dv);
    expect(index.forDataFile(data('/t/a'), 9n)).toEqual({ vector: dv, positions: [], equality: [], pruned: 0 });
    expect(index.forDataFile(data('/t/a'), 8n)).toEqual({ vector: dv, positions: [], equality: [equality], pruned: 0 });
    expect(index.forDataFile(data('/t/b'), 9n)).toEqual({
      vector: undefined,
      positions: [byPartition],
      equality: [],
      pruned: 0,
    });
  });

  test.each([
    ['two for one file', () => indexOf(vector(1n, '/t/a'), vector(2n, 'file:///t/a'))],
    ['one older than its file', () => indexOf(vector(1n, '/t/a')).forDataFile(data('/t/a'), 2n)],
    ['one of another partition', () => indexOf(vector(9n, '/t/a', inPartition(1, 1n))).forDataFile(data('/t/a'), 1n)],
    [
      'one without an offset',
      () => indexOf(deletes('position-deletes', 1n, { fileFormat: 'PUFFIN', referencedDataFile: '/t/a' })),
    ],
    [
      'one that names no file',
      () =>
        indexOf(deletes('position-deletes', 1n, { fileFormat: 'PUFFIN', contentOffset: 4n, contentSizeInBytes: 4n })),
    ],
  ])('%s: damaged metadata', (_name, make) => {
    expect(codeOf(make)).toBe('MANIFEST_CORRUPT');
  });
});

describe('equality deletes that cannot match by their statistics', () => {
  interface Facts {
    readonly bounds?: readonly [PrimitiveValue, PrimitiveValue];
    /** Null count of ten values. */
    readonly nulls?: bigint;
  }
  const statistics = (id: number, type: IcebergType, { bounds, nulls }: Facts): Partial<DataFile> => ({
    recordCount: 10n,
    valueCounts: new Map([[id, 10n]]),
    ...(nulls === undefined ? {} : { nullValueCounts: new Map([[id, nulls]]) }),
    ...(bounds === undefined
      ? {}
      : {
          lowerBounds: new Map([[id, serializeValue(type, bounds[0])]]),
          upperBounds: new Map([[id, serializeValue(type, bounds[1])]]),
        }),
  });
  const applied = (id: number, type: IcebergType, ofData: Facts, ofDeletes: Facts): number => {
    const entry = deletes('equality-deletes', 9n, { equalityIds: [id], ...statistics(id, type, ofDeletes) });
    const found = indexOf(entry).forDataFile(data('/t/a', statistics(id, type, ofData)), 1n);
    expect(found.equality.length + found.pruned).toBe(1);
    return found.equality.length;
  };

  test.each<readonly [string, Facts, Facts, number]>([
    ['ranges apart', { bounds: [1n, 5n], nulls: 0n }, { bounds: [6n, 9n], nulls: 0n }, 0],
    ['ranges apart, the other way', { bounds: [6n, 9n], nulls: 0n }, { bounds: [1n, 5n], nulls: 0n }, 0],
    ['ranges that touch', { bounds: [1n, 6n], nulls: 0n }, { bounds: [6n, 9n], nulls: 0n }, 1],
    ['nulls in both', { bounds: [1n, 5n], nulls: 1n }, { bounds: [6n, 9n], nulls: 1n }, 1],
    ['nulls in one', { bounds: [1n, 5n], nulls: 1n }, { bounds: [6n, 9n], nulls: 0n }, 0],
    ['nulls not counted', { bounds: [1n, 5n] }, { bounds: [6n, 9n] }, 1],
    ['only nulls against none', { nulls: 10n }, { nulls: 0n }, 0],
    ['none against only nulls', { nulls: 0n }, { nulls: 10n }, 0],
    ['bounds of one side only', { bounds: [1n, 5n], nulls: 0n }, { nulls: 0n }, 1],
  ])('%s', (_name, ofData, ofDeletes, expected) => {
    expect(applied(1, LONG, ofData, ofDeletes)).toBe(expected);
  });

  it('text is compared by its code points', () => {
    const facts = (value: string): Facts => ({ bounds: [value, value], nulls: 0n });
    expect(applied(2, { kind: 'string' }, facts('a'), facts('b'))).toBe(0);
  });

  it('floats and columns inside others rule nothing out', () => {
    expect(applied(3, { kind: 'double' }, { bounds: [1, 2], nulls: 0n }, { bounds: [3, 4], nulls: 0n })).toBe(1);
    expect(applied(5, LONG, { bounds: [1n, 2n], nulls: 0n }, { bounds: [3n, 4n], nulls: 0n })).toBe(1);
    expect(applied(77, LONG, { bounds: [1n, 2n], nulls: 0n }, { bounds: [3n, 4n], nulls: 0n })).toBe(1);
  });

  it('a bound written before the column was an int still counts', () => {
    const int = { kind: 'int' } as const;
    const entry = deletes('equality-deletes', 9n, statistics(1, LONG, { bounds: [6n, 9n], nulls: 0n }));
    const old = data('/t/a', statistics(1, int, { bounds: [1, 5], nulls: 0n }));
    expect(indexOf(entry).forDataFile(old, 1n)).toMatchObject({ equality: [], pruned: 1 });
  });
});
