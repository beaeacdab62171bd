import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type DataFile,
  type IcebergType,
  type ManifestEntry,
  type ManifestFile,
  manifestFileOf,
  manifestFileOfV1,
  type PartitionSpec,
  type PrimitiveValue,
  parseTransform,
  readManifest,
  readManifestList,
  type Schema,
  summarizePartitions,
  writeManifest,
  writeManifestList,
} from '../../../iceberg/index.js';

const fixture = (name: string): Uint8Array => readFileSync(new URL(`../../fixtures/iceberg/${name}`, import.meta.url));
const bytesOf = (...values: number[]): Uint8Array => Uint8Array.from(values);
const plain = (map: ReadonlyMap<number, Uint8Array | bigint> | undefined): unknown =>
  map === undefined
    ? undefined
    : Object.fromEntries([...map].map(([id, value]) => [id, value instanceof Uint8Array ? [...value] : value]));

const manifestFile = (extra: Partial<ManifestFile> = {}): ManifestFile => ({
  manifestPath: '/t/metadata/m.avro',
  manifestLength: 1n,
  partitionSpecId: 7,
  content: 'data',
  sequenceNumber: 34n,
  minSequenceNumber: 34n,
  addedSnapshotId: 99n,
  ...extra,
});

const field = (id: number, name: string, type: IcebergType): Schema['fields'][number] => ({
  id,
  name,
  required: false,
  type,
});

const TYPES: readonly IcebergType[] = [
  { kind: 'long' },
  { kind: 'decimal', precision: 20, scale: 2 },
  { kind: 'uuid' },
  { kind: 'date' },
  { kind: 'timestamptz' },
  { kind: 'string' },
  { kind: 'fixed', length: 3 },
  { kind: 'timestamp' },
  { kind: 'double' },
];
const NAMES = ['id', 'price', 'key', 'day', 'at', 'a.b', 'code', 'local', 'x'];
const schema: Schema = {
  schemaId: 4,
  identifierFieldIds: [],
  fields: TYPES.map((type, i) => field(i + 1, NAMES[i] ?? '', type)),
};

const spec = (specId: number, ...fields: readonly (readonly [number, string, string])[]): PartitionSpec => ({
  specId,
  fields: fields.map(([sourceId, name, transform], i) => ({
    sourceId,
    fieldId: 1000 + i,
    name,
    transform: parseTransform(transform),
  })),
});

const awkwardSpec = spec(
  7,
  [2, 'price', 'identity'],
  [3, 'key', 'identity'],
  [4, 'day', 'identity'],
  [5, 'at_month', 'month'],
  [6, 'a.b', 'identity'],
  [7, 'code', 'identity'],
  [8, 'local', 'identity'],
  [1, 'id_bucket', 'bucket[16]'],
  [9, 'x', 'identity'],
);

describe('a v2 manifest that PyIceberg wrote', () => {
  const entries = readManifest(
    fixture('pyiceberg-v2-manifest.avro'),
    { specs: [awkwardSpec], schemas: [schema] },
    manifestFile(),
  );

  it('gives partition values of every type', () => {
    expect(entries.map(({ dataFile }) => dataFile.partition)).toEqual([
      [
        -1234567890123456789n,
        'f79c3e09-677c-4bbd-a479-3f349cb785e7',
        17486,
        566,
        'é/=',
        bytesOf(1, 2, 255),
        1510871468123456n,
        3,
        2.5,
      ],
      [null, null, null, null, null, null, null, 15, null],
    ]);
  });

  it('gives exact counts, bounds and inherited sequence numbers', () => {
    const [first] = entries;
    expect(first).toMatchObject({
      status: 'added',
      snapshotId: 6722931285105347000n,
      sequenceNumber: 34n,
      fileSequenceNumber: 34n,
    });
    const file = first?.dataFile;
    expect(file).toMatchObject({
      content: 'data',
      filePath: '/t/data/0.parquet',
      fileFormat: 'PARQUET',
      specId: 7,
      recordCount: 9007199254740993n,
      fileSizeInBytes: 100n,
      splitOffsets: [4n, 1n << 40n],
      sortOrderId: 3,
    });
    expect(plain(file?.columnSizes)).toEqual({ 1: 10n, 2: 20n });
    expect(plain(file?.nullValueCounts)).toEqual({ 1: 0n, 9: 2n });
    expect(plain(file?.nanValueCounts)).toEqual({ 9: 1n });
    expect(plain(file?.upperBounds)).toEqual({ 1: [9, 0, 0, 0, 0, 0, 0, 0] });
    expect(file).not.toHaveProperty('keyMetadata');
  });

  it('survives being written again', () => {
    const bytes = writeManifest({ formatVersion: 2, content: 'data', schema, spec: awkwardSpec, entries });
    const again = readManifest(bytes, { specs: [awkwardSpec], schemas: [schema] }, manifestFile());
    const comparable = (list: readonly ManifestEntry[]): unknown =>
      list.map(({ dataFile, ...rest }) => ({
        ...rest,
        ...dataFile,
        ...Object.fromEntries(
          (
            [
              ['columnSizes', dataFile.columnSizes],
              ['valueCounts', dataFile.valueCounts],
              ['nullValueCounts', dataFile.nullValueCounts],
              ['nanValueCounts', dataFile.nanValueCounts],
              ['lowerBounds', dataFile.lowerBounds],
              ['upperBounds', dataFile.upperBounds],
            ] as const
          ).map(([name, map]) => [name, plain(map)]),
        ),
      }));
    expect(comparable(again)).toEqual(comparable(entries));
  });
});

describe('v1', () => {
  const v1Schema: Schema = {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [field(1, 'd', { kind: 'date' }), field(2, 'n', { kind: 'long' })],
  };
  const v1Spec = spec(5, [1, 'd', 'identity'], [2, 'n', 'identity']);

  it('reads a list without counts, content or sequence numbers', () => {
    expect(readManifestList(fixture('v1-manifest-list.avro'))).toEqual([
      {
        manifestPath: '/t/metadata/m0.avro',
        manifestLength: 5000n,
        partitionSpecId: 0,
        content: 'data',
        sequenceNumber: 0n,
        minSequenceNumber: 0n,
        addedSnapshotId: 8744736658442914487n,
      },
    ]);
  });

  it('makes a list entry of a manifest that metadata lists inline', () => {
    const bytes = fixture('v1-manifest-null.avro');
    expect(manifestFileOfV1('/t/m.avro', bytes, 77n)).toEqual(
      manifestFile({
        manifestPath: '/t/m.avro',
        manifestLength: BigInt(bytes.length),
        partitionSpecId: 5,
        sequenceNumber: 0n,
        minSequenceNumber: 0n,
        addedSnapshotId: 77n,
      }),
    );
  });

  it.each(['null', 'deflate', 'zstandard'])(
    'finds columns by id in any order, promotes an int partition to long (%s)',
    (codec) => {
      const bytes = fixture(`v1-manifest-${codec}.avro`);
      const entries = readManifest(
        bytes,
        { specs: [v1Spec], schemas: [v1Schema] },
        manifestFileOfV1('/t/m.avro', bytes, 78n),
      );
      expect(
        entries.map(({ dataFile, ...rest }) => ({
          ...rest,
          path: dataFile.filePath,
          partition: dataFile.partition,
          values: plain(dataFile.valueCounts),
        })),
      ).toEqual(
        (['existing', 'added', 'deleted'] as const).map((status, i) => ({
          status,
          snapshotId: 77n,
          sequenceNumber: 0n,
          fileSequenceNumber: 0n,
          path: `/t/data/${i}.parquet`,
          partition: [i === 0 ? 11000 : null, 42n],
          values: { 1: 3n },
        })),
      );
    },
  );

  it('says which partition field a manifest lacks instead of taking it for null', () => {
    const bytes = fixture('v1-manifest-null.avro');
    const other: PartitionSpec = {
      specId: 5,
      fields: [{ sourceId: 1, fieldId: 1009, name: 'gone', transform: { kind: 'identity' } }],
    };
    const read = (): unknown =>
      readManifest(bytes, { specs: [other], schemas: [v1Schema] }, manifestFile({ partitionSpecId: 5 }));
    expect(read).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_CORRUPT',
        message: expect.stringContaining("'gone' (id 1009)") as unknown,
      }),
    );
  });
});

const dataFile = (partition: readonly (PrimitiveValue | null)[], extra: Partial<DataFile> = {}): DataFile => ({
  content: 'data',
  filePath: '/t/data/f.parquet',
  fileFormat: 'PARQUET',
  specId: 1,
  partition,
  recordCount: 5n,
  fileSizeInBytes: 10n,
  ...extra,
});

const entry = (
  status: ManifestEntry['status'],
  file: DataFile,
  sequenceNumber: bigint | null = null,
): ManifestEntry => ({
  status,
  snapshotId: sequenceNumber === null ? null : 3n,
  sequenceNumber,
  fileSequenceNumber: sequenceNumber,
  dataFile: file,
});

describe('manifests', () => {
  const idSpec = spec(1, [1, 'id', 'identity']);
  const write = (entries: readonly ManifestEntry[], of = idSpec): Uint8Array =>
    writeManifest({ formatVersion: 2, content: 'data', schema, spec: of, entries });

  it('inherit ids and sequence numbers for added entries only', () => {
    const bytes = write([
      entry('added', dataFile([1n])),
      entry('existing', dataFile([2n]), 12n),
      entry('deleted', dataFile([3n]), 13n),
    ]);
    const read = readManifest(bytes, { specs: [idSpec], schemas: [schema] }, manifestFile({ partitionSpecId: 1 }));
    expect(
      read.map(({ snapshotId, sequenceNumber, fileSequenceNumber }) => [
        snapshotId,
        sequenceNumber,
        fileSequenceNumber,
      ]),
    ).toEqual([
      [99n, 34n, 34n],
      [3n, 12n, 12n],
      [3n, 13n, 13n],
    ]);
  });

  it('refuse to be written with entries that could not be read back', () => {
    expect(() => write([entry('existing', dataFile([1n]))])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(() => write([entry('added', dataFile([1n, 2n]))])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(() => write([entry('added', dataFile([1n], { specId: 2 }))])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(() => write([entry('added', dataFile([1n], { content: 'position-deletes' }))])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });

  it('are corrupt when shorter than their manifest list says, even if cut between two blocks', () => {
    const bytes = write([entry('added', dataFile([1n]))]);
    const read = (manifestLength: bigint): unknown =>
      readManifest(bytes, { specs: [idSpec], schemas: [schema] }, manifestFile({ partitionSpecId: 1, manifestLength }));
    expect(read(BigInt(bytes.length))).toHaveLength(1);
    expect(() => read(BigInt(bytes.length) + 1n)).toThrow(expect.objectContaining({ code: 'MANIFEST_CORRUPT' }));
  });

  it('keep hostile partition field names and repeated fixed types apart', () => {
    const hostile: Schema = {
      schemaId: 0,
      identifierFieldIds: [],
      fields: [
        field(1, '__proto__', { kind: 'uuid' }),
        field(2, 'a"b\n', { kind: 'uuid' }),
        field(3, 'a.b', { kind: 'long' }),
        field(4, 'a_x2Eb', { kind: 'long' }),
      ],
    };
    const of = spec(
      1,
      [1, '__proto__', 'identity'],
      [2, 'a"b\n', 'identity'],
      [3, 'a.b', 'identity'],
      [4, 'a_x2Eb', 'identity'],
    );
    const tuple = ['00000000-0000-0000-0000-000000000001', null, 2n ** 62n, -1n];
    const bytes = writeManifest({
      formatVersion: 2,
      content: 'data',
      schema: hostile,
      spec: of,
      entries: [entry('added', dataFile(tuple))],
    });
    const [read] = readManifest(bytes, { specs: [of], schemas: [hostile] }, manifestFile({ partitionSpecId: 1 }));
    expect(read?.dataFile.partition).toEqual(tuple);
    // Other readers refuse a schema that defines a name twice.
    const names = [
      ...Buffer.from(bytes)
        .toString('latin1')
        .matchAll(/"name":"(uuid_fixed\w*|a_x2Eb\w*)","(?:size"|type":\[)/g),
    ].map(([, name]) => name);
    expect(names).toEqual(['uuid_fixed', 'uuid_fixed_2', 'a_x2Eb', 'a_x2Eb_1003']);
  });

  it('name the file when a byte is wrong, or give the entries', () => {
    const bytes = write([
      entry('added', dataFile([1n], { lowerBounds: new Map([[1, bytesOf(1, 0, 0, 0, 0, 0, 0, 0)]]) })),
    ]);
    for (let at = 0; at < bytes.length; at += 11) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0xff;
      try {
        readManifest(damaged, { specs: [idSpec], schemas: [schema] }, manifestFile({ partitionSpecId: 1 }));
      } catch (error) {
        expect(error).toMatchObject({
          name: 'MoraineError',
          message: expect.stringContaining('/t/metadata/m.avro') as unknown,
        });
      }
    }
  });
});

describe('partition summaries', () => {
  const kinds: Schema = {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [field(1, 'x', { kind: 'double' }), field(2, 's', { kind: 'string' }), field(3, 'v', { kind: 'long' })],
  };
  const of = spec(1, [1, 'x', 'identity'], [2, 's', 'identity'], [3, 'v', 'void']);

  it('bound numbers without NaN, order text by code points, and widen zero to both signs', () => {
    const entries = [
      [0, '\ud83d\ude00', null],
      [Number.NaN, '\uff5e', null],
      [-1.5, 'a', null],
    ].map((tuple) => entry('added', dataFile(tuple)));
    const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value);
    expect(summarizePartitions(entries, of, kinds)).toEqual([
      {
        containsNull: false,
        containsNan: true,
        lowerBound: bytesOf(0, 0, 0, 0, 0, 0, 0xf8, 0xbf),
        upperBound: bytesOf(0, 0, 0, 0, 0, 0, 0, 0),
      },
      { containsNull: false, containsNan: false, lowerBound: utf8('a'), upperBound: utf8('\ud83d\ude00') },
      { containsNull: true, containsNan: false },
    ]);
    const [zero] = summarizePartitions([entry('added', dataFile([0, '', null]))], of, kinds);
    expect(zero).toMatchObject({
      lowerBound: bytesOf(0, 0, 0, 0, 0, 0, 0, 0x80),
      upperBound: bytesOf(0, 0, 0, 0, 0, 0, 0, 0),
    });
  });

  it('go through a manifest list with the counts', () => {
    const entries = [
      entry('added', dataFile([1, 'b', null])),
      entry('existing', dataFile([2, 'a', null], { recordCount: 7n }), 4n),
      entry('deleted', dataFile([3, 'c', null]), 2n),
    ];
    const file = manifestFileOf({
      manifestPath: '/t/m.avro',
      manifestLength: 88n,
      content: 'data',
      spec: of,
      schema: kinds,
      entries,
      snapshotId: 9n,
      sequenceNumber: 6n,
    });
    expect(file).toMatchObject({
      minSequenceNumber: 4n,
      addedFilesCount: 1,
      existingFilesCount: 1,
      deletedFilesCount: 1,
      addedRowsCount: 5n,
      existingRowsCount: 7n,
      deletedRowsCount: 5n,
    });
    const bytes = writeManifestList({
      formatVersion: 2,
      snapshotId: 9n,
      parentSnapshotId: null,
      sequenceNumber: 6n,
      manifests: [file],
    });
    const [read] = readManifestList(bytes, '/t/list.avro');
    expect(read).toEqual(file);
  });
});

describe('partition values whose types metadata does not tell', () => {
  const whole: Schema = {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [field(1, 'id', { kind: 'long' }), field(2, 'day', { kind: 'date' }), field(3, 'name', { kind: 'string' })],
  };
  const of = spec(7, [1, 'id', 'identity'], [2, 'day', 'identity'], [3, 'name', 'identity']);
  const file = (partition: DataFile['partition']): DataFile => ({
    content: 'data',
    filePath: `/t/${String(partition[0])}.parquet`,
    fileFormat: 'PARQUET',
    specId: 7,
    partition,
    recordCount: 1n,
    fileSizeInBytes: 1n,
  });
  const entriesOf = (...partitions: readonly DataFile['partition'][]): readonly ManifestEntry[] =>
    partitions.map((partition) => ({
      status: 'existing',
      snapshotId: 1n,
      sequenceNumber: 1n,
      fileSequenceNumber: 1n,
      dataFile: file(partition),
    }));
  const partitions = [
    [5n, 17486, 'é'],
    [null, null, null],
  ] as const;
  const written = writeManifest({
    formatVersion: 2,
    content: 'data',
    schema: whole,
    spec: of,
    entries: entriesOf(...partitions),
  });
  const none: Schema = { ...whole, fields: [] };

  it.each([
    ['columns are in no schema any more', of],
    [
      'transforms are not known',
      { ...of, fields: of.fields.map((one) => ({ ...one, transform: parseTransform('odd[2]') })) },
    ],
  ])('are written as they were where %s', (_, now) => {
    const context = { specs: [now], schemas: [none] };
    const entries = readManifest(written, context, manifestFile());
    expect(entries.map(({ dataFile }) => dataFile.partition)).toEqual(partitions);
    const again = writeManifest({ formatVersion: 2, content: 'data', schema: none, spec: now, entries });
    expect(readManifest(again, context, manifestFile()).map(({ dataFile }) => dataFile)).toEqual(
      entries.map(({ dataFile }) => dataFile),
    );
    // Also for those who know the columns.
    const known = readManifest(again, { specs: [of], schemas: [whole] }, manifestFile());
    expect(known.map(({ dataFile }) => dataFile.partition)).toEqual(partitions);
    const described = {
      manifestPath: '/m',
      manifestLength: 1n,
      content: 'data',
      snapshotId: 1n,
      sequenceNumber: 1n,
    } as const;
    expect(manifestFileOf({ ...described, spec: now, schema: none, entries }).partitions).toEqual(
      manifestFileOf({ ...described, spec: of, schema: whole, entries: entriesOf(...partitions) }).partitions,
    );
  });
});
