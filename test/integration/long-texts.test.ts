/** Texts of a megabyte: as values, as join keys and as bounds of files; through every format in and out, and online. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Table, TimestampMillisecond, tableFromArrays, vectorFromArray } from 'apache-arrow';
import { expect, onTestFinished, test } from 'vitest';
import { quoteLiteral } from '../../engine/index.js';
import { currentSchema, serializeValue } from '../../iceberg/index.js';
import { createMoraine, defineEntity, defineFeatureView, type Entities, type Moraine } from '../../index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { commitAppend, planFiles, selectSnapshot } from '../../tables/index.js';
import { temporaryFolder } from '../support/temp-folder.js';

const STRING = { kind: 'string' } as const;
/** Equal but for their last letter, and not one byte a letter. */
const longText = (start: string, last: string): string => `${start}${'é,"x'.repeat(2 ** 18)}${last}`;
const NAMES = ['a', 'b', 'c'];
const keyOf = (name: string): string => longText('key', name);
const valueOf = (name: string): string => longText('value', name);
const AT = '2026-01-01T00:00:00Z';

/** Keeps failures short. */
const digest = (text: unknown): string => createHash('sha256').update(String(text)).digest('hex');
const EXPECTED = [...NAMES, 'none'].map((name) => (name === 'none' ? null : digest(valueOf(name))));

interface World {
  readonly moraine: Moraine;
  /** Writes a file in the project's folder and returns its path. */
  readonly file: (name: string, content: string | Uint8Array) => string;
}

async function openWorld(): Promise<World> {
  const folder = temporaryFolder();
  const moraine = await createMoraine({
    config: { engine: { threads: 2, memoryLimit: '500MB' } },
    cwd: folder,
    fileFolders: [folder],
  });
  onTestFinished(() => moraine.close());
  const file: World['file'] = (name, content) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const rows = NAMES.map((name) => JSON.stringify({ k: keyOf(name), at: AT, v: valueOf(name) }));
  await moraine.appendFile('demo.texts', file('texts.jsonl', `${rows.join('\n')}\n`), { create: true });
  const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
  const source = { table: 'demo.texts', timestampField: 'at' };
  await moraine.apply([
    thing,
    defineFeatureView({ name: 'texts', entities: [thing], source, features: ['v'], online: true }),
  ]);
  return { moraine, file };
}

/** The keys of the table and one that it lacks, in every form of entity rows. */
function frames(file: World['file']): readonly (readonly [string, Entities])[] {
  const rows = [...NAMES, 'none'].map((name) => ({ k: keyOf(name), event_timestamp: AT }));
  const csv = rows.map(({ k }) => `"${k.replaceAll('"', '""')}",${AT}`);
  const times = rows.map(() => Date.parse(AT));
  const columns = tableFromArrays({ k: rows.map(({ k }) => k) });
  const k = columns.getChild('k');
  if (k === null) throw new Error('a column is missing');
  return [
    ['objects', rows],
    ['CSV', { file: file('frame.csv', ['k,event_timestamp', ...csv, ''].join('\n')) }],
    ['JSON Lines', { file: file('frame.jsonl', rows.map((row) => JSON.stringify(row)).join('\n')) }],
    ['Arrow', new Table({ k, event_timestamp: vectorFromArray(times, new TimestampMillisecond('UTC')) })],
  ];
}

test('are join keys and values of every frame, file and answer', { timeout: 120_000 }, async () => {
  const { moraine, file } = await openWorld();
  const engine = await moraine.project.engine();
  for (const [form, entities] of frames(file)) {
    const reader = await moraine.openHistoricalFeatures({ features: ['texts:v'], entities });
    const rows = await reader.toRows();
    expect([form, rows.map(({ v }) => v && digest(v))]).toEqual([form, EXPECTED]);
    for (const format of form === 'CSV' ? ['jsonl', 'csv', 'parquet'] : []) {
      const path = file(`answer.${format}`, '');
      await reader.write(path);
      const read = { jsonl: 'read_json', csv: 'read_csv', parquet: 'read_parquet' }[format];
      const options = format === 'parquet' ? '' : ', maximum_object_size = 10000000';
      const from = `${read}(${quoteLiteral(path)}${format === 'csv' ? ', max_line_size = 10000000' : options})`;
      const written = await engine.withConnection((connection) => connection.rows(`SELECT sha256(v) FROM ${from}`));
      expect([format, written.flat()]).toEqual([format, EXPECTED]);
    }
    await reader.close();
  }
});

test('are served online', { timeout: 120_000 }, async () => {
  const { moraine } = await openWorld();
  const { commit } = await materializeDirect(await materializationDeps(moraine.project), { view: 'texts' });
  expect(commit?.rows).toBe(3n);
  const entities = [...NAMES, 'none'].map((name) => ({ k: keyOf(name) }));
  const { rows } = await moraine.getOnlineFeatures({ view: 'texts', entities });
  const values = rows.map(([v]) => v?.value ?? null);
  expect(values.map((value) => value && digest(value))).toEqual(EXPECTED);
});

test('are bounds: cut in our files, whole in those of others; no row is pruned that matches', async () => {
  const { moraine } = await openWorld();
  const table = await moraine.project.loadTable('demo.texts');
  const schema = currentSchema(table.metadata);
  const [planned] = (await planFiles(table, selectSnapshot(table.metadata))).files;
  if (planned === undefined) throw new Error('no file');
  expect(planned.file.lowerBounds?.get(1)).toEqual(new TextEncoder().encode('keyé,"xé,"xé,"xé'));
  const column = schema.fields.find(({ name }) => name === 'k');
  if (column === undefined) throw new Error('no column');
  const whole = (name: string) => new Map([[column.id, serializeValue(STRING, keyOf(name))]]);
  const file = { ...planned.file, lowerBounds: whole('a'), upperBounds: whole('c') };
  await commitAppend(table, { files: [file] });
  const loaded = await moraine.project.loadTable('demo.texts');
  const kept = async (name: string) => {
    const ref = { fieldId: column.id, path: 'k', type: STRING, required: false, nested: false };
    const filter = { op: 'eq', ref, literal: keyOf(name) } as const;
    return (await planFiles(loaded, { ...selectSnapshot(loaded.metadata), filter })).files.length;
  };
  expect([await kept('a'), await kept('b'), await kept('c')]).toEqual([2, 2, 2]);
  // The file with cut bounds may hold what begins as its rows do; the one with whole bounds cannot.
  expect([await kept('A'), await kept('d')]).toEqual([1, 1]);
});
