/** The source's schema changes between the plan of a materialization and its extraction: the run writes what it planned, the next one follows. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseTableName } from '../../catalogs/index.js';
import { currentSchema, type NestedField, type Schema } from '../../iceberg/index.js';
import {
  commitMaterialization,
  extractShard,
  materializeDirect,
  planMaterialization,
} from '../../materialization/index.js';
import { Lab, SOURCE } from '../support/materialization-lab.js';

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  lab.view = { ...lab.view, source: { table: SOURCE, timestampField: 'event_ts' } };
  await lab.createSource(SCHEMA);
  await lab.appendSelect(`SELECT 1::BIGINT, ${time(10)}, 7::INTEGER, 0.1::FLOAT, {a: 1::INTEGER, b: 5::INTEGER}`);
  await lab.appendSelect(`SELECT 2::BIGINT, ${time(20)}, 8::INTEGER, 0.2::FLOAT, {a: 2::INTEGER, b: 6::INTEGER}`);
});
afterEach(() => lab.close());

const time = (second: number): string => `make_timestamptz(${second}000000)`;

const field = (id: number, name: string, kind: 'long' | 'timestamptz' | 'int' | 'float' | 'double'): NestedField => ({
  id,
  name,
  required: false,
  type: { kind },
});
const nested = (...fields: readonly NestedField[]): NestedField => ({
  ...field(5, 'nested', 'int'),
  type: { kind: 'struct', fields },
});
const COUNT = field(3, 'count', 'int');
const RATIO = field(4, 'ratio', 'float');
const NESTED = nested(field(6, 'a', 'int'), field(7, 'b', 'int'));
const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [field(1, 'k', 'long'), field(2, 'event_ts', 'timestamptz'), COUNT, RATIO, NESTED],
};

/** Makes the table's columns, after key and time, these. */
async function evolve(...columns: readonly NestedField[]): Promise<void> {
  const { metadata } = await lab.source();
  const schemaId = Math.max(...metadata.schemas.map((schema) => schema.schemaId)) + 1;
  const fields = [...SCHEMA.fields.slice(0, 2), ...columns];
  await lab.update(parseTableName(SOURCE).identifier, [
    { action: 'add-schema', schema: { ...SCHEMA, schemaId, fields } },
    { action: 'set-current-schema', schemaId },
  ]);
}

/** Rows of the online table as text: its columns but the key are named, so that their order does not matter. */
async function online(): Promise<readonly string[]> {
  const table = await lab.online();
  const columns = currentSchema(table.metadata).fields.flatMap(({ name }) =>
    ['k', 'event_timestamp', 'created_timestamp', '_pushed'].includes(name) ? [] : [`"${name}"`],
  );
  const packed = `{${columns
    .sort()
    .map((name) => `${name}: ${name}`)
    .join(', ')}}`;
  return (await lab.query(table, `SELECT k || ' ' || (${packed})::VARCHAR FROM rows ORDER BY ALL`)).map(String);
}

const CHANGES: readonly (readonly [string, readonly NestedField[], string, readonly string[]])[] = [
  [
    'a column is renamed and moved',
    [NESTED, { ...COUNT, name: 'total' }, RATIO],
    '{a: 3::INTEGER, b: 7::INTEGER}, 9::INTEGER, 0.3::FLOAT',
    [
      "1 {'nested': {'a': 1, 'b': 5}, 'ratio': 0.1, 'total': 7}",
      "2 {'nested': {'a': 2, 'b': 6}, 'ratio': 0.2, 'total': 8}",
      "3 {'nested': {'a': 3, 'b': 7}, 'ratio': 0.3, 'total': 9}",
    ],
  ],
  [
    'columns are widened',
    [field(3, 'count', 'long'), field(4, 'ratio', 'double'), NESTED],
    '3000000000::BIGINT, 0.1::DOUBLE, {a: 3::INTEGER, b: 7::INTEGER}',
    // A float that is widened is not the double of its text.
    [
      "1 {'count': 7, 'nested': {'a': 1, 'b': 5}, 'ratio': 0.10000000149011612}",
      "2 {'count': 8, 'nested': {'a': 2, 'b': 6}, 'ratio': 0.20000000298023224}",
      "3 {'count': 3000000000, 'nested': {'a': 3, 'b': 7}, 'ratio': 0.1}",
    ],
  ],
  [
    'a column is dropped and added again',
    [field(8, 'count', 'int'), RATIO, NESTED],
    '9::INTEGER, 0.3::FLOAT, {a: 3::INTEGER, b: 7::INTEGER}',
    [
      "1 {'count': NULL, 'nested': {'a': 1, 'b': 5}, 'ratio': 0.1}",
      "2 {'count': NULL, 'nested': {'a': 2, 'b': 6}, 'ratio': 0.2}",
      "3 {'count': 9, 'nested': {'a': 3, 'b': 7}, 'ratio': 0.3}",
    ],
  ],
  [
    'nested fields exchange their names',
    [COUNT, RATIO, nested(field(6, 'b', 'int'), field(7, 'a', 'int'))],
    '9::INTEGER, 0.3::FLOAT, {b: 3::INTEGER, a: 7::INTEGER}',
    [
      "1 {'count': 7, 'nested': {'b': 1, 'a': 5}, 'ratio': 0.1}",
      "2 {'count': 8, 'nested': {'b': 2, 'a': 6}, 'ratio': 0.2}",
      "3 {'count': 9, 'nested': {'b': 3, 'a': 7}, 'ratio': 0.3}",
    ],
  ],
];

it.each(CHANGES)('%s', async (_name, columns, appended, next) => {
  const { planLocation } = await planMaterialization(lab.deps, { view: lab.view.name, attemptId: randomUUID() });
  if (planLocation === null) throw new Error('nothing was planned');
  await evolve(...columns);
  const { manifestLocation } = await extractShard(lab.deps, planLocation, 0);
  await lab.appendSelect(`SELECT 3::BIGINT, ${time(30)}, ${appended}`);
  const commit = await commitMaterialization(lab.deps, planLocation, [manifestLocation ?? '']);
  expect([commit.outcome, commit.rows]).toEqual(['committed', 2n]);
  expect(await online()).toEqual([
    "1 {'count': 7, 'nested': {'a': 1, 'b': 5}, 'ratio': 0.1}",
    "2 {'count': 8, 'nested': {'a': 2, 'b': 6}, 'ratio': 0.2}",
  ]);
  await materializeDirect(lab.deps, { view: lab.view.name });
  expect(await online()).toEqual(next);
});
