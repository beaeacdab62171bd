/** An entity frame of ten million rows, which alone is more than the engine may hold: it spills, and every row has its answer, in order. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { moraineOk } from '../support/cli.js';
import { projectRoot } from '../support/paths.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';

const ENTITY_ROWS = 10_000_000;
/** The source has one row a second, of each sensor in turn, whose value is its second. */
const SOURCE_ROWS = 1_000_000;
const SENSORS = 1_000;
const LIMIT_MB = 200;
/** The memory that a process may hold beside the engine. */
const REST_MB = 300;

/** Row `n`: any sensor, some unknown; any second, some after the last row of the source. */
const FRAME = `SELECT n, (hash(n) % ${SENSORS + 100})::BIGINT AS sensor, make_timestamptz(((n * 7919) % ${SOURCE_ROWS * 1.2})::BIGINT * 1000000) AS event_timestamp FROM range(${ENTITY_ROWS}) t(n)`;

/** The last second, at or before that of the row, at which the sensor had its turn. */
const LAST = `least(epoch(event_timestamp)::BIGINT, ${SOURCE_ROWS - 1})`;
const TURN = `${LAST} - ((${LAST} - sensor) % ${SENSORS} + ${SENSORS}) % ${SENSORS}`;
const EXPECTED = `CASE WHEN sensor < ${SENSORS} AND ${TURN} >= 0 THEN (${TURN})::DOUBLE END`;

test('ten million entity rows within the memory limit', { timeout: 600_000 }, async () => {
  const folder = temporaryFolder();
  const small = await SmallProject.createIn(folder);
  await small.append(SOURCE_ROWS, 0, SENSORS);
  await small.project.close();
  const config = join(folder, 'moraine.yaml');
  writeFileSync(config, readFileSync(config, 'utf8').replace('500MB', `${LIMIT_MB}MB`));
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  await connection.run(`COPY (${FRAME}) TO '${folder}/frame.parquet' (FORMAT parquet)`);

  const peakFile = join(folder, 'peak');
  const preload = pathToFileURL(join(projectRoot, 'test/support/peak-memory.mjs')).href;
  const env = { NODE_OPTIONS: `--import=${preload}`, MORAINE_TEST_PEAK_FILE: peakFile };
  const request = ['--features', small.view, '--entities', 'frame.parquet', '--out', 'answer.parquet'];
  await moraineOk(['features', 'historical', ...request], { cwd: folder, env });

  const answer = `read_parquet('${folder}/answer.parquet', file_row_number = true)`;
  const wrong = `n <> file_row_number OR reading IS DISTINCT FROM ${EXPECTED}`;
  const counts = `SELECT count(*), count(reading), count(*) FILTER (WHERE ${wrong}) FROM ${answer}`;
  const [[rows, found, differing] = []] = (await connection.runAndReadAll(counts)).getRows();
  expect([rows, differing]).toEqual([BigInt(ENTITY_ROWS), 0n]);
  expect(Number(found)).toBeGreaterThan(ENTITY_ROWS * 0.9);
  expect(Number(readFileSync(peakFile, 'utf8')) / 1024).toBeLessThan(LIMIT_MB + REST_MB);
  connection.closeSync();
});
