/** Deeply nested columns: every level costs as much as the one before, or the column is refused. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoraine, defineEntity, defineFeatureView, type Moraine, parseSchema } from '../../../index.js';
import { compactDirect } from '../../../maintenance/index.js';
import { compactDeps } from '../../../project/index.js';
import { commitAppend, loadTable } from '../../../tables/index.js';
import { moraineOk } from '../../support/cli.js';
import { rejectionCode } from '../../support/error-code.js';
import { putFile } from '../../support/put-file.js';
import { scanRows } from '../../support/scan-rows.js';

let folder: string;
let moraine: Moraine;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-nested-')));
  writeFileSync(join(folder, 'moraine.yaml'), 'engine: { threads: 1 }\n');
  moraine = await createMoraine({ cwd: folder, fileFolders: [folder] });
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true });
});

/** Levels from outside to inside: l for a list, m for a map, s for a struct. */
type Levels = readonly string[];

const levels = (pattern: string, depth: number): Levels => [...pattern.repeat(depth).slice(0, depth)];

let lastId = 0;

function typeJson([level, ...inner]: Levels): unknown {
  if (level === undefined) return 'long';
  const [id, second] = [++lastId, ++lastId];
  if (level === 'l') return { type: 'list', 'element-id': id, 'element-required': false, element: typeJson(inner) };
  if (level === 's')
    return { type: 'struct', fields: [{ id, name: 'in "it"', required: false, type: typeJson(inner) }] };
  return {
    type: 'map',
    'key-id': id,
    key: 'string',
    'value-id': second,
    'value-required': false,
    value: typeJson(inner),
  };
}

/** Arrow's nested values, and JavaScript's, as text. */
const plain = (one: unknown): unknown =>
  one === null ? null : JSON.stringify(one, (_, inner: unknown) => (typeof inner === 'bigint' ? Number(inner) : inner));

/** A value with two elements at its innermost level. */
function value([level, ...inner]: Levels): unknown {
  if (level === undefined) return 7;
  if (level === 's') return { 'in "it"': value(inner) };
  if (level === 'm') return [['k', value(inner)]];
  return inner.length > 0 ? [value(inner)] : [value(inner), null];
}

async function create(name: string, columns: Readonly<Record<string, Levels>>): Promise<void> {
  lastId = 0;
  const fields = Object.entries(columns).map(([column, of]) => ({
    id: ++lastId,
    name: column,
    required: false,
    type: typeJson(of),
  }));
  await moraine.createTable(name, { schema: parseSchema({ type: 'struct', 'schema-id': 0, fields } as never) });
}

function file(name: string, rows: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return path;
}

/** As many lists as can be read; structs do not count. */
const DEEP = {
  lists: levels('l', 20),
  maps: levels('m', 14),
  structs: levels('s', 40),
  mixed: levels('lms', 21),
};

test('columns of 20 lists, 40 structs or 14 maps inside each other are appended and scanned exactly', async () => {
  await create('a.deep', DEEP);
  const row = Object.fromEntries(Object.entries(DEEP).map(([name, of]) => [name, value(of)]));
  const empty = { lists: [], maps: [], structs: null, mixed: [] };
  await moraine.appendFile('a.deep', file('deep.jsonl', [row, empty]));
  const scanned = await moraineOk(['table', 'scan', 'a.deep', '--format', 'jsonl'], { cwd: folder });
  expect(scanned).toBe(`${JSON.stringify(row)}\n${JSON.stringify(empty)}\n`);
}, 60_000);

test('a value that does not fit deep inside is named by its place', async () => {
  await create('a.places', { mixed: levels('lms', 12) });
  const text = JSON.stringify({ mixed: value(levels('lms', 12)) }).replace('7', '"seven"');
  const path = file('places.jsonl', [JSON.parse(text)]);
  const place = '[0][0][1].in "it"'.repeat(4);
  await expect(moraine.appendFile('a.places', path)).rejects.toThrow(
    `column "mixed", row 1: ${place} "seven" does not fit long exactly`,
  );
});

test('a list nested 10 deep is retrieved, saved, replayed and compacted exactly', async () => {
  lastId = 3;
  const schema = parseSchema({
    type: 'struct',
    'schema-id': 0,
    fields: [
      { id: 1, name: 'k', required: false, type: 'long' },
      { id: 2, name: 'at', required: false, type: 'timestamptz' },
      { id: 3, name: 'nested', required: false, type: typeJson(levels('ls', 20)) },
    ],
  } as never);
  await moraine.createTable('a.timed', { schema });
  const at = '2001-01-01T00:00:00.000000Z';
  const rows = [1, 2].map((k) => ({ k, at, nested: k === 1 ? value(levels('ls', 20)) : null }));
  for (const row of rows) await moraine.appendFile('a.timed', file(`timed-${row.k}.jsonl`, [row]));
  const key = defineEntity({ name: 'key', joinKeys: ['k'] });
  const source = { table: 'a.timed', timestampField: 'at' };
  await moraine.apply([key, defineFeatureView({ name: 'timed', entities: [key], source })]);
  const entities = [2, 1].map((k) => ({ k, event_timestamp: new Date('2001-01-02') }));
  const request = { features: ['timed:nested'], entities };
  const { table } = await moraine.getHistoricalFeatures(request);
  const retrieved = (table.toArray() as { readonly nested: unknown }[]).map(({ nested }) => plain(nested));
  expect(retrieved).toEqual([null, plain(rows[0]?.nested)]);
  await moraine.saveDataset({ ...request, saveAs: { name: 'deep', to: { table: 'a.saved' } } });
  const compaction = { table: 'a.timed', strategy: 'sort', columns: ['k'] } as const;
  expect((await compactDirect(await compactDeps(moraine.project), compaction)).filesRemoved).toBe(2);
  expect(await moraine.replayDataset('deep')).toMatchObject({ matches: true });
  const location = (await moraine.project.loadTable('a.timed')).metadataLocation;
  expect((await scanRows(location, {})).toSorted()).toEqual(rows.map((row) => JSON.stringify(row)));
});

test('of a table by another writer, columns are read beside one that is nested too deeply', async () => {
  await create('a.theirs', { id: [], lists: levels('l', 21) });
  const { catalog, identifier } = await moraine.project.resolveTable('a.theirs');
  const table = await loadTable(catalog, moraine.project.io, identifier);
  const path = `${table.metadata.location}/data/theirs.parquet`;
  const duckdb = await DuckDBInstance.create(':memory:');
  const connection = await duckdb.connect();
  const list = `${'['.repeat(21)}7${']'.repeat(21)}`;
  const fileSizeInBytes = await putFile(table.io, path, (to) =>
    connection.run(`COPY (SELECT 5::BIGINT AS id, ${list} AS lists) TO '${to}' (FORMAT parquet, FIELD_IDS {id: 1})`),
  );
  connection.closeSync();
  duckdb.closeSync();
  const written = {
    content: 'data',
    filePath: path,
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    recordCount: 1n,
    fileSizeInBytes,
  } as const;
  await commitAppend(table, { files: [written] });
  const { metadataLocation } = await moraine.project.loadTable('a.theirs');
  expect(await scanRows(metadataLocation, { columns: 'id' })).toEqual(['{"id":5}']);
  await expect(scanRows(metadataLocation, {})).rejects.toMatchObject({
    code: 'UNSUPPORTED_FEATURE',
    message: expect.stringContaining('The column lists nests lists and maps 21 deep') as string,
  });
});

test('lists and maps that are nested too deeply to be read are refused', async () => {
  await create('a.too_deep', { id: [], lists: levels('l', 40) });
  const path = file('too-deep.jsonl', [{ id: 1, lists: value(levels('l', 40)) }]);
  expect(await rejectionCode(moraine.appendFile('a.too_deep', path))).toBe('UNSUPPORTED_FEATURE');
  expect(await rejectionCode(moraine.appendFile('a.inferred', path, { create: true }))).toBe('UNSUPPORTED_FEATURE');
});
