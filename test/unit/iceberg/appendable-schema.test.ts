/** Which files may be added while another schema is current. The rules are those of the specification's "Schema Evolution" and "Default values". */
import { expect, test } from 'vitest';
import { type JsonValue, parseSchema, unreadableFields } from '../../../iceberg/index.js';

type Field = Readonly<Record<string, JsonValue>>;
const schemaOf = (...fields: readonly Field[]) =>
  parseSchema({ type: 'struct', 'schema-id': 0, fields: fields as JsonValue });
const field = (id: number, name: string, type: JsonValue, more: Field = {}): Field => {
  return { id, name, type, required: false, ...more };
};
const required = { required: true };
const struct = (...fields: readonly Field[]): JsonValue => ({ type: 'struct', fields: fields as JsonValue });
const list = (element: JsonValue, more: Field = {}): JsonValue => {
  return { type: 'list', 'element-id': 8, element, 'element-required': false, ...more };
};
const map = (value: JsonValue): JsonValue => {
  return { type: 'map', 'key-id': 6, key: 'string', 'value-id': 7, value, 'value-required': false };
};

const same = [
  ['the same field', field(1, 'a', 'int'), field(1, 'a', 'int')],
  ['a field of another name', field(1, 'a', 'int'), field(1, 'b', 'int')],
  ['a field that may be null now', field(1, 'a', 'int', required), field(1, 'a', 'int')],
  ['a wider type', field(1, 'a', 'int'), field(1, 'a', 'long')],
  ['a longer decimal', field(1, 'a', 'decimal(5,2)'), field(1, 'a', 'decimal(9,2)')],
  ['a new field', field(1, 'a', 'int'), field(2, 'b', 'int')],
  [
    'a new required field with a value for old rows',
    field(1, 'a', 'int'),
    field(2, 'b', 'int', { ...required, 'initial-default': 4, 'write-default': 4 }),
  ],
  [
    'a wider and a new field of a struct',
    field(1, 's', struct(field(2, 'x', 'float'))),
    field(1, 's', struct(field(2, 'y', 'double'), field(3, 'z', 'int'))),
  ],
  ['a struct without one of its fields', field(1, 's', struct(field(2, 'x', 'int'))), field(1, 's', struct())],
  ['a wider element', field(1, 'l', list('int')), field(1, 'l', list('long'))],
  ['a wider value', field(1, 'm', map('int')), field(1, 'm', map('long'))],
] as const;

test.each(same)('files keep their rows under %s', (_, written, current) => {
  expect(unreadableFields(schemaOf(written), schemaOf(current), 3)).toEqual([]);
});

const other = [
  ['a.b is required now', field(1, 'a', struct()), field(1, 'a', struct(field(2, 'b', 'int', required)))],
  ['b is required now', field(1, 'a', 'int'), field(2, 'b', 'int', required)],
  ['a is required now', field(1, 'a', 'int'), field(1, 'a', 'int', required)],
  // A value for old rows says nothing of a null that is written.
  [
    'a is required now',
    field(1, 'a', 'int'),
    field(1, 'a', 'int', { ...required, 'initial-default': 4, 'write-default': 4 }),
  ],
  ['b is int now, not long', field(1, 'a', 'long'), field(1, 'b', 'int')],
  ['a is decimal(9, 3) now, not decimal(5, 2)', field(1, 'a', 'decimal(5,2)'), field(1, 'a', 'decimal(9,3)')],
  ['a is struct<> now, not int', field(1, 'a', 'int'), field(1, 'a', struct())],
  ['a is list<int> now, not map<string, int>', field(1, 'a', map('int')), field(1, 'a', list('int'))],
  [
    'a.x is int now, not string',
    field(1, 'a', struct(field(2, 'x', 'string'))),
    field(1, 'a', struct(field(2, 'x', 'int'))),
  ],
  ['a.element is required now', field(1, 'a', list('int')), field(1, 'a', list('int', { 'element-required': true }))],
  ['a.value is string now, not int', field(1, 'a', map('int')), field(1, 'a', map('string'))],
  [
    'a.element.x is string now, not date',
    field(1, 'a', list(struct(field(2, 'x', 'date')))),
    field(1, 'a', list(struct(field(2, 'x', 'string')))),
  ],
] as const;

test.each(other)('files are not added where %s', (message, written, current) => {
  expect(unreadableFields(schemaOf(written), schemaOf(current), 3)).toEqual([message]);
});

test('a promotion of version 3 needs a table of it, and every field that does not fit is named', () => {
  const [written, current] = [schemaOf(field(1, 'd', 'date'), field(2, 'n', 'long')), [field(1, 'd', 'timestamp')]];
  expect(unreadableFields(written, schemaOf(...current), 3)).toEqual([]);
  expect(unreadableFields(written, schemaOf(...current, field(2, 'n', 'int')), 2)).toEqual([
    'd is timestamp now, not date',
    'n is int now, not long',
  ]);
});
