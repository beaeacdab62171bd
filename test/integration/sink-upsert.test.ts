/** `moraine sink run --upsert` as a command that is killed, against the newest record of each key; PyIceberg reads both. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { moraine, moraineOk, startMoraine } from '../support/cli.js';
import { describeInterop, python } from '../support/python.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { Random } from '../worlds/random.js';

const SCHEMA = {
  type: 'struct',
  fields: [
    { id: 1, name: 'device', required: true, type: 'string' },
    { id: 2, name: 'metric', required: true, type: 'int' },
    { id: 3, name: 'at', required: false, type: 'timestamptz' },
    { id: 4, name: 'n', required: false, type: 'long' },
  ],
};
const COUNT = 6_000;

interface Reading {
  readonly device: string;
  readonly metric: number;
  readonly at: string | null;
  readonly n: number;
}

/** Readings of 400 keys over three days in random order, one in twenty without a time. */
function readings(): readonly Reading[] {
  const random = new Random('upserts');
  return Array.from({ length: COUNT }, (_, n) => {
    const second = 1_767_225_600 + random.int(0, 3 * 86_400);
    const at = random.int(0, 20) === 0 ? null : new Date(second * 1000).toISOString();
    return { device: `dé-${random.int(0, 100)}`, metric: random.int(0, 4), at, n };
  });
}

/** Of each key the last of those with the highest time. */
function newest(all: readonly Reading[]): readonly Reading[] {
  const rows = new Map<string, Reading>();
  for (const reading of all) {
    const key = `${reading.device} ${reading.metric}`;
    const before = rows.get(key);
    if (before === undefined || (reading.at ?? '') >= (before.at ?? '')) rows.set(key, reading);
  }
  return [...rows.values()];
}

const lines = (rows: readonly Reading[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

describeInterop('an upsert that is killed again and again', () => {
  it('leaves the newest row of each key, as PyIceberg reads it', async () => {
    const folder = temporaryFolder();
    const ok = (...args: string[]) => moraineOk(args, { cwd: folder });
    writeFileSync(
      join(folder, 'moraine.yaml'),
      'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\nengine: { threads: 1 }\n',
    );
    writeFileSync(join(folder, 'schema.json'), JSON.stringify(SCHEMA));
    for (const table of ['iot.readings', 'iot.expected'])
      await ok('table', 'create', table, '--schema', 'schema.json', '--partition', 'day(at)');
    const all = readings();
    writeFileSync(join(folder, 'a.ndjson'), lines(all));
    writeFileSync(join(folder, 'expected.ndjson'), lines(newest(all)));
    await ok('table', 'append', 'iot.expected', 'expected.ndjson');
    const run = ['sink', 'run', 'iot.readings', 'a.ndjson', '--batch-size', '500'];
    run.push('--upsert', 'device,metric', '--order', 'at');
    let [kills, code] = [0, null as number | null];
    for (; code !== 0; kills += 1) {
      const child = startMoraine(run, { cwd: folder });
      const ended = once(child, 'exit');
      const timer = setTimeout(() => child.kill('SIGKILL'), 500 * 1.4 ** kills);
      [code] = (await ended) as [number | null];
      clearTimeout(timer);
    }
    expect(kills).toBeGreaterThan(2);
    expect(await ok(...run)).toContain('nothing new');
    const properties = { type: 'sql', uri: `sqlite:///${join(folder, 'catalog.db')}`, name: 'local' };
    const [found, expected] = await python<{ rows: string; digest: string }[]>(
      'digest_tables.py',
      JSON.stringify(properties),
      ...['iot.readings', 'iot.expected'],
    );
    expect(found).toEqual({ ...expected, table: 'iot.readings' });
    expect(found?.rows).toBe(String(newest(all).length));
  });
});

it('says what goes together, and what a key may be', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'moraine.yaml'), 'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\n');
  writeFileSync(join(folder, 'a.ndjson'), '{"id": 1, "v": "x"}\n');
  const run = (...args: string[]) =>
    moraine(['sink', 'run', 'iot.t', 'a.ndjson', '--create', ...args], { cwd: folder });
  expect((await run('--upsert', 'id')).stderr).toContain('--upsert and --order go together');
  expect((await run('--upsert', 'id', '--order', 'id')).stderr).toContain(
    'The column "id" cannot be of a key: it must be required',
  );
});
