/** Answers that are read in parts. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoraine, defineEntity, defineFeatureView, type Moraine } from '../../../index.js';

const ROWS = 5000;
let folder: string;
let moraine: Moraine;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-reader-')));
  moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd: folder, fileFolders: [folder] });
  const lines = Array.from({ length: ROWS }, (_, k) => `${k},2001-01-01T00:00:00Z,${k * 2}\n`).join('');
  writeFileSync(join(folder, 'f.csv'), `k,at,v\n${lines}`);
  await moraine.appendFile('a.f', join(folder, 'f.csv'), { create: true });
  const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
  await moraine.apply([
    thing,
    defineFeatureView({ name: 'values', entities: [thing], source: { table: 'a.f', timestampField: 'at' } }),
  ]);
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true });
});

const frame = (rows: number) => ({
  sql: `SELECT k, "at" AS event_timestamp FROM a.f WHERE k < ${rows} ORDER BY k DESC`,
});
const open = (rows = ROWS) => moraine.openHistoricalFeatures({ features: ['values:v'], entities: frame(rows) });
const EXPECTED = Array.from({ length: ROWS }, (_, index) => (ROWS - 1 - index) * 2);

test('record batches in the order of the frame, as often as they are asked for', async () => {
  const reader = await open();
  try {
    for (let time = 1; time <= 2; time++) {
      const values: number[] = [];
      let batches = 0;
      for await (const batch of reader.batches()) {
        expect(batch.numRows).toBeLessThanOrEqual(2048);
        batches += 1;
        values.push(...[...(batch.getChild('v') ?? [])].map(Number));
      }
      expect(values).toEqual(EXPECTED);
      expect(batches).toBeGreaterThan(1);
    }
    expect((await reader.toArrow()).numRows).toBe(ROWS);
    expect(reader.answer.rowCount).toBe(ROWS);
    expect([...reader.answer.sources.keys(), ...reader.answer.entitySources.keys()]).toEqual(['a.f', 'a.f']);
  } finally {
    await reader.close();
  }
});

test('rows as objects, and files that appear when they are complete', async () => {
  const reader = await open(2);
  try {
    expect(await reader.toRows()).toEqual([
      { k: 1, event_timestamp: '2001-01-01T00:00:00.000000Z', v: 2 },
      { k: 0, event_timestamp: '2001-01-01T00:00:00.000000Z', v: 0 },
    ]);
    const path = (name: string) => join(folder, name);
    for (const name of ['out.jsonl', 'out.json', 'out.csv', 'out.parquet', 'out.arrow']) {
      expect(await reader.write(path(name))).toBe(2n);
    }
    expect(readFileSync(path('out.csv'), 'utf8')).toBe(
      'k,event_timestamp,v\n1,2001-01-01T00:00:00.000000Z,2\n0,2001-01-01T00:00:00.000000Z,0\n',
    );
    expect(
      tableFromIPC(readFileSync(path('out.arrow')))
        .getChild('v')
        ?.toArray(),
    ).toEqual(BigInt64Array.from([2n, 0n]));
    expect(readFileSync(path('out.parquet')).subarray(0, 4).toString()).toBe('PAR1');
    await expect(reader.write(path('out.txt'))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(reader.write(path('nowhere/out.csv'))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    expect(existsSync(path('out.txt'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  } finally {
    await reader.close();
  }
});

test('an error of opening is the error of the call, and a closed reader says that it is closed', async () => {
  const wrong = moraine.openHistoricalFeatures({ features: ['values:w'], entities: frame(1) });
  await expect(wrong).rejects.toMatchObject({ code: 'FEATURE_NOT_FOUND' });
  const reader = await open(1);
  await reader.close();
  await reader.close();
  await expect(reader.toRows()).rejects.toMatchObject({ code: 'CLOSED' });
});

test('batches that are asked for after the reader was closed are an error, not the end', async () => {
  const reader = await open();
  const batches = reader.batches()[Symbol.asyncIterator]();
  expect((await batches.next()).done).toBe(false);
  await reader.close();
  await expect(batches.next()).rejects.toMatchObject({ code: 'CLOSED' });
});

test('closing waits for the batch that is being read', async () => {
  const reader = await open();
  const batches = reader.batches()[Symbol.asyncIterator]();
  const first = batches.next();
  await reader.close();
  expect((await first).done).toBe(false);
  await expect(batches.next()).rejects.toMatchObject({ code: 'CLOSED' });
});

test('pulled rows are read the same way', async () => {
  const pulled = await moraine.pullLatest({
    source: { sql: 'SELECT k % 2 AS parity, * FROM f', tables: { f: 'a.f' } },
    joinKeys: ['parity'],
    features: ['v'],
    timestampField: 'at',
    end: new Date('2001-01-01T00:00:00Z'),
  });
  try {
    const rows = (await pulled.toRows()).map((row) => [row['parity'], row['v']]);
    expect(rows.sort()).toEqual([
      [0, 9996],
      [1, 9998],
    ]);
  } finally {
    await pulled.close();
  }
});
