import { describe, expect, it } from 'vitest';
import {
  allFields,
  assignFreshIds,
  canPromote,
  evolveSchema,
  findField,
  findFieldByName,
  highestFieldId,
  parseSchema,
  parseType,
  type Schema,
  type SchemaChange,
  schemaToJson,
  selectColumns,
  typeToString,
} from '../../../iceberg/index.js';

const JSON_SCHEMA = {
  type: 'struct',
  'schema-id': 3,
  'identifier-field-ids': [1],
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'a.b', required: false, type: 'int' },
    {
      id: 3,
      name: 'a',
      required: false,
      type: {
        type: 'struct',
        fields: [
          { id: 4, name: 'b', required: false, type: 'string', doc: 'inner' },
          { id: 5, name: 'c', required: false, type: 'decimal(9, 2)' },
        ],
      },
    },
    {
      id: 6,
      name: 'tags',
      required: false,
      type: {
        type: 'list',
        'element-id': 7,
        'element-required': true,
        element: { type: 'struct', fields: [{ id: 8, name: 'k', required: true, type: 'string' }] },
      },
    },
    {
      id: 9,
      name: 'm',
      required: false,
      type: {
        type: 'map',
        'key-id': 10,
        key: 'string',
        'value-id': 11,
        'value-required': false,
        value: { type: 'struct', fields: [{ id: 12, name: 'x', required: false, type: 'fixed[16]' }] },
      },
    },
    {
      id: 13,
      name: '__proto__',
      required: false,
      type: 'timestamptz_ns',
      'initial-default': '2020-01-01T00:00:00.000000000+00:00',
    },
  ],
};
const SCHEMA = parseSchema(JSON_SCHEMA);
const names = (schema: Schema): readonly string[] => allFields(schema).map(({ path }) => path);
const code = (name: string): Error => expect.objectContaining({ code: name }) as Error;

describe('schemas', () => {
  it('are written as they were read', () => {
    expect(schemaToJson(SCHEMA)).toEqual(JSON_SCHEMA);
  });
  it('list every field with its path', () => {
    expect(allFields(SCHEMA).map(({ field, path, parentIds }) => [field.id, path, parentIds.join()])).toEqual([
      [1, 'id', ''],
      [2, 'a.b', ''],
      [3, 'a', ''],
      [4, 'a.b', '3'],
      [5, 'a.c', '3'],
      [6, 'tags', ''],
      [7, 'tags.element', '6'],
      [8, 'tags.element.k', '6,7'],
      [9, 'm', ''],
      [10, 'm.key', '9'],
      [11, 'm.value', '9'],
      [12, 'm.value.x', '9,11'],
      [13, '__proto__', ''],
    ]);
    expect(highestFieldId(SCHEMA)).toBe(13);
  });
  it('find a column of exactly that name before a path', () => {
    expect(findFieldByName(SCHEMA, 'a.b')?.id).toBe(2);
    expect(findFieldByName(SCHEMA, 'a.c')?.id).toBe(5);
    expect(findFieldByName(SCHEMA, '__proto__')?.id).toBe(13);
    expect(findFieldByName(SCHEMA, 'A')).toBeUndefined();
    expect(findField(SCHEMA, 11)).toMatchObject({ name: 'value', required: false });
    expect(findField(SCHEMA, 99)).toBeUndefined();
  });
  it.each([
    [
      {
        fields: [
          { id: 1, name: 'a', required: true, type: 'int' },
          { id: 1, name: 'b', required: true, type: 'int' },
        ],
      },
      /same id, 1/,
    ],
    [
      {
        fields: [
          { id: 1, name: 'a', required: true, type: 'int' },
          { id: 2, name: 'a', required: true, type: 'int' },
        ],
      },
      /two fields named 'a'/,
    ],
    [{ fields: [{ id: 1, name: 'a', required: true, type: 'integer' }] }, /Unknown type 'integer'/],
    [{ fields: [{ id: 1, name: 'a', required: true, type: 'decimal(39, 2)' }] }, /precision is from 1 to 38/],
    [{ fields: [{ id: 1, name: 'a', type: 'int' }] }, /field 'a': required field 'required' is missing/],
    [{ fields: [], 'identifier-field-ids': [4] }, /Identifier field id 4/],
    [{}, /'fields' is missing/],
  ])('refuse what is not valid: %#', (json, message) => {
    expect(() => parseSchema(json)).toThrow(message);
    expect(() => parseSchema(json)).toThrow(code('SCHEMA_INVALID'));
  });
});

describe('types', () => {
  it.each([
    'boolean',
    'int',
    'long',
    'float',
    'double',
    'date',
    'time',
    'timestamp',
    'timestamptz',
    'timestamp_ns',
    'timestamptz_ns',
    'string',
    'uuid',
    'binary',
    'unknown',
    'fixed[16]',
    'decimal(38, 10)',
  ])('%s', (text) => {
    expect(typeToString(parseType(text))).toBe(text);
  });
  it.each(['variant', 'geometry(srid:4326)', 'geography(srid:4326, karney)'])('%s is kept by name', (text) => {
    expect(parseType(text)).toEqual({ kind: 'unsupported', text });
  });
  it('read decimals without a space', () => {
    expect(parseType('decimal(9,2)')).toEqual({ kind: 'decimal', precision: 9, scale: 2 });
  });
});

describe('selecting columns', () => {
  it('keeps the asked order, each once', () => {
    expect(names(selectColumns(SCHEMA, ['__proto__', 'id', 'id']))).toEqual(['__proto__', 'id']);
    expect(names(selectColumns(SCHEMA, ['a.b']))).toEqual(['a.b']);
    expect(selectColumns(SCHEMA, ['a.b']).fields[0]?.id).toBe(2);
  });
  it('keeps of a nested column only the path', () => {
    expect(names(selectColumns(SCHEMA, ['a.c', 'm.value.x']))).toEqual([
      'a',
      'a.c',
      'm',
      'm.key',
      'm.value',
      'm.value.x',
    ]);
  });
  it('keeps the identifier fields that are selected', () => {
    expect(selectColumns(SCHEMA, ['a', 'id']).identifierFieldIds).toEqual([1]);
    expect(selectColumns(SCHEMA, ['a']).identifierFieldIds).toEqual([]);
  });
  it('lists the columns when one is not there', () => {
    expect(() => selectColumns(SCHEMA, ['nope'])).toThrow(
      "There is no column 'nope'. There are 'id', 'a.b', 'a', 'tags', 'm', '__proto__'.",
    );
  });
});

describe('fresh ids', () => {
  it('number the fields of one struct before those inside them', () => {
    const fresh = assignFreshIds({ ...SCHEMA, identifierFieldIds: [13] });
    expect(allFields(fresh).map(({ field, path }) => `${path} ${field.id}`)).toEqual([
      'id 1',
      'a.b 2',
      'a 3',
      'a.b 7',
      'a.c 8',
      'tags 4',
      'tags.element 9',
      'tags.element.k 10',
      'm 5',
      'm.key 11',
      'm.value 12',
      'm.value.x 13',
      '__proto__ 6',
    ]);
    expect(fresh.identifierFieldIds).toEqual([6]);
  });
});

describe('evolution', () => {
  const evolve = (changes: readonly SchemaChange[], formatVersion: 1 | 2 | 3 = 2): Schema =>
    evolveSchema(SCHEMA, changes, { lastColumnId: 20, formatVersion });

  it('adds columns with ids above the last ever assigned, nested ones too', () => {
    const type = parseType({ type: 'list', 'element-id': 1, 'element-required': false, element: 'int' });
    const schema = evolve([
      { change: 'add', name: 'new', type },
      { change: 'add', parent: 'tags', name: 'v', type: { kind: 'int' }, doc: 'd' },
      { change: 'add', parent: 'm', name: 'y', type: { kind: 'int' } },
    ]);
    expect(findFieldByName(schema, 'new')).toMatchObject({ id: 21, required: false, type: { elementId: 22 } });
    expect(findFieldByName(schema, 'tags.element.v')).toMatchObject({ id: 23, doc: 'd' });
    expect(findFieldByName(schema, 'm.value.y')?.id).toBe(24);
    expect(findFieldByName(schema, 'tags.element.k')?.id).toBe(8);
  });
  it('renames, drops and moves without touching ids', () => {
    const schema = evolve([
      { change: 'rename', column: 'a.c', newName: 'z' },
      { change: 'drop', column: 'tags' },
      { change: 'move', column: 'm', to: { place: 'first' } },
      { change: 'move', column: 'id', to: { place: 'after', column: 'a.b' } },
      { change: 'move', column: 'a.z', to: { place: 'before', column: 'b' } },
    ]);
    expect(allFields(schema).map(({ field, path }) => `${path} ${field.id}`)).toEqual([
      'm 9',
      'm.key 10',
      'm.value 11',
      'm.value.x 12',
      'a.b 2',
      'id 1',
      'a 3',
      'a.z 5',
      'a.b 4',
      '__proto__ 13',
    ]);
  });
  it('a dropped and re-added column has a new id', () => {
    const schema = evolve([
      { change: 'drop', column: 'a' },
      { change: 'add', name: 'a', type: { kind: 'int' } },
    ]);
    expect(findFieldByName(schema, 'a')?.id).toBe(21);
  });
  it('promotes, makes optional, documents', () => {
    const schema = evolve([
      { change: 'promote', column: 'a.b', type: { kind: 'long' } },
      { change: 'promote', column: 'a.c', type: { kind: 'decimal', precision: 12, scale: 2 } },
      { change: 'make-optional', column: 'tags.element.k' },
      { change: 'set-doc', column: 'id', doc: 'the key' },
    ]);
    expect(findField(schema, 2)?.type.kind).toBe('long');
    expect(findField(schema, 5)?.type).toEqual({ kind: 'decimal', precision: 12, scale: 2 });
    expect(findField(schema, 8)?.required).toBe(false);
    expect(findField(schema, 1)?.doc).toBe('the key');
  });
  it.each<readonly [SchemaChange, string]>([
    [{ change: 'add', name: 'id', type: { kind: 'int' } }, 'SCHEMA_INVALID'],
    [{ change: 'add', name: 'n', type: { kind: 'int' }, required: true }, 'SCHEMA_INVALID'],
    [{ change: 'add', name: 'n', type: { kind: 'int' }, defaultValue: 1 }, 'SCHEMA_INVALID'],
    [{ change: 'add', name: 'n', type: { kind: 'int' }, parent: 'id' }, 'SCHEMA_INVALID'],
    [{ change: 'add', name: 'n', type: { kind: 'int' }, parent: 'none' }, 'COLUMN_NOT_FOUND'],
    [{ change: 'rename', column: 'none', newName: 'n' }, 'COLUMN_NOT_FOUND'],
    [{ change: 'rename', column: 'a', newName: 'id' }, 'SCHEMA_INVALID'],
    [{ change: 'rename', column: 'm.key', newName: 'k' }, 'SCHEMA_INVALID'],
    [{ change: 'drop', column: 'id' }, 'SCHEMA_INVALID'],
    [{ change: 'drop', column: 'tags.element' }, 'SCHEMA_INVALID'],
    [{ change: 'promote', column: 'id', type: { kind: 'int' } }, 'SCHEMA_INVALID'],
    [{ change: 'make-optional', column: 'id' }, 'SCHEMA_INVALID'],
    [{ change: 'make-optional', column: 'm.key' }, 'SCHEMA_INVALID'],
    [{ change: 'move', column: 'id', to: { place: 'after', column: 'k' } }, 'COLUMN_NOT_FOUND'],
  ])('refuses %o', (change, expected) => {
    expect(() => evolve([change])).toThrow(code(expected));
  });
  it('gives defaults in version 3', () => {
    const schema = evolve([{ change: 'add', name: 'n', type: { kind: 'int' }, required: true, defaultValue: 7 }], 3);
    expect(findFieldByName(schema, 'n')).toMatchObject({ required: true, initialDefault: 7, writeDefault: 7 });
  });
  it.each([
    ['int', 'long', 2, true],
    ['long', 'int', 2, false],
    ['float', 'double', 2, true],
    ['double', 'float', 2, false],
    ['int', 'double', 2, false],
    ['decimal(9, 2)', 'decimal(10, 2)', 2, true],
    ['decimal(9, 2)', 'decimal(8, 2)', 2, false],
    ['decimal(9, 2)', 'decimal(10, 3)', 2, false],
    ['fixed[4]', 'fixed[8]', 2, false],
    ['string', 'binary', 2, false],
    ['date', 'timestamp', 2, false],
    ['date', 'timestamp', 3, true],
    ['date', 'timestamp_ns', 3, true],
    ['date', 'timestamptz', 3, false],
    ['unknown', 'string', 3, true],
  ] as const)('%s to %s in version %i: %s', (from, to, formatVersion, allowed) => {
    expect(canPromote(parseType(from), parseType(to), formatVersion)).toBe(allowed);
  });
});
