import { expect, it } from 'vitest';
import { importType } from '../../../feast/feast-type.js';
import { parseFeatureType } from '../../../features/index.js';

/** Numbers of Feast's ValueType.Enum (Value.proto). */
const BYTES = 1;
const STRING = 2;
const INT32 = 3;
const INT64 = 4;
const DOUBLE = 5;
const FLOAT = 6;
const UNIX_TIMESTAMP = 8;
const STRING_SET = 23;
const JSON_TEXT = 32;
const UUID = 36;
const DECIMAL = 44;

it.each([
  [BYTES, 'binary', 'binary'],
  [STRING, 'string', 'string'],
  [INT64, 'int', 'long'],
  [INT64, 'long', 'long'],
  [DOUBLE, 'float', 'double'],
  [JSON_TEXT, 'string', 'string'],
  [UNIX_TIMESTAMP, 'timestamp', undefined],
  [UNIX_TIMESTAMP, 'timestamptz_ns', undefined],
  [UUID, 'uuid', undefined],
  [UUID, 'string', undefined],
  [DECIMAL, 'decimal(9,2)', undefined],
])('value type %i of a column %s is declared as %s', (valueType, column, type) => {
  expect(importType(valueType, parseFeatureType(column))).toEqual({ type });
});

// docs/reference/data-sources/iceberg.md of Feast: timestamps are INT64, decimals DOUBLE, uuids STRING.
it.each([
  [INT64, 'timestamptz', 'INT64 in Feast, timestamptz in the table'],
  [DOUBLE, 'decimal(9,2)', 'DOUBLE in Feast, decimal(9, 2) in the table'],
  [STRING, 'uuid', 'STRING in Feast, uuid in the table'],
  [BYTES, 'fixed[4]', 'BYTES in Feast, fixed[4] in the table'],
  [INT32, 'date', 'INT32 in Feast, date in the table'],
  [INT32, 'long', 'INT32 in Feast, long in the table'],
  [FLOAT, 'double', 'FLOAT in Feast, double in the table'],
  [STRING_SET, 'list<string>', 'STRING_SET in Feast, list<string> in the table'],
])('value type %i of a column %s leaves the type to the table', (valueType, column, difference) => {
  expect(importType(valueType, parseFeatureType(column))).toEqual({ type: undefined, difference });
});

it('without a table only exact types are declared', () => {
  expect(importType(INT32, undefined)).toEqual({ type: 'int' });
  expect(importType(UNIX_TIMESTAMP, undefined)).toEqual({ type: undefined });
  expect(importType(999, undefined)).toEqual({ type: undefined });
});
