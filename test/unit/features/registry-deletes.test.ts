/** A registry from whose table another engine has deleted rows, by delete files. */
import { unlinkSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseDefinitions } from '../../../features/index.js';
import { planFiles, selectSnapshot } from '../../../tables/index.js';
import { DeleteWriter } from '../../support/delete-writer.js';
import { failureOf } from '../../support/error-code.js';
import { FeatureLab } from '../../support/feature-lab.js';

let lab: FeatureLab;
beforeEach(async () => {
  lab = await FeatureLab.open();
  await lab.registry().apply(entities('a', 'b', 'c'));
});
afterEach(() => lab.close());

const entities = (...names: readonly string[]) =>
  parseDefinitions([{ value: { entities: names.map((name) => ({ name, joinKeys: ['k'] })) } }]);
const names = async () => [...(await lab.registry().read()).definitions.entities.keys()];

test('has the rows that are left, and takes further applies', async () => {
  const writer = new DeleteWriter(lab, { namespace: ['moraine'], name: 'registry' });
  await writer.commit([await writer.equality({ name: 2 }, "SELECT 'b' AS name")]);
  expect(await names()).toEqual(['a', 'c']);
  expect(await lab.registry().history('entity', 'b')).toEqual([]);
  const { plan } = await lab.registry().apply(entities('b', 'd'));
  expect(plan.changes.map(({ action, name }) => `${action} ${name}`).sort()).toEqual(['create b', 'create d']);
  expect(await names()).toEqual(['a', 'b', 'c', 'd']);
});

test('names a file of its that is gone', async () => {
  const { metadata } = await lab.table('moraine.registry');
  const { files } = await planFiles(await lab.table('moraine.registry'), selectSnapshot(metadata));
  const path = files[0]?.file.filePath ?? '';
  unlinkSync(path);
  const failure = await failureOf(lab.registry().read());
  expect([failure.code, failure.message.includes(path)]).toEqual(['FILE_NOT_FOUND', true]);
});
