/** Dead letters of a sink and their replay as commands that are killed, and a million records of which one in a hundred is bad in one of twelve ways. */
import { once } from 'node:events';
import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { expect, it } from 'vitest';
import { createMoraine } from '../../client/index.js';
import { parseSchema } from '../../iceberg/index.js';
import { moraineOk, startMoraine } from '../support/cli.js';
import { numberIn } from '../support/environment.js';
import { describeInterop, python } from '../support/python.js';
import { temporaryFolder } from '../support/temp-folder.js';

const SCHEMA = {
  type: 'struct',
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'device', required: true, type: 'string' },
    { id: 3, name: 'n', required: false, type: 'int' },
    { id: 4, name: 'ok', required: false, type: 'boolean' },
    { id: 5, name: 'at', required: false, type: 'timestamptz' },
    { id: 6, name: 'price', required: false, type: 'decimal(9,2)' },
  ],
};

const CONFIG = 'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\nengine: { threads: 1 }\n';
/** Seconds since 1970 of a record. */
const second = (id: number): number => 1_767_225_600 + (id % 200_000);
const values = (id: number) => ({
  ...{ id, device: `dé-${id % 97}`, n: (id % 2001) - 1000, ok: id % 3 === 0 },
  ...{ at: new Date(second(id) * 1000).toISOString(), price: (id % 10_000) / 100 },
});
const good = (id: number): string => JSON.stringify(values(id));

/** Twelve ways in which a record is bad, all of which begin with its id, and the reason that they are left out for. */
const BAD: readonly (readonly [reason: string, record: (id: number) => string | Buffer])[] = [
  ['INVALID_UTF8', (id) => Buffer.concat([Buffer.from(`{"id":${id},"device":"`), Buffer.of(0xff, 0x22, 0x7d)])],
  ['MALFORMED_JSON', (id) => `{"id":${id},"devi`],
  ['NOT_AN_OBJECT', (id) => `[${id}]`],
  ['DUPLICATE_FIELD', (id) => `{"id":${id},"device":"x","id":${id}}`],
  ['EXTRA_FIELD', (id) => JSON.stringify({ ...values(id), firmware: '1.2' })],
  ['MISSING_REQUIRED', (id) => `{"id":${id}}`],
  ['MISSING_REQUIRED', (id) => `{"id":${id},"device":null}`],
  ['OUT_OF_RANGE', (id) => JSON.stringify({ ...values(id), n: 2_147_483_648 })],
  ['OUT_OF_RANGE', (id) => JSON.stringify({ ...values(id), n: 0.5 })],
  ['WRONG_TYPE', (id) => JSON.stringify({ ...values(id), ok: 'yes' })],
  ['INVALID_TIME', (id) => JSON.stringify({ ...values(id), at: second(id) * 1000 })],
  ['OUT_OF_RANGE', (id) => JSON.stringify({ ...values(id), price: 1.005 })],
];

const badRecord = (id: number, every: number): string | Buffer | null => {
  if (id % every !== 0) return null;
  return BAD[(id / every) % BAD.length]?.[1](id) ?? null;
};

/** What mends every one of them. */
const mend = (record: Uint8Array): string => good(Number(/\d+/.exec(Buffer.from(record).toString('latin1'))?.[0]));

const idsOf = (rows: string): readonly number[] =>
  rows
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { id: number }).id)
    .sort((a, b) => a - b);

it('runs and replays that are killed at any moment leave each record in the table or among the dead letters, once', async () => {
  const folder = temporaryFolder();
  const ok = (...args: string[]) => moraineOk(args, { cwd: folder });
  writeFileSync(join(folder, 'moraine.yaml'), CONFIG);
  writeFileSync(join(folder, 'schema.json'), JSON.stringify(SCHEMA));
  await ok('table', 'create', 'iot.uplinks', '--schema', 'schema.json', '--partition', 'day(at)');
  const [count, batch, every] = [3_000, 100, 10];
  const records = Array.from({ length: count }, (_, id) =>
    id % every === 0 ? JSON.stringify({ ...values(id), firmware: id }) : good(id),
  );
  writeFileSync(join(folder, 'a.ndjson'), `${records.join('\n')}\n`);
  const raw = async () => {
    const rows = await ok('table', 'scan', 'iot.dead', '--columns', 'position', '--where', 'replayed_at IS NULL');
    return rows.split('\n').filter((line) => line !== '').length;
  };
  const inTable = async () => idsOf(await ok('table', 'scan', 'iot.uplinks', '--columns', 'id'));

  /** Runs a command that is killed after longer and longer times until it ends by itself. */
  const untilDone = async (command: readonly string[], check: () => Promise<void>): Promise<number> => {
    for (let kills = 0; ; kills += 1) {
      const child = startMoraine(command, { cwd: folder });
      const ended = once(child, 'exit');
      const timer = setTimeout(() => child.kill('SIGKILL'), 450 * 1.4 ** kills);
      const [code] = (await ended) as [number | null];
      clearTimeout(timer);
      if (code === 0) return kills;
      expect(code).toBe(null);
      await check();
    }
  };
  const run = ['sink', 'run', 'iot.uplinks', 'a.ndjson', '--batch-size', String(batch), '--dead-letters', 'iot.dead'];
  const firstKills = await untilDone(run, async () => {
    const found = await inTable();
    // Of each hundred, ten are dead letters.
    expect(found).toEqual(
      Array.from({ length: (found.length / 9) * 10 }, (_, id) => id).filter((id) => id % every !== 0),
    );
    expect(found.length % 90).toBe(0);
  });
  expect(firstKills).toBeGreaterThan(1);
  expect(await raw()).toBe(count / every);
  const unfit = `iot.uplinks: no dead letter fits it yet.\nStill no rows: ${count / every} records (EXTRA_FIELD ${count / every}).\n`;
  expect(await ok('sink', 'replay', 'iot.dead')).toBe(unfit);
  const replay = ['sink', 'replay', 'iot.dead', '--extra-fields', 'ignore', '--batch-size', '20'];
  await untilDone(replay, async () => {
    const found = await inTable();
    expect(new Set(found).size).toBe(found.length);
    expect((found.length - (count - count / every)) % 20).toBe(0);
  });
  expect(await inTable()).toEqual(Array.from({ length: count }, (_, id) => id));
  expect(await raw()).toBe(0);
  expect(await ok(...replay)).toBe('iot.dead: nothing to replay.\n');
});

async function writeLines(file: string, record: (id: number) => string | Buffer): Promise<void> {
  const stream = createWriteStream(file);
  const PIECE = 10_000;
  for (let first = 0; first < COUNT; first += PIECE) {
    const ids = Array.from({ length: Math.min(PIECE, COUNT - first) }, (_, index) => first + index);
    const lines = ids.flatMap((id) => [Buffer.from(record(id)), Buffer.of(0x0a)]);
    if (!stream.write(Buffer.concat(lines))) await once(stream, 'drain');
  }
  stream.end();
  await finished(stream);
}

/** `MORAINE_DEAD_LETTER_RECORDS`: 60,000 unless given, a million at night. */
const COUNT = numberIn('MORAINE_DEAD_LETTER_RECORDS', /^[1-9]\d{4,6}$/) ?? 60_000;

describeInterop('of records with one in a hundred bad in one of twelve ways', () => {
  it('the table equals that of a clean run once the dead letters are mended and replayed', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'moraine.yaml'), CONFIG);
    const [dirty, clean] = [join(folder, 'dirty.ndjson'), join(folder, 'clean.ndjson')];
    await writeLines(dirty, (id) => badRecord(id, 100) ?? good(id));
    await writeLines(clean, good);
    const moraine = await createMoraine({ cwd: folder, fileFolders: [folder] });
    const schema = parseSchema({ 'schema-id': 0, ...SCHEMA });
    try {
      for (const name of ['iot.dirty', 'iot.clean']) await moraine.createTable(name, { schema, partition: 'day(at)' });
      await moraine.sinkFiles('iot.clean', [clean], { batchSize: 50_000 });
      const written = await moraine.sinkFiles('iot.dirty', [dirty], { batchSize: 7_000, deadLetters: 'iot.dead' });
      const ofKind = (kind: number) =>
        Array.from({ length: COUNT / 100 }, (_, index) => index % BAD.length).filter((each) => each === kind).length;
      const expected: Record<string, number> = {};
      for (const [kind, [reason]] of BAD.entries()) expected[reason] = (expected[reason] ?? 0) + ofKind(kind);
      expect(written.rejected).toEqual(expected);
      expect(written.rows).toBe(BigInt(COUNT - COUNT / 100));
      const extra = await moraine.replayDeadLetters('iot.dead', { extraFields: 'ignore', batchSize: 500 });
      expect(extra.rows).toBe(BigInt(ofKind(4)));
      const times = await moraine.replayDeadLetters('iot.dead', { times: { at: 'epoch_ms' } });
      expect(times.rows).toBe(BigInt(ofKind(10)));
      const rest = await moraine.replayDeadLetters('iot.dead', { transform: mend });
      expect([rest.rows, rest.left]).toEqual([BigInt(COUNT / 100 - ofKind(4) - ofKind(10)), {}]);
    } finally {
      await moraine.close();
    }
    const properties = { type: 'sql', uri: `sqlite:///${join(folder, 'catalog.db')}`, name: 'local' };
    const tables = ['iot.dirty', 'iot.clean'];
    const digests = await python<{ rows: string; digest: string }[]>(
      'digest_tables.py',
      JSON.stringify(properties),
      ...tables,
    );
    const [left, right] = digests.map(({ rows, digest }) => ({ rows, digest }));
    expect(left?.rows).toBe(String(COUNT));
    expect(left).toEqual(right);
  });
});
