/** Types that `append --create` gives to columns of CSV files: every value is held as it is written. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { currentSchema, typeToString } from '../../../iceberg/index.js';
import { createMoraine, type Moraine } from '../../../index.js';

let folder: string;
let moraine: Moraine;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-numbers-')));
  moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd: folder, fileFolders: [folder] });
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true });
});

/** Doubles by IEEE 754: 15 digits are always kept, 2^53 + 1 is not. */
test.each([
  ['doubles', ['1.5', '0.1', '1e3', '9007199254740992', 'NaN', '0.30000000000000004'], 'double'],
  ['a long beside a fraction', ['9007199254740993', '1.5'], 'decimal(17, 1)'],
  ['many digits', ['0.1234567890123456789'], 'decimal(20, 19)'],
  ['an integer of 38 digits beside a fraction', ['9'.repeat(37), '.5'], 'decimal(38, 1)'],
  ['an integer of 39 digits', ['9'.repeat(39)], 'string'],
  ['more than a double holds', ['1e400', '1'], 'string'],
  ['less than a double holds', ['1e-400', '1'], 'string'],
  ['a long beside an exponent', ['9007199254740993', '1e3'], 'string'],
])('%s', async (name, values, type) => {
  const path = join(folder, 'numbers.csv');
  writeFileSync(path, `v\n${values.join('\n')}\n`);
  const table = `a.${name.replaceAll(' ', '_')}`;
  await moraine.appendFile(table, path, { create: true });
  const { metadata } = await moraine.project.loadTable(table);
  expect(currentSchema(metadata).fields.map((field) => typeToString(field.type))).toEqual([type]);
});
