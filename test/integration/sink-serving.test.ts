/**
 * `moraine sink run --materialize` is killed with SIGKILL just before an access to files, catalog or query engine, again and again, while a client reads the view from
 * `moraine serve`: what is served is that of whole batches that the table has, never goes back, and in the end that of all records.
 */
import { writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createMoraine } from '../../index.js';
import { seed as askedSeed } from '../support/environment.js';
import { startServiceProcess } from '../support/service-process.js';
import { killRuns, LOCAL_CONFIG, sinkKills } from '../support/sink-kills.js';
import { schemaOf } from '../support/table-world.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { Random } from '../worlds/random.js';

const KILLS = sinkKills(12);
const TABLE = 'iot.uplinks';
const VIEW = 'device_state';
const DEVICES = 3;
const BATCH = 50;
const FIRST_MS = Date.parse('2026-01-01T00:00:00Z');

/** Records whose ids grow with their times. */
const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => {
    const id = from + index;
    return `${JSON.stringify({ id, device: id % DEVICES, at: new Date(FIRST_MS + id * 1000).toISOString() })}\n`;
  }).join('');

/** The newest record of each device among the first so many. */
const newest = (records: number): readonly (number | null)[] =>
  Array.from({ length: DEVICES }, (_, device) => {
    const rounds = Math.ceil((records - device) / DEVICES);
    return rounds < 1 ? null : (rounds - 1) * DEVICES + device;
  });

async function project(folder: string): Promise<void> {
  writeFileSync(join(folder, 'moraine.yaml'), LOCAL_CONFIG);
  const library = await createMoraine({ cwd: folder });
  await library.createTable(TABLE, { schema: schemaOf({ id: 'long', device: 'long', at: 'timestamptz' }) });
  const source = { table: TABLE, timestampField: 'at' };
  await library.apply({
    entities: [{ name: 'device', joinKeys: ['device'] }],
    featureViews: [{ name: VIEW, online: true, entities: ['device'], source, features: ['id'] }],
  });
  await library.close();
}

/** Reads the view until it is told to stop. */
class Client {
  readonly #url: string;
  readonly #done: Promise<void>;
  #isStopped = false;
  /** How often it was given other rows than before. */
  changes = 0;
  /** Records of the table that what it read last is of. */
  records = 0;

  constructor(url: string) {
    this.#url = url;
    this.#done = this.#poll();
    this.#done.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async read(): Promise<readonly (number | null)[]> {
    const entities = { device: Array.from({ length: DEVICES }, (_, device) => device) };
    const body = JSON.stringify({ features: [`${VIEW}:id`], entities });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${this.#url}/get-online-features`, { method: 'POST', headers, body });
    expect(answer.status).toBe(200);
    const { results } = (await answer.json()) as { results: { values: (number | null)[] }[] };
    return results[1]?.values ?? [];
  }

  async #poll(): Promise<void> {
    while (!this.#isStopped) {
      const values = await this.read();
      const records = Math.max(-1, ...values.map((value) => value ?? -1)) + 1;
      expect(values).toEqual(newest(records));
      expect(records % BATCH).toBe(0);
      expect(records).toBeGreaterThanOrEqual(this.records);
      if (records > this.records) this.changes += 1;
      this.records = records;
      await sleep(5);
    }
  }
}

test(`killed ${KILLS} times at random accesses, a sink has whole batches served, and in the end the newest record of each key`, async () => {
  expect(newest(50)).toEqual([48, 49, 47]);
  const folder = temporaryFolder();
  await project(folder);
  let records = 0;
  let client: Client | undefined;
  const { killed, accesses } = await killRuns({
    ...{ folder, isLocal: true, kills: KILLS, random: new Random(`sink serving ${askedSeed ?? 1}`) },
    args: [TABLE, 'a.ndjson', '--batch-size', `${BATCH}`, '--materialize', VIEW],
    offer: async () => {
      await appendFile(join(folder, 'a.ndjson'), lines(records, records + 2 * BATCH));
      records += 2 * BATCH;
    },
    begin: async () => {
      client = new Client((await startServiceProcess(folder)).url);
    },
  });
  // What it knows of tables that others write is at most half a second old.
  while ((client?.records ?? 0) < records) await sleep(20);
  await client?.stop();
  expect(await client?.read()).toEqual(newest(records));
  process.stdout.write(
    `sink: killed ${killed} times at accesses up to ${accesses}, the client saw ${client?.changes} changes\n`,
  );
  expect(client?.changes).toBeGreaterThan(KILLS / 2);
});
