/** examples/training-set/README.md is run as it stands; PyIceberg is the other engine. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, inject, it } from 'vitest';
import { moraine, moraineOk } from '../support/cli.js';
import { runPage } from '../support/documented-page.js';
import { projectRoot } from '../support/paths.js';
import { describeInterop } from '../support/python.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** The expected rows, by hand: the readings of `data/readings.csv` at the times of `data/failures.csv`. */
const LINES = [
  '{"machine_id":1,"event_timestamp":"2026-05-04T08:30:00.000000Z","failed":false,"temperature":61.5,"vibration":0.2}',
  '{"machine_id":1,"event_timestamp":"2026-05-04T10:00:00.000000Z","failed":true,"temperature":64.5,"vibration":null}',
  '{"machine_id":2,"event_timestamp":"2026-05-04T11:00:00.000000Z","failed":false,"temperature":59.5,"vibration":0.13}',
  '{"machine_id":3,"event_timestamp":"2026-05-04T09:59:59.000000Z","failed":true,"temperature":74.5,"vibration":0.41}',
  '{"machine_id":3,"event_timestamp":"2026-05-04T12:00:00.000000Z","failed":false,"temperature":null,"vibration":null}',
  '{"machine_id":3,"event_timestamp":"2026-05-05T08:00:00.000000Z","failed":false,"temperature":71.0,"vibration":0.36}',
  '{"machine_id":4,"event_timestamp":"2026-05-05T09:00:00.000000Z","failed":false,"temperature":null,"vibration":null}',
];
const COLUMNS =
  '[["machine_id","long"],["event_timestamp","timestamptz"],["failed","boolean"],["temperature","double"],["vibration","double"]]';

/** The digest as docs/offline-store.md defines it. */
function digestOf(lines: readonly string[]): string {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const sum = lines.reduce((total, line) => total + BigInt(`0x${sha256(line)}`), 0n) % (1n << 256n);
  return sha256(`moraine-rows-1\n${COLUMNS}\n${lines.length}\n${sum.toString(16).padStart(64, '0')}\n`);
}

function exampleFolder(): string {
  const folder = temporaryFolder();
  cpSync(join(projectRoot, 'examples/training-set'), folder, { recursive: true });
  for (const made of ['.moraine', 'warehouse', 'failures_may.parquet']) {
    rmSync(join(folder, made), { recursive: true, force: true }); // a reader's own run in the clone
  }
  return folder;
}

describeInterop('examples/training-set', () => {
  const programs = () => new Map([['python ', `'${inject('python')}' `]]);

  it('goes from a raw table to a training file, and back after another engine changed it', {
    timeout: 300_000,
  }, async () => {
    const cwd = exampleFolder();
    await runPage('examples/training-set/README.md', cwd, programs());
    const digest = digestOf(LINES);
    expect(JSON.parse(await moraineOk(['features', 'replay', 'failures_may', '--json'], { cwd }))).toEqual({
      dataset: 'failures_may',
      recorded: digest,
      rows: '7',
      stored: digest,
      storedRows: '7',
      recomputed: digest,
      recomputedRows: '7',
      differing: [],
      matches: true,
      storageTraffic: null,
    });
    expect(readdirSync(cwd)).toContain('failures_may.parquet');
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const reader = await connection.runAndReadAll(
      `SELECT machine_id::INTEGER, temperature, vibration FROM '${join(cwd, 'failures_may.parquet')}'`,
    );
    expect(reader.getRows()).toEqual(
      LINES.map((line) => JSON.parse(line) as Record<string, unknown>).map((row) => [
        row['machine_id'],
        row['temperature'],
        row['vibration'],
      ]),
    );
    connection.closeSync();
  });

  it('without a pin the snapshot goes, and the replay says so', { timeout: 300_000 }, async () => {
    const cwd = exampleFolder();
    const append = ['table', 'append', 'plant.readings'];
    await moraineOk([...append, 'data/readings.csv', '--create'], { cwd });
    await moraineOk(['apply'], { cwd });
    const request = ['features', 'historical', '--features', 'failure_model', '--entities', 'data/failures.csv'];
    await moraineOk([...request, '--save-as', 'failures_may.parquet'], { cwd });
    await promisify(execFile)(inject('python') ?? '', ['change_table.py'], { cwd });
    const replayed = await moraine(['features', 'replay', 'failures_may'], { cwd });
    expect(replayed).toMatchObject({ code: 3, stdout: '' });
    expect(replayed.stderr).toContain('[SNAPSHOT_EXPIRED]');
  });
});
