import { expect, test } from 'vitest';
import { newTableMetadata, parseSchema } from '../../../iceberg/index.js';
import { dataFileLocation } from '../../../staging/data-locations.js';
import { dataFolder } from '../../../staging/index.js';

const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'a', required: false, type: 'int' }],
});

function table(properties: Readonly<Record<string, string>>, location = 's3://b/t') {
  const made = newTableMetadata({ schema: SCHEMA, location, tableUuid: '', nowMs: 0n });
  return { ...made, properties: new Map(Object.entries(properties)) };
}

test.each([
  [{}, 's3://b/t/data'],
  [{ 'write.data.path': 's3://other/d/' }, 's3://other/d'],
  [{ 'write.data.path': '/d' }, '/d'],
])('%j puts data files into %s', (properties, folder) => {
  expect(dataFolder(table(properties))).toBe(folder);
  expect(dataFileLocation(table(properties), 'f.parquet')).toBe(`${folder}/f.parquet`);
});

test('a location that ends in a slash has no doubled one', () => {
  expect(dataFolder(table({}, 's3://b/t/'))).toBe('s3://b/t/data');
});

// Source: Apache Iceberg, TestLocationProvider and PyIceberg's test_locations.py, which agree.
test.each([
  ['a', '0101/0110/1001/10110010'],
  ['b', '1110/0111/1110/00000011'],
  ['c', '0010/1101/0110/01011111'],
  ['d', '1001/0001/0100/01110011'],
])('for object storage a file %s lies below %s', (name, folders) => {
  const properties = { 'write.object-storage.enabled': 'true' };
  expect(dataFileLocation(table(properties), name)).toBe(`s3://b/t/data/${folders}/${name}`);
});
