import { describe, expect, it } from 'vitest';
import {
  applyUpdates,
  checkRequirements,
  LAST_ADDED,
  newTableMetadata,
  parseJson,
  parsePartitionSpec,
  parseSchema,
  requirementFromJson,
  requirementToJson,
  type Schema,
  type Snapshot,
  stringifyJson,
  type TableMetadata,
  type TableRequirement,
  type TableUpdate,
  updateFromJson,
  updateToJson,
  withMetadataLogEntry,
} from '../../../iceberg/index.js';

const UUID = '9c12d441-03fe-4693-9a96-a0705ddf69c1';
const SCHEMA: Schema = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'at', required: false, type: 'timestamp' },
  ],
});
const START_MS = 1_000_000_000_000n;

function newTable(formatVersion: 1 | 2 | 3 = 2): TableMetadata {
  const partitionSpec = parsePartitionSpec('month(at)', SCHEMA);
  return newTableMetadata({
    schema: SCHEMA,
    partitionSpec,
    location: '/t',
    formatVersion,
    tableUuid: UUID,
    nowMs: START_MS,
  });
}

function snapshot(id: number, overrides: Partial<Snapshot> = {}): Snapshot {
  return {
    snapshotId: BigInt(id),
    sequenceNumber: BigInt(id),
    timestampMs: START_MS + BigInt(id),
    manifestList: `/t/metadata/snap-${id}.avro`,
    summary: new Map([['operation', 'append']]),
    schemaId: 0,
    ...overrides,
  };
}

const add = (id: number, overrides?: Partial<Snapshot>): TableUpdate => ({
  action: 'add-snapshot',
  snapshot: snapshot(id, overrides),
});
const point = (id: number, refName = 'main'): TableUpdate => ({
  action: 'set-snapshot-ref',
  refName,
  ref: { snapshotId: BigInt(id), type: 'branch' },
});
const commit = (base: TableMetadata, id: number): TableMetadata => applyUpdates(base, [add(id), point(id)], START_MS);
const codeOf = (code: string): unknown => expect.objectContaining({ code });

describe('snapshots', () => {
  it('become current, with log and sequence number', () => {
    const metadata = commit(newTable(), 1);
    expect(metadata.currentSnapshotId).toBe(1n);
    expect(metadata.lastSequenceNumber).toBe(1n);
    expect(metadata.lastUpdatedMs).toBe(START_MS + 1n);
    expect(metadata.snapshotLog).toEqual([{ snapshotId: 1n, timestampMs: START_MS + 1n }]);
    expect(metadata.refs).toEqual(new Map([['main', { snapshotId: 1n, type: 'branch' }]]));
  });

  it('do not change the base', () => {
    const base = newTable();
    const before = structuredClone(base);
    commit(base, 1);
    expect(base).toEqual(before);
  });

  it('that were current only in the course of one commit are not in the log', () => {
    const metadata = applyUpdates(newTable(), [add(1), point(1), add(2), point(2)], START_MS);
    expect(metadata.snapshotLog).toEqual([{ snapshotId: 2n, timestampMs: START_MS + 2n }]);
    expect(metadata.snapshots.map((each) => each.snapshotId)).toEqual([1n, 2n]);
  });

  it('of a side branch leave main and the log alone', () => {
    const metadata = applyUpdates(commit(newTable(), 1), [add(2), point(2, 'audit')], START_MS);
    expect(metadata.currentSnapshotId).toBe(1n);
    expect(metadata.snapshotLog).toHaveLength(1);
    expect(metadata.refs.get('audit')?.snapshotId).toBe(2n);
  });

  it('can be rolled back to, at the time of the rollback', () => {
    const metadata = applyUpdates(commit(commit(newTable(), 1), 2), [point(1)], START_MS + 50n);
    expect(metadata.snapshotLog.map((entry) => [entry.snapshotId, entry.timestampMs - START_MS])).toEqual([
      [1n, 1n],
      [2n, 2n],
      [1n, 50n],
    ]);
    expect(metadata.lastUpdatedMs).toBe(START_MS + 50n);
  });

  it('need a sequence number above the last one', () => {
    const base = commit(newTable(), 5);
    expect(() => applyUpdates(base, [add(6, { sequenceNumber: 5n })], START_MS)).toThrow(codeOf('COMMIT_CONFLICT'));
    expect(applyUpdates(newTable(1), [add(6, { sequenceNumber: 0n })], START_MS).lastSequenceNumber).toBe(0n);
  });

  it('are added once', () => {
    expect(() => applyUpdates(commit(newTable(), 1), [add(1, { sequenceNumber: 9n })], START_MS)).toThrow(/already/);
  });

  it('may be up to a minute older than the last one', () => {
    const base = applyUpdates(newTable(), [add(1, { timestampMs: START_MS }), point(1)], START_MS);
    expect(() => applyUpdates(base, [add(2, { timestampMs: START_MS - 60_001n })], START_MS)).toThrow(/clock/);
    expect(applyUpdates(base, [add(2, { timestampMs: START_MS - 60_000n })], START_MS).snapshots).toHaveLength(2);
  });

  it('of version 3 assign row ids', () => {
    const metadata = applyUpdates(newTable(3), [add(1, { firstRowId: 0n, addedRows: 10n })], START_MS);
    expect(metadata.nextRowId).toBe(10n);
    expect(() => applyUpdates(metadata, [add(2, { firstRowId: 9n, addedRows: 1n })], START_MS)).toThrow(/first-row-id/);
    expect(() => applyUpdates(metadata, [add(2)], START_MS)).toThrow(/needs first-row-id/);
  });
});

describe('removing', () => {
  const three = commit(commit(commit(newTable(), 1), 2), 3);

  it('a snapshot takes its refs and the history up to it', () => {
    const tagged = applyUpdates(
      three,
      [{ action: 'set-snapshot-ref', refName: 'old', ref: { snapshotId: 2n, type: 'tag' } }],
      START_MS,
    );
    const metadata = applyUpdates(tagged, [{ action: 'remove-snapshots', snapshotIds: [2n, 99n] }], START_MS + 9n);
    expect(metadata.snapshots.map((each) => each.snapshotId)).toEqual([1n, 3n]);
    expect([...metadata.refs.keys()]).toEqual(['main']);
    expect(metadata.snapshotLog.map((entry) => entry.snapshotId)).toEqual([3n]);
    expect(metadata.lastUpdatedMs).toBe(START_MS + 9n);
  });

  it('the main branch leaves no current snapshot', () => {
    const metadata = applyUpdates(three, [{ action: 'remove-snapshot-ref', refName: 'main' }], START_MS);
    expect(metadata.currentSnapshotId).toBeNull();
    expect(metadata.snapshotLog).toEqual([]);
    expect(metadata.snapshots).toHaveLength(3);
  });

  it('what is not there changes nothing, not even the time', () => {
    expect(
      applyUpdates(
        three,
        [
          { action: 'remove-snapshots', snapshotIds: [99n] },
          { action: 'remove-snapshot-ref', refName: 'none' },
          { action: 'remove-properties', removals: ['none'] },
        ],
        START_MS + 9n,
      ),
    ).toBe(three);
  });
});

describe('refs', () => {
  const base = commit(newTable(), 1);
  it.each([
    ['main', { snapshotId: 1n, type: 'tag' }, 'INVALID_ARGUMENT'],
    ['', { snapshotId: 1n, type: 'tag' }, 'INVALID_ARGUMENT'],
    ['t', { snapshotId: 1n, type: 'tag', minSnapshotsToKeep: 1 }, 'INVALID_ARGUMENT'],
    ['t', { snapshotId: 8n, type: 'tag' }, 'SNAPSHOT_NOT_FOUND'],
  ] as const)("'%s' %o is refused: %s", (refName, ref, code) => {
    expect(() => applyUpdates(base, [{ action: 'set-snapshot-ref', refName, ref }], START_MS)).toThrow(codeOf(code));
  });
  it('named __proto__ are ordinary', () => {
    const metadata = applyUpdates(base, [point(1, '__proto__')], START_MS);
    expect(metadata.refs.get('__proto__')?.snapshotId).toBe(1n);
  });
});

describe('schemas, specs and orders', () => {
  const wider: Schema = {
    ...SCHEMA,
    fields: [...SCHEMA.fields, { id: 3, name: 'v', required: false, type: { kind: 'int' } }],
  };

  it('-1 stands for the one added last', () => {
    const metadata = applyUpdates(
      newTable(),
      [
        { action: 'add-schema', schema: wider },
        { action: 'set-current-schema', schemaId: LAST_ADDED },
        {
          action: 'add-spec',
          spec: { specId: 7, fields: [{ sourceId: 3, fieldId: -1, name: 'v', transform: { kind: 'identity' } }] },
        },
        { action: 'set-default-spec', specId: LAST_ADDED },
        {
          action: 'add-sort-order',
          sortOrder: {
            orderId: 9,
            fields: [{ sourceId: 3, transform: { kind: 'identity' }, direction: 'asc', nullOrder: 'nulls-first' }],
          },
        },
        { action: 'set-default-sort-order', sortOrderId: LAST_ADDED },
      ],
      START_MS + 3n,
    );
    expect(metadata).toMatchObject({
      currentSchemaId: 1,
      lastColumnId: 3,
      defaultSpecId: 1,
      lastPartitionId: 1001,
      defaultSortOrderId: 1,
      lastUpdatedMs: START_MS + 3n,
    });
    expect(metadata.partitionSpecs[1]?.fields[0]?.fieldId).toBe(1001);
  });

  it('that are there already are used again', () => {
    const base = newTable();
    const metadata = applyUpdates(
      base,
      [
        { action: 'add-schema', schema: { ...SCHEMA, schemaId: 12 } },
        { action: 'set-current-schema', schemaId: LAST_ADDED },
        {
          action: 'add-spec',
          spec: { specId: 5, fields: [{ name: 'at_month', transform: { kind: 'month' }, fieldId: -1, sourceId: 2 }] },
        },
        { action: 'set-default-spec', specId: LAST_ADDED },
      ],
      START_MS,
    );
    expect(metadata).toBe(base);
  });

  it.each([
    [{ action: 'set-current-schema', schemaId: LAST_ADDED }, /adds none/],
    [{ action: 'set-current-schema', schemaId: 4 }, /no schema 4/],
    [{ action: 'set-default-spec', specId: 4 }, /no partition spec 4/],
    [{ action: 'set-default-sort-order', sortOrderId: 4 }, /no sort order 4/],
    [{ action: 'add-schema', schema: wider, lastColumnId: 1 }, /last-column-id 1 is below/],
    [
      {
        action: 'add-spec',
        spec: { specId: 1, fields: [{ sourceId: 1, fieldId: 1001, name: 'at', transform: { kind: 'identity' } }] },
      },
      /has the name of a column/,
    ],
    [
      {
        action: 'add-spec',
        spec: { specId: 1, fields: [{ sourceId: 1, fieldId: 1001, name: 'm', transform: { kind: 'month' } }] },
      },
      /month cannot be applied to column 'id' of type long/,
    ],
    [{ action: 'upgrade-format-version', formatVersion: 1 }, /cannot go back/],
    [{ action: 'assign-uuid', uuid: '00000000-0000-0000-0000-000000000000' }, /never changes/],
  ] as const)('%o is refused', (update, message) => {
    expect(() => applyUpdates(newTable(), [update], START_MS)).toThrow(message);
  });
});

describe('creating from updates alone', () => {
  const updates: readonly TableUpdate[] = [
    { action: 'assign-uuid', uuid: UUID },
    { action: 'upgrade-format-version', formatVersion: 2 },
    { action: 'add-schema', schema: SCHEMA },
    { action: 'set-current-schema', schemaId: LAST_ADDED },
    {
      action: 'add-spec',
      spec: { specId: 0, fields: [{ sourceId: 2, fieldId: 1000, name: 'at_month', transform: { kind: 'month' } }] },
    },
    { action: 'set-default-spec', specId: LAST_ADDED },
    { action: 'add-sort-order', sortOrder: { orderId: 0, fields: [] } },
    { action: 'set-default-sort-order', sortOrderId: LAST_ADDED },
    { action: 'set-location', location: '/t' },
  ];
  it('gives the same as a new table', () => {
    expect(applyUpdates(null, updates, START_MS)).toEqual(newTable());
  });
  it('needs every part', () => {
    for (const left of [
      'assign-uuid',
      'set-current-schema',
      'set-default-spec',
      'set-default-sort-order',
      'set-location',
    ]) {
      const some = updates.filter((update) => update.action !== left);
      expect(() => applyUpdates(null, some, START_MS)).toThrow(codeOf('INVALID_ARGUMENT'));
    }
  });
});

describe('new tables', () => {
  it('number their fields afresh, and spec and order follow', () => {
    const schema = parseSchema({
      type: 'struct',
      'identifier-field-ids': [70],
      fields: [
        {
          id: 50,
          name: 's',
          required: false,
          type: { type: 'struct', fields: [{ id: 90, name: 'in', required: false, type: 'int' }] },
        },
        { id: 70, name: 'id', required: true, type: 'long' },
      ],
    });
    const metadata = newTableMetadata({
      schema,
      partitionSpec: parsePartitionSpec('bucket[4](s.in), id', schema),
      sortOrder: {
        orderId: 4,
        fields: [{ sourceId: 70, transform: { kind: 'identity' }, direction: 'asc', nullOrder: 'nulls-last' }],
      },
      location: '/t',
      tableUuid: UUID,
      nowMs: START_MS,
    });
    expect(metadata.schemas[0]?.identifierFieldIds).toEqual([2]);
    expect(metadata.partitionSpecs[0]?.fields.map((field) => [field.name, field.sourceId, field.fieldId])).toEqual([
      ['s.in_bucket', 3, 1000],
      ['id', 2, 1001],
    ]);
    expect(metadata).toMatchObject({ lastColumnId: 3, lastPartitionId: 1001, defaultSortOrderId: 1, formatVersion: 2 });
    expect(metadata.sortOrders[0]?.fields[0]?.sourceId).toBe(2);
  });
});

describe('requirements', () => {
  const table = commit(newTable(), 1);
  const holding: readonly TableRequirement[] = [
    { type: 'assert-table-uuid', uuid: UUID.toUpperCase() },
    { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: 1n },
    { type: 'assert-ref-snapshot-id', ref: 'none', snapshotId: null },
    { type: 'assert-last-assigned-field-id', lastAssignedFieldId: 2 },
    { type: 'assert-current-schema-id', currentSchemaId: 0 },
    { type: 'assert-last-assigned-partition-id', lastAssignedPartitionId: 1000 },
    { type: 'assert-default-spec-id', defaultSpecId: 0 },
    { type: 'assert-default-sort-order-id', defaultSortOrderId: 0 },
  ];
  const failing: readonly (readonly [TableRequirement, string])[] = [
    [{ type: 'assert-create' }, 'COMMIT_CONFLICT'],
    [{ type: 'assert-table-uuid', uuid: '00000000-0000-0000-0000-000000000000' }, 'TABLE_REPLACED'],
    [{ type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: 2n }, 'COMMIT_CONFLICT'],
    [{ type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: null }, 'COMMIT_CONFLICT'],
    [{ type: 'assert-ref-snapshot-id', ref: 'none', snapshotId: 1n }, 'COMMIT_CONFLICT'],
    [{ type: 'assert-last-assigned-field-id', lastAssignedFieldId: 3 }, 'COMMIT_CONFLICT'],
    [{ type: 'assert-current-schema-id', currentSchemaId: 3 }, 'COMMIT_CONFLICT'],
    [{ type: 'assert-last-assigned-partition-id', lastAssignedPartitionId: 3 }, 'COMMIT_CONFLICT'],
    [{ type: 'assert-default-spec-id', defaultSpecId: 3 }, 'COMMIT_CONFLICT'],
    [{ type: 'assert-default-sort-order-id', defaultSortOrderId: 3 }, 'COMMIT_CONFLICT'],
  ];
  it('hold', () => {
    checkRequirements(table, holding);
    checkRequirements(null, [{ type: 'assert-create' }]);
  });
  it.each(failing)('%o fails with %s', (requirement, code) => {
    expect(() => checkRequirements(table, [requirement])).toThrow(codeOf(code));
  });
  it('other than assert-create fail when there is no table', () => {
    for (const requirement of holding) {
      expect(() => checkRequirements(null, [requirement])).toThrow(codeOf('COMMIT_CONFLICT'));
    }
  });
  it('survive their JSON form', () => {
    for (const requirement of [...holding, ...failing.map(([each]) => each)]) {
      expect(requirementFromJson(parseJson(stringifyJson(requirementToJson(requirement))))).toEqual(requirement);
    }
  });
});

describe('updates in the REST form', () => {
  it.each([
    ['{"action":"assign-uuid","uuid":"u"}'],
    ['{"action":"upgrade-format-version","format-version":2}'],
    [
      '{"action":"add-schema","schema":{"type":"struct","schema-id":0,"fields":[{"id":1,"name":"x","required":true,"type":"long"}]},"last-column-id":1}',
    ],
    ['{"action":"set-current-schema","schema-id":-1}'],
    [
      '{"action":"add-spec","spec":{"spec-id":0,"fields":[{"name":"x","transform":"bucket[4]","source-id":1,"field-id":1000}]}}',
    ],
    ['{"action":"set-default-spec","spec-id":-1}'],
    [
      '{"action":"add-sort-order","sort-order":{"order-id":1,"fields":[{"transform":"identity","source-id":1,"direction":"asc","null-order":"nulls-first"}]}}',
    ],
    ['{"action":"set-default-sort-order","sort-order-id":-1}'],
    [
      '{"action":"add-snapshot","snapshot":{"snapshot-id":9223372036854775807,"sequence-number":1,"timestamp-ms":5,"manifest-list":"/m","summary":{"operation":"append"}}}',
    ],
    [
      '{"action":"set-snapshot-ref","ref-name":"b","snapshot-id":9007199254740993,"type":"branch","min-snapshots-to-keep":2}',
    ],
    ['{"action":"remove-snapshot-ref","ref-name":"b"}'],
    ['{"action":"remove-snapshots","snapshot-ids":[9007199254740993,4]}'],
    ['{"action":"set-location","location":"/l"}'],
    ['{"action":"set-properties","updates":{"a":"b"}}'],
    ['{"action":"remove-properties","removals":["a"]}'],
  ])('%s', (text) => {
    const update = updateFromJson(parseJson(text));
    expect(stringifyJson(updateToJson(update)).replaceAll(/\s/g, '')).toBe(text);
  });
  it('that are not known are refused by name', () => {
    expect(() => updateFromJson({ action: 'set-statistics' })).toThrow(/'set-statistics' is not known/);
    expect(() => requirementFromJson({ type: 'assert-x' })).toThrow(/'assert-x' is not known/);
  });
});

describe('properties and the metadata log', () => {
  it('are set and removed, __proto__ too', () => {
    const set = applyUpdates(
      newTable(),
      [
        {
          action: 'set-properties',
          updates: new Map([
            ['__proto__', 'x'],
            ['a', '1'],
          ]),
        },
      ],
      START_MS + 1n,
    );
    expect([...set.properties]).toEqual([
      ['__proto__', 'x'],
      ['a', '1'],
    ]);
    const removed = applyUpdates(set, [{ action: 'remove-properties', removals: ['a', 'missing'] }], START_MS + 2n);
    expect([...removed.properties]).toEqual([['__proto__', 'x']]);
    expect(removed.lastUpdatedMs).toBe(START_MS + 2n);
  });
  it('keeps the newest entries', () => {
    const one = withMetadataLogEntry(newTable(), '/m/1', 2, 5n);
    const three = withMetadataLogEntry(withMetadataLogEntry(one, '/m/2', 2), '/m/3', 2, 7n);
    expect(three.metadataLog).toEqual([
      { metadataFile: '/m/2', timestampMs: START_MS },
      { metadataFile: '/m/3', timestampMs: 7n },
    ]);
  });
});
