/** Values that no reader of files may let into a table. */
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { beforeAll, expect, test } from 'vitest';
import { parseSchema } from '../../../index.js';
import { filesProject } from '../../support/files-project.js';

const project = filesProject();
const { file } = project;
beforeAll(async () => {
  const fields = [
    { id: 1, name: 't', required: false, type: 'time' },
    {
      id: 2,
      name: 'ts',
      required: false,
      type: { type: 'list', 'element-id': 3, 'element-required': false, element: 'time' },
    },
  ];
  await project.moraine.createTable('a.times', { schema: parseSchema({ type: 'struct', 'schema-id': 0, fields }) });
});
/** Iceberg's time is a time of day: below 24 hours. */
test.each([
  ['CSV', 'late.csv', 't\n24:00:00\n'],
  ['JSON Lines', 'late.jsonl', '{"t":"24:00:00"}\n'],
  ['a nested value', 'nested.jsonl', '{"ts":["23:59:59.999999","24:00:00"]}\n'],
])('24:00:00 in %s is not a time of day', async (_format, name, content) => {
  await expect(project.moraine.appendFile('a.times', file(name, content))).rejects.toThrow(
    /24:00:00.* does not fit time exactly/,
  );
});

test('24:00:00 in Parquet is not a time of day', async () => {
  const path = join(project.folder, 'late.parquet');
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run(`COPY (SELECT TIME '24:00:00' AS t) TO '${path}'`);
  connection.closeSync();
  await expect(project.moraine.appendFile('a.times', path)).rejects.toThrow(/24:00:00.* does not fit time exactly/);
});

test('a key that a JSON line has twice is named with its line', async () => {
  const path = file('twice.jsonl', '{"a b":1,"c":2}\n{"a b":1,"a b":2}\n');
  await expect(project.moraine.appendFile('a.twice', path, { create: true })).rejects.toThrow(
    `${path} cannot be read in line 2: an object has the key "a b" twice.`,
  );
});
