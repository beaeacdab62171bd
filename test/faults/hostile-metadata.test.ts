/** Metadata that somebody else wrote, with numbers and sizes that nobody means (faults 85): a clear refusal, or the answer at a bounded cost. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { moraine, moraineOk } from '../support/cli.js';
import { failureOf } from '../support/error-code.js';
import { IDENTIFIER, tableFixture } from '../support/table-fixture.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** The metadata of a table with one column `id`, as the specification writes it, with changes. */
function metadataOf(location: string, changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    'format-version': 2,
    'table-uuid': '9c12d441-03fe-4693-9a96-a0705ddf69c1',
    location,
    'last-sequence-number': 0,
    'last-updated-ms': 1_600_000_000_000,
    'last-column-id': 1,
    'current-schema-id': 0,
    schemas: [schemaOf()],
    'default-spec-id': 0,
    'partition-specs': [{ 'spec-id': 0, fields: [] }],
    'last-partition-id': 999,
    'default-sort-order-id': 0,
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    ...changes,
  });
}

const schemaOf = (...columns: object[]) => ({
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'id', required: false, type: 'long' }, ...columns],
});

const column = (id: number, type: unknown = 'int') => ({ id, name: 'other', required: false, type });

/** Lists in lists around an int. */
function nested(depth: number): unknown {
  let type: unknown = 'int';
  for (let i = 0; i < depth; i++) {
    type = { type: 'list', 'element-id': 100 + i, 'element-required': false, element: type };
  }
  return type;
}

/** Writes a metadata file below the warehouse of a fixture, and registers it. */
async function register(changes: Record<string, unknown>) {
  const { folder, catalog } = await tableFixture();
  const location = join(folder, 'warehouse/ns/hostile');
  const file = join(location, 'metadata/00000-a.metadata.json');
  mkdirSync(join(location, 'metadata'), { recursive: true });
  writeFileSync(file, metadataOf(location, changes));
  return catalog.registerTable({ namespace: ['ns'], name: 'hostile' }, file);
}

test.each([
  [
    'a negative field id',
    schemaOf(column(-5)),
    /Field 'other' has the id -5\. A field id is a whole number from 0 to 2147483447/,
  ],
  ['a reserved field id', schemaOf(column(2147483540)), /Field 'other' has the id 2147483540/],
  ['the first reserved field id', schemaOf(column(2147483448)), /Field 'other' has the id 2147483448/],
  [
    'a negative id inside a list',
    schemaOf(column(2, { type: 'list', 'element-id': -1, 'element-required': false, element: 'int' })),
    /Field 'other\.element' has the id -1/,
  ],
  [
    'a column 400 levels deep',
    schemaOf(column(2, nested(400))),
    /Column 'other' nests types more than 100 levels deep/,
  ],
  [
    'a column 101 levels deep',
    schemaOf(column(2, nested(101))),
    /Column 'other' nests types more than 100 levels deep/,
  ],
])('%s is refused by name when the metadata is read', async (_what, schema, message) => {
  const failure = await failureOf(register({ schemas: [schema] }));
  expect(failure).toMatchObject({ code: 'METADATA_CORRUPT', message: expect.stringMatching(message) as string });
  expect(failure.message).toContain('00000-a.metadata.json');
});

test.each([
  ['an id of 0, as old writers gave', schemaOf(column(0))],
  ['the largest id that is not reserved', schemaOf(column(2147483447))],
  ['a column 100 levels deep', schemaOf(column(2, nested(100)))],
])('%s is accepted', async (_what, schema) => {
  const { metadata } = await register({ schemas: [schema] });
  expect(metadata.schemas[0]?.fields).toHaveLength(2);
});

test('150,000 properties, sort orders and partition specs are shown and survive', { timeout: 120_000 }, async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'moraine.yaml'), '');
  const location = join(folder, 'warehouse/ns/many');
  mkdirSync(join(location, 'metadata'), { recursive: true });
  const file = join(location, 'metadata/00000-a.metadata.json');
  const ids = Array.from({ length: 150_000 }, (_, i) => i);
  const changes = {
    properties: Object.fromEntries(ids.map((i) => [`p${i}`, `${i}`])),
    'sort-orders': ids.map((i) => ({ 'order-id': i, fields: [] })),
    'partition-specs': ids.map((i) => ({ 'spec-id': i, fields: [] })),
  };
  writeFileSync(file, metadataOf(location, changes));
  await moraineOk(['table', 'register', 'ns.many', file], { cwd: folder });
  const shown = await moraine(['table', 'show', 'ns.many'], { cwd: folder });
  expect(shown).toMatchObject({ code: 0, stderr: '' });
  expect(shown.stdout.split('\n').filter((line) => /^p\d+ +\d+$/.test(line))).toHaveLength(150_000);
});

test('a metadata log of a million entries is refused by its size within seconds; packed, it is read and cut', {
  timeout: 120_000,
}, async () => {
  const entry =
    '{"timestamp-ms":1,"metadata-file":"/a/warehouse/ns/many/metadata/00000-0123456789abcdef.metadata.json"}';
  const text = metadataOf('LOCATION', { 'metadata-log': 'LOG' }).replace(
    '"LOG"',
    `[${`${entry},`.repeat(999_999)}${entry}]`,
  );
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'moraine.yaml'), '');
  const file = join(folder, 'warehouse/ns/many/metadata/00000-a.metadata.json');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text.replace('LOCATION', join(folder, 'warehouse/ns/many')));
  const refused = await moraine(['table', 'register', 'ns.many', file], { cwd: folder });
  expect([refused.code, refused.stdout]).toEqual([5, '']);
  expect(refused.stderr).toMatch(
    /00000-a\.metadata\.json" has \d+ bytes; at most 67108864 are read\. \[LIMIT_EXCEEDED\]/,
  );

  const { folder: own, catalog, load } = await tableFixture();
  const packed = join(own, 'warehouse/ns/t/metadata/00000-b.gz.metadata.json');
  await catalog.dropTable(IDENTIFIER);
  mkdirSync(dirname(packed), { recursive: true });
  writeFileSync(packed, gzipSync(text.replace('LOCATION', join(own, 'warehouse/ns/t')), { level: 1 }));
  expect((await catalog.registerTable(IDENTIFIER, packed)).metadata.metadataLog).toHaveLength(1_000_000);
  await catalog.commitTable(IDENTIFIER, {
    requirements: [],
    updates: [{ action: 'set-properties', updates: new Map([['n', '1']]) }],
  });
  const { metadataLog } = (await load()).metadata;
  expect([metadataLog.length, metadataLog.at(-1)?.metadataFile]).toEqual([100, packed]);
});

test('a commit that drops a long metadata log deletes at most 1,000 of its files', async () => {
  const { catalog, folder, load } = await tableFixture({
    properties: new Map([['write.metadata.delete-after-commit.enabled', 'true']]),
  });
  const { metadata } = await load();
  const logged = Array.from({ length: 1_500 }, (_, i) => `${metadata.location}/metadata/old-${i}.metadata.json`);
  const earlier = metadataOf(metadata.location, {});
  for (const path of logged) writeFileSync(path, earlier);
  const json = JSON.parse(
    metadataOf(metadata.location, {
      properties: { 'write.metadata.delete-after-commit.enabled': 'true' },
      'metadata-log': logged.map((path) => ({ 'timestamp-ms': 1, 'metadata-file': path })),
    }),
  ) as object;
  const file = join(folder, 'warehouse/ns/t/metadata/00009-a.metadata.json');
  writeFileSync(file, JSON.stringify(json));
  await catalog.dropTable(IDENTIFIER);
  await catalog.registerTable(IDENTIFIER, file);
  await catalog.commitTable(IDENTIFIER, {
    requirements: [],
    updates: [{ action: 'set-properties', updates: new Map([['n', '1']]) }],
  });
  // The log keeps 100 entries: the newest 99 of the old ones, and the file that was replaced.
  const left = logged.map((path) => existsSync(path));
  expect(left.filter((exists) => !exists)).toHaveLength(1_000);
  expect(left.slice(-99)).not.toContain(false);
});
