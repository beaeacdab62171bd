import { describe, expect, it } from 'vitest';
import {
  applyUpdates,
  checkPartitionSpec,
  evolvePartitionSpec,
  newTableMetadata,
  type PartitionSpec,
  parsePartitionSpec,
  parsePartitionSpecJson,
  parseSchema,
  partitionPath,
  partitionType,
  type TableMetadata,
  transformToString,
  UNPARTITIONED,
} from '../../../iceberg/index.js';

const SCHEMA = parseSchema({
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'date', required: false, type: 'timestamp' },
    { id: 3, name: 'name', required: false, type: 'string' },
    { id: 4, name: 'odd "one", (really)', required: false, type: 'string' },
    {
      id: 5,
      name: 's',
      required: false,
      type: { type: 'struct', fields: [{ id: 6, name: 'in', required: false, type: 'date' }] },
    },
    { id: 7, name: 'bytes', required: false, type: 'binary' },
    { id: 8, name: 'price', required: false, type: 'decimal(9, 2)' },
    { id: 9, name: 'ratio', required: false, type: 'double' },
    { id: 20, name: '#7', required: false, type: 'int' },
  ],
});
const code = (name: string): Error => expect.objectContaining({ code: name }) as Error;
const summary = (spec: PartitionSpec): readonly string[] =>
  spec.fields.map((field) => `${field.fieldId} ${field.name} ${transformToString(field.transform)} ${field.sourceId}`);

describe('a spec as text', () => {
  it.each([
    ['', []],
    ['  ', []],
    ['month(date), bucket[16](id)', ['1000 date_month month 2', '1001 id_bucket bucket[16] 1']],
    ['name,truncate[4](name)', ['1000 name identity 3', '1001 name_trunc truncate[4] 3']],
    ['DAY( date ),void(id)', ['1000 date_day day 2', '1001 id_null void 1']],
    ['identity(id)', ['1000 id identity 1']],
    ['"odd ""one"", (really)"', ['1000 odd "one", (really) identity 4']],
    ['bucket[4]("odd ""one"", (really)")', ['1000 odd "one", (really)_bucket bucket[4] 4']],
    ['year(s.in)', ['1000 s.in_year year 6']],
    // Ids are not places: the tenth column has id 20, the sixth id 7.
    ['day(#2), bucket[16]( #1 )', ['1000 date_day day 2', '1001 id_bucket bucket[16] 1']],
    ['#3,#20', ['1000 name identity 3', '1001 #7 identity 20']],
    ['truncate[3](#7), "#7"', ['1000 bytes_trunc truncate[3] 7', '1001 #7 identity 20']],
    ['month(#6)', ['1000 s.in_month month 6']],
  ])('%s', (text, fields) => {
    expect(summary(parsePartitionSpec(text, SCHEMA))).toEqual(fields);
  });
  it.each([
    ['month(date', 'SCHEMA_INVALID', /position 1/],
    ['id,', 'SCHEMA_INVALID', /position 4/],
    [',id', 'SCHEMA_INVALID', /position 1/],
    ['id name', 'SCHEMA_INVALID', /position 1/],
    ['id)', 'SCHEMA_INVALID', /position 1/],
    ['bucket(id)', 'SCHEMA_INVALID', /'bucket' is not a transform/],
    ['bucket[0](id)', 'SCHEMA_INVALID', /from 1 to/],
    ['month(id)', 'SCHEMA_INVALID', /month cannot be applied to column 'id' of type long/],
    ['bucket[2](ratio)', 'SCHEMA_INVALID', /cannot be applied/],
    ['id, id', 'SCHEMA_INVALID', /two partition fields named 'id'/],
    ['year(nope)', 'COLUMN_NOT_FOUND', /no column 'nope'/],
    ['s', 'SCHEMA_INVALID', /identity cannot be applied/],
    ['day(#10)', 'COLUMN_NOT_FOUND', /field id 10 .* ids are 1 \(id\), 2 \(date\), .* 20 \(#7\)\./],
    ['day(#x)', 'COLUMN_NOT_FOUND', /no column '#x'/],
    ['day(#1)', 'SCHEMA_INVALID', /day cannot be applied to column 'id' of type long/],
  ] as const)('%s is refused', (text, expected, message) => {
    expect(() => parsePartitionSpec(text, SCHEMA)).toThrow(code(expected));
    expect(() => parsePartitionSpec(text, SCHEMA)).toThrow(message);
  });
});

describe('partition values', () => {
  it('have a struct type of optional result types', () => {
    expect(partitionType(parsePartitionSpec('month(date), day(date), name, bucket[4](id)', SCHEMA), SCHEMA)).toEqual([
      { id: 1000, name: 'date_month', required: false, type: { kind: 'int' } },
      { id: 1001, name: 'date_day', required: false, type: { kind: 'date' } },
      { id: 1002, name: 'name', required: false, type: { kind: 'string' } },
      { id: 1003, name: 'id_bucket', required: false, type: { kind: 'int' } },
    ]);
  });
  it('of a dropped column have the type that an older schema knows', () => {
    const spec = parsePartitionSpec('name', SCHEMA);
    const dropped = { ...SCHEMA, fields: SCHEMA.fields.slice(0, 1) };
    expect(partitionType(spec, dropped)[0]?.type).toEqual({ kind: 'unknown' });
    expect(partitionType(spec, dropped, [SCHEMA])[0]?.type).toEqual({ kind: 'string' });
  });
  it.each([
    ['year(date)', [31], 'date_year=2001'],
    ['month(date)', [374], 'date_month=2001-03'],
    ['month(date)', [-1], 'date_month=1969-12'],
    ['day(date)', [17486], 'date_day=2017-11-16'],
    ['hour(date)', [419686], 'date_hour=2017-11-16-22'],
    ['hour(date)', [-1], 'date_hour=1969-12-31-23'],
    ['bucket[16](id), name', [3, 'a/b=c d%'], 'id_bucket=3/name=a%2Fb%3Dc%20d%25'],
    ['name', ['..'], 'name=..'],
    ['name', [null], 'name=null'],
    ['name', ["it's *new*\n"], 'name=it%27s%20%2Anew%2A%0A'],
    ['date', [1510871468123456n], 'date=2017-11-16T22%3A31%3A08.123456'],
    ['truncate[10](price)', [1420n], 'price_trunc=14.20'],
    ['bytes', [Uint8Array.of(0xff, 0)], 'bytes=%2FwA%3D'],
    ['', [], ''],
  ] as const)('%s of %o make the folder %s', (text, tuple, folder) => {
    expect(partitionPath(parsePartitionSpec(text, SCHEMA), SCHEMA, tuple)).toBe(folder);
  });
  it('never make a folder name longer than file systems allow', () => {
    expect(partitionPath(parsePartitionSpec('name', SCHEMA), SCHEMA, ['é'.repeat(1000)]).length).toBeLessThanOrEqual(
      255,
    );
  });
  it('survive a lone surrogate', () => {
    expect(partitionPath(parsePartitionSpec('name', SCHEMA), SCHEMA, ['\ud800'])).toBe('name=%EF%BF%BD');
  });
});

describe('specs in JSON', () => {
  it('take a v3 list of one source id and keep unknown transforms', () => {
    const spec = parsePartitionSpecJson({
      'spec-id': 2,
      fields: [{ 'source-ids': [3], 'field-id': 1000, name: 'z', transform: 'zorder' }],
    });
    expect(summary(spec)).toEqual(['1000 z zorder 3']);
  });
  it('take a transform of several columns for one that is not known, whatever it is called', () => {
    const json = { fields: [{ 'source-ids': [3, 4], 'field-id': 1000, name: 'z', transform: 'bucket[4]' }] };
    const spec = parsePartitionSpecJson(json);
    expect(spec.fields[0]).toMatchObject({ sourceIds: [3, 4], transform: { kind: 'unknown', text: 'bucket[4]' } });
    expect(() => checkPartitionSpec(spec, SCHEMA)).toThrow(/'bucket\[4\]', which is not known/);
  });
});

describe('evolution', () => {
  const table = (formatVersion: 1 | 2, text = 'month(date), id'): TableMetadata =>
    newTableMetadata({
      schema: SCHEMA,
      partitionSpec: parsePartitionSpec(text, SCHEMA),
      location: '/t',
      tableUuid: 'u',
      nowMs: 0n,
      formatVersion,
    });
  const day = { sourceId: 2, name: 'date_day', transform: { kind: 'day' } } as const;

  it('gives new fields new ids and drops removed ones', () => {
    const spec = evolvePartitionSpec(table(2), { remove: ['date_month'], add: [day] });
    expect(spec.specId).toBe(1);
    expect(summary(spec)).toEqual(['1001 id identity 1', '1002 date_day day 2']);
  });
  it('uses the id of the same field of an earlier spec again', () => {
    const base = table(2);
    const second = evolvePartitionSpec(base, { remove: ['date_month'], add: [day] });
    const evolved = {
      ...base,
      partitionSpecs: [...base.partitionSpecs, second],
      defaultSpecId: 1,
      lastPartitionId: 1002,
    };
    const third = evolvePartitionSpec(evolved, {
      remove: ['date_day'],
      add: [{ sourceId: 2, name: 'date_month', transform: { kind: 'month' } }],
    });
    expect(summary(third)).toEqual(['1001 id identity 1', '1000 date_month month 2']);
    expect(third.specId).toBe(2);
  });
  it('comes back to an earlier spec by its id', () => {
    const base = { ...table(2), partitionSpecs: [...table(2).partitionSpecs, { specId: 1, fields: [] }] };
    expect(evolvePartitionSpec(base, { remove: ['date_month', 'id'] }).specId).toBe(1);
    expect(evolvePartitionSpec(base, {}).specId).toBe(0);
  });
  it('keeps removed fields as void in version 1, whose ids must be in sequence', () => {
    const spec = evolvePartitionSpec(table(1), { remove: ['date_month'], add: [day] });
    expect(summary(spec)).toEqual(['1000 date_month_1000 void 2', '1001 id identity 1', '1002 date_day day 2']);
  });
  it('keeps void fields whose columns are gone', () => {
    const base = table(1);
    const without = { ...SCHEMA, schemaId: 1, fields: SCHEMA.fields.filter(({ name }) => name !== 'date') };
    const withoutDate = applyUpdates(
      base,
      [
        { action: 'add-spec', spec: evolvePartitionSpec(base, { remove: ['date_month'] }) },
        { action: 'set-default-spec', specId: -1 },
        { action: 'add-schema', schema: without },
        { action: 'set-current-schema', schemaId: -1 },
      ],
      1n,
    );
    const upgraded = applyUpdates(withoutDate, [{ action: 'upgrade-format-version', formatVersion: 2 }], 2n);
    const name = { sourceId: 3, name: 'name', transform: { kind: 'identity' } } as const;
    const spec = evolvePartitionSpec(upgraded, { add: [name] });
    const evolved = applyUpdates(upgraded, [{ action: 'add-spec', spec }], 3n);
    expect(evolved.partitionSpecs.map(summary).at(-1)).toEqual([
      '1000 date_month_1000 void 2',
      '1001 id identity 1',
      '1002 name identity 3',
    ]);
  });
  it('names what is not there', () => {
    expect(() => evolvePartitionSpec(table(2), { remove: ['nope'] })).toThrow(code('COLUMN_NOT_FOUND'));
    expect(UNPARTITIONED.fields).toEqual([]);
  });
});
