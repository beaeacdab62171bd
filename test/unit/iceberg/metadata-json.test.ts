import { describe, expect, it } from 'vitest';
import {
  currentSnapshot,
  evolveSchema,
  findField,
  parseTableMetadata,
  schemaToJson,
  stringifyJson,
  type TableMetadata,
  tableMetadataToJson,
} from '../../../iceberg/index.js';

/** A table of version 2 as the specification describes it, with ids beyond 2^53 and fields nobody knows. */
const V2 = `{
  "format-version": 2,
  "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
  "location": "s3://bucket/test/location",
  "last-sequence-number": 34,
  "last-updated-ms": 1602638573590,
  "last-column-id": 3,
  "current-schema-id": 1,
  "schemas": [
    {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "x", "required": true, "type": "long"}]},
    {"type": "struct", "schema-id": 1, "identifier-field-ids": [1, 2], "odd": {"deep": 9007199254740993}, "fields": [
      {"id": 1, "name": "x", "required": true, "type": "long"},
      {"id": 2, "name": "y", "required": true, "type": "long", "doc": "comment"},
      {"id": 3, "name": "z", "required": true, "type": "long"}]}
  ],
  "default-spec-id": 0,
  "partition-specs": [{"spec-id": 0, "fields": [{"name": "x", "transform": "identity", "source-id": 1, "field-id": 1000}]}],
  "last-partition-id": 1000,
  "default-sort-order-id": 3,
  "sort-orders": [{"order-id": 3, "fields": [
    {"transform": "identity", "source-id": 2, "direction": "asc", "null-order": "nulls-first"},
    {"transform": "bucket[4]", "source-id": 3, "direction": "desc", "null-order": "nulls-last"}]}],
  "properties": {"read.split.target.size": "134217728", "__proto__": "kept", "constructor": "too"},
  "current-snapshot-id": 9223372036854775807,
  "snapshots": [
    {"snapshot-id": 3051729675574597004, "timestamp-ms": 1515100955770, "sequence-number": 0,
     "summary": {"operation": "append"}, "manifest-list": "s3://a/b/1.avro"},
    {"snapshot-id": 9223372036854775807, "parent-snapshot-id": 3051729675574597004, "timestamp-ms": 1555100955770,
     "sequence-number": 1, "summary": {"operation": "append", "__proto__": "p"}, "manifest-list": "s3://a/b/2.avro",
     "schema-id": 1, "key-id": "k", "novel": [9007199254740993]}
  ],
  "snapshot-log": [
    {"snapshot-id": 3051729675574597004, "timestamp-ms": 1515100955770},
    {"snapshot-id": 9223372036854775807, "timestamp-ms": 1555100955770}],
  "metadata-log": [{"metadata-file": "s3://bucket/.../v1.json", "timestamp-ms": 1515100}],
  "refs": {"test": {"snapshot-id": 3051729675574597004, "type": "tag", "max-ref-age-ms": 10000000}},
  "statistics": [{"snapshot-id": 3051729675574597004, "statistics-path": "s3://a/b/stats.puffin"}],
  "future": {"x": 18446744073709551615, "y": 1.5}
}`;

/** A version 1 file of the first writers: one schema, one spec, no uuid, no orders, no refs. */
const V1 = `{
  "format-version": 1, "location": "/t", "last-updated-ms": 1602638573874, "last-column-id": 2,
  "schema": {"type": "struct", "fields": [
    {"id": 1, "name": "x", "required": true, "type": "long"},
    {"id": 2, "name": "d", "required": false, "type": "date"}]},
  "partition-spec": [
    {"name": "x", "transform": "identity", "source-id": 1},
    {"name": "d_year", "transform": "year", "source-id": 2}],
  "properties": {}, "current-snapshot-id": -1, "snapshots": []
}`;

/** The text with one top-level member set, or left out. */
function withMember(text: string, key: string, value?: unknown): string {
  const tagged = text.replaceAll(/:\s*(\d{16,})/g, ': "#$1"');
  const entries = Object.entries(JSON.parse(tagged) as Record<string, unknown>).filter(([name]) => name !== key);
  if (value !== undefined) entries.push([key, value]);
  return JSON.stringify(Object.fromEntries(entries)).replaceAll(/"#(\d+)"/g, '$1');
}

/** JSON text with keys sorted and long integers kept, for comparing without our own parser. */
function canonical(text: string): unknown {
  return JSON.parse(text.replaceAll(/(?<=[:[,]\s*)(\d{16,})(?=\s*[,}\]])/g, '"#$1"'));
}

describe('table metadata', () => {
  it('keeps 64-bit ids exact and hostile keys ordinary', () => {
    const metadata = parseTableMetadata(V2);
    expect(metadata.currentSnapshotId).toBe(9223372036854775807n);
    expect(currentSnapshot(metadata)?.parentSnapshotId).toBe(3051729675574597004n);
    expect([...metadata.properties]).toEqual([
      ['read.split.target.size', '134217728'],
      ['__proto__', 'kept'],
      ['constructor', 'too'],
    ]);
    expect(currentSnapshot(metadata)?.summary.get('__proto__')).toBe('p');
    expect(metadata.lastSequenceNumber).toBe(34n);
    expect(metadata.schemas[1]?.identifierFieldIds).toEqual([1, 2]);
    expect(metadata.schemas[1] && findField(metadata.schemas[1], 2)?.doc).toBe('comment');
    expect(metadata.sortOrders[0]?.fields[1]).toEqual({
      sourceId: 3,
      transform: { kind: 'bucket', numBuckets: 4 },
      direction: 'desc',
      nullOrder: 'nulls-last',
    });
  });

  it('adds the main branch that older writers left out, beside the tags', () => {
    expect(parseTableMetadata(V2).refs).toEqual(
      new Map([
        ['test', { snapshotId: 3051729675574597004n, type: 'tag', maxRefAgeMs: 10000000n }],
        ['main', { snapshotId: 9223372036854775807n, type: 'branch' }],
      ]),
    );
  });

  it('writes everything back, what it does not know included', () => {
    const written = canonical(tableMetadataToJson(parseTableMetadata(V2))) as Record<string, unknown>;
    const expected = canonical(V2) as Record<string, unknown> & { refs: Record<string, unknown> };
    expected.refs.main = { 'snapshot-id': '#9223372036854775807', type: 'branch' };
    expect(written).toEqual(expected);
    expect(Object.getOwnPropertyDescriptor(written.properties, '__proto__')?.value).toBe('kept');
  });

  it('keeps members that it does not know in whatever has them', () => {
    const odd = '"odd": {"deep": 9007199254740993}';
    const type = `{"type": "struct", ${odd}, "fields": [
      {"id": 3, "name": "l", "required": false, ${odd}, "type":
        {"type": "list", "element-id": 4, "element": "long", "element-required": false, ${odd}}},
      {"id": 5, "name": "m", "required": false, "type":
        {"type": "map", "key-id": 6, "key": "string", "value-id": 7, "value": "long", "value-required": true, ${odd}}}]}`;
    const text = `{
      "format-version": 2, "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1", "location": "/t",
      "last-sequence-number": 1, "last-updated-ms": 2, "last-column-id": 7, "current-schema-id": 0,
      "schemas": [{"type": "struct", "schema-id": 0, ${odd}, "fields": [
        {"id": 1, "name": "x", "required": true, "type": "long", ${odd}},
        {"id": 2, "name": "s", "required": false, "type": ${type}}]}],
      "default-spec-id": 0, "last-partition-id": 1000,
      "partition-specs": [{"spec-id": 0, ${odd}, "fields": [
        {"name": "x", "transform": "identity", "source-id": 1, "field-id": 1000, ${odd}}]}],
      "default-sort-order-id": 1,
      "sort-orders": [{"order-id": 1, ${odd}, "fields": [
        {"transform": "identity", "source-id": 1, "direction": "asc", "null-order": "nulls-first", ${odd}}]}],
      "properties": {}, "current-snapshot-id": 5,
      "snapshots": [{"snapshot-id": 5, "timestamp-ms": 1, "sequence-number": 1, "manifest-list": "/l", ${odd}}],
      "snapshot-log": [{"snapshot-id": 5, "timestamp-ms": 1, ${odd}}],
      "metadata-log": [{"metadata-file": "/v1.json", "timestamp-ms": 1, ${odd}}],
      "refs": {"main": {"snapshot-id": 5, "type": "branch", ${odd}}}, ${odd}
    }`;
    expect(canonical(tableMetadataToJson(parseTableMetadata(text)))).toEqual(canonical(text));
  });

  it('keeps them through changes of the schema', () => {
    const text = withMember(V2, 'schemas', [
      {
        type: 'struct',
        'schema-id': 1,
        fields: [
          { id: 1, name: 'x', required: true, type: 'long', odd: 1 },
          {
            id: 2,
            name: 'y',
            required: true,
            type: { type: 'struct', odd: 2, fields: [{ id: 3, name: 'z', required: true, type: 'long', odd: 3 }] },
          },
        ],
      },
    ]);
    const [schema] = parseTableMetadata(text).schemas;
    const changes = [
      { change: 'set-doc', column: 'x', doc: 'a comment' },
      { change: 'rename', column: 'y.z', newName: 'w' },
    ] as const;
    const evolved = schema && evolveSchema(schema, changes, { lastColumnId: 3, formatVersion: 2 });
    expect(evolved && schemaToJson(evolved).fields).toEqual([
      { id: 1, name: 'x', required: true, type: 'long', doc: 'a comment', odd: 1 },
      {
        id: 2,
        name: 'y',
        required: true,
        type: { type: 'struct', odd: 2, fields: [{ id: 3, name: 'w', required: true, type: 'long', odd: 3 }] },
      },
    ]);
  });

  it('reads and writes transforms of several columns, which it ignores', () => {
    const text = withMember(
      withMember(V2, 'partition-specs', [
        {
          'spec-id': 0,
          fields: [
            { name: 'both', transform: 'bucket[4]', 'source-ids': [1, 2], 'field-id': 1000 },
            { name: 'x', transform: 'identity', 'source-ids': [1], 'field-id': 1001 },
          ],
        },
      ]),
      'sort-orders',
      [
        {
          'order-id': 3,
          fields: [{ transform: 'zorder', 'source-ids': [2, 3], direction: 'asc', 'null-order': 'nulls-last' }],
        },
      ],
    );
    const metadata = parseTableMetadata(text);
    expect(metadata.partitionSpecs[0]?.fields).toEqual([
      {
        sourceId: 1,
        sourceIds: [1, 2],
        fieldId: 1000,
        name: 'both',
        transform: { kind: 'unknown', text: 'bucket[4]' },
      },
      { sourceId: 1, fieldId: 1001, name: 'x', transform: { kind: 'identity' } },
    ]);
    const written = JSON.parse(tableMetadataToJson(metadata)) as Record<string, unknown>;
    expect(written['partition-specs']).toEqual([
      {
        'spec-id': 0,
        fields: [
          { name: 'both', transform: 'bucket[4]', 'source-ids': [1, 2], 'field-id': 1000 },
          { name: 'x', transform: 'identity', 'source-id': 1, 'field-id': 1001 },
        ],
      },
    ]);
    expect(written['sort-orders']).toEqual([
      {
        'order-id': 3,
        fields: [{ transform: 'zorder', 'source-ids': [2, 3], direction: 'asc', 'null-order': 'nulls-last' }],
      },
    ]);
  });

  it('reads the same from bytes', () => {
    expect(parseTableMetadata(new TextEncoder().encode(V2))).toEqual(parseTableMetadata(V2));
  });

  it('reads version 1 without uuid, lists, orders and field ids', () => {
    const metadata = parseTableMetadata(V1);
    expect(metadata).toMatchObject({
      formatVersion: 1,
      tableUuid: '',
      lastSequenceNumber: 0n,
      currentSchemaId: 0,
      defaultSpecId: 0,
      lastPartitionId: 1001,
      defaultSortOrderId: 0,
      currentSnapshotId: null,
      sortOrders: [{ orderId: 0, fields: [] }],
    });
    expect(metadata.partitionSpecs[0]?.fields.map((field) => field.fieldId)).toEqual([1000, 1001]);
    const written = JSON.parse(tableMetadataToJson(metadata)) as Record<string, unknown>;
    expect(written['table-uuid']).toBeUndefined();
    expect(written['current-snapshot-id']).toBe(-1);
    expect(written['last-sequence-number']).toBeUndefined();
    expect(written.schema).toEqual({
      type: 'struct',
      'schema-id': 0,
      fields: [
        { id: 1, name: 'x', required: true, type: 'long' },
        { id: 2, name: 'd', required: false, type: 'date' },
      ],
    });
    expect(written['partition-spec']).toEqual([
      { name: 'x', transform: 'identity', 'source-id': 1, 'field-id': 1000 },
      { name: 'd_year', transform: 'year', 'source-id': 2, 'field-id': 1001 },
    ]);
  });

  it('reads version 3 with its row lineage, and writes null for no snapshot', () => {
    const v3 = withMember(withMember(V2, 'format-version', 3), 'next-row-id', 77);
    expect(parseTableMetadata(v3)).toMatchObject({ formatVersion: 3, nextRowId: 77n });
    const empty = ['snapshots', 'snapshot-log', 'refs', 'current-snapshot-id'].reduce(
      (text, key) => withMember(text, key),
      v3,
    );
    expect(JSON.parse(tableMetadataToJson(parseTableMetadata(empty)))).toMatchObject({ 'current-snapshot-id': null });
  });

  it.each([null, -1])('takes current-snapshot-id %s as none', (id) => {
    const text = withMember(withMember(V2, 'current-snapshot-id', id), 'snapshots', []);
    expect(parseTableMetadata(text).currentSnapshotId).toBeNull();
  });
});

describe('corrupt metadata names what is wrong', () => {
  it.each([
    ['{"format-version"', /not valid JSON/i],
    ['[]', /expected a JSON object, got an array/],
    [withMember(V2, 'format-version'), /'format-version' is missing/],
    [withMember(V2, 'location'), /'location' is missing/],
    [withMember(V2, 'table-uuid'), /'table-uuid' is missing/],
    [withMember(V2, 'last-sequence-number', 'x'), /'last-sequence-number' should be a 64-bit integer, got "x"/],
    [withMember(V2, 'schemas', []), /'schemas' is missing or empty/],
    [withMember(V2, 'current-schema-id', 7), /current-schema-id 7 is not among/],
    [withMember(V2, 'default-spec-id', 7), /default-spec-id 7 is not among/],
    [withMember(V2, 'default-sort-order-id', 7), /default-sort-order-id 7 is not among/],
    [withMember(V2, 'current-snapshot-id', 5), /current-snapshot-id 5 is not among the snapshots/],
    [withMember(V2, 'refs', { main: { 'snapshot-id': 4, type: 'branch' } }), /main branch points at snapshot 4/],
    [withMember(V2, 'snapshots', [{ 'snapshot-id': 1 }]), /snapshot 1 has neither a manifest list nor manifests/],
    [withMember(V2, 'properties', { a: [] }), /'properties.a' should be a string/],
    ['['.repeat(100_000), /Not valid JSON/],
  ])('%#', (text, message) => {
    expect(() => parseTableMetadata(text)).toThrow(expect.objectContaining({ code: 'METADATA_CORRUPT' }));
    expect(() => parseTableMetadata(text)).toThrow(message);
  });

  it('says which versions can be read when the version is unknown', () => {
    expect(() => parseTableMetadata(withMember(V2, 'format-version', 4))).toThrow(
      expect.objectContaining({
        code: 'FORMAT_VERSION_UNSUPPORTED',
        message: expect.stringMatching(/1, 2 and 3/) as string,
      }),
    );
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseTableMetadata(Uint8Array.of(0x7b, 0xff))).toThrow(
      expect.objectContaining({ code: 'METADATA_CORRUPT' }),
    );
  });
});

describe('unknown member of otherFields', () => {
  it('is exact after a round trip', () => {
    const metadata: TableMetadata = parseTableMetadata(V2);
    expect(stringifyJson(metadata.otherFields.get('future') as never)).toBe('{"x":18446744073709551615,"y":1.5}');
  });
});
