/** A batch over very many partitions: bounded memory and open files, one file for each partition. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openEngine } from '../../engine/index.js';
import { currentSchema, currentSnapshot } from '../../iceberg/index.js';
import type { SinkRecords } from '../../sink/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, planFiles } from '../../tables/index.js';
import { SinkWorld } from '../support/sink-world.js';
import { IDENTIFIER } from '../support/table-fixture.js';
import { temporaryFolder } from '../support/temp-folder.js';

const PARTITIONS = 2_000;
const MIB = 2 ** 20;

/** A statement that gives rows whose partitions take turns. */
const selectOf = (rows: number): string =>
  `SELECT i::BIGINT AS id, 'device-' || (i % ${PARTITIONS}) AS category, (i / 2)::DOUBLE AS amount FROM range(${rows}) AS t(i)`;

function turns(rows: number): SinkRecords {
  const opened = { sql: selectOf(rows), rows: BigInt(rows), rejected: [], close: () => Promise.resolve() };
  return { count: rows, bytes: 30 * rows, open: () => Promise.resolve(opened) };
}

async function lab(memoryLimitBytes: number): Promise<SinkWorld> {
  const allowedDirectories = [realpathSync(tmpdir())];
  const tempDirectory = join(temporaryFolder(), 'tmp');
  const engine = await openEngine({ memoryLimitBytes, threads: 2, tempDirectory, allowedDirectories });
  onTestFinished(() => engine.close());
  return await SinkWorld.open(engine);
}

/** The files that the manifests list: paths, partitions and rows. */
async function filesOf(world: SinkWorld) {
  const table = await world.load();
  const [snapshot, schema] = [currentSnapshot(table.metadata), currentSchema(table.metadata)];
  const { files } = await planFiles(table, { snapshot, schema });
  return files.map(({ file }) => ({ path: file.filePath, name: String(file.partition[0]), rows: file.recordCount }));
}

/** Whether the files have these rows, each once, and the partitions that the manifests give them: DuckDB reads the files themselves. */
async function requireRows(world: SinkWorld, rows: number): Promise<void> {
  const files = await filesOf(world);
  const isRight = `bool_and(category = 'device-' || (id % ${PARTITIONS}) AND amount = id / 2)`;
  const sums = `count(*), count(DISTINCT id), min(id), max(id), ${isRight}`;
  expect(await world.rowsOf(IDENTIFIER, sums)).toEqual([[BigInt(rows), BigInt(rows), 0n, BigInt(rows - 1), true]]);
  const contents = (await world.rowsOf(IDENTIFIER, 'DISTINCT filename, category')) as [string, string][];
  const listed = files.map(({ path, name }) => `${path} ${name}`);
  expect(contents.map(([path, name]) => `${path} ${name}`).sort()).toEqual(listed.sort());
}

/** The most files that this process has had open at a time while it worked, beyond those before. Where there is no /proc, nobody counts. */
async function openedBy(work: () => Promise<void>): Promise<number> {
  const count = (): number => (existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0);
  const before = count();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, count());
  }, 1);
  await work().finally(() => clearInterval(timer));
  return most - before;
}

/** The rows in one batch of a sink. */
async function sinkAll(world: SinkWorld, rows: number): Promise<void> {
  const sink = await world.sink();
  await sink.writer(0).writeBatch(turns(rows), { partition: 'p', from: 0n, to: BigInt(rows) });
  expect((await sink.flush()).rows).toBe(BigInt(rows));
  await sink.close();
}

/** The rows as an append of a statement, which is not read twice unless it must be. */
async function append(world: SinkWorld, rows: number): Promise<void> {
  const table = await world.load();
  const files = await world.engine.withConnection((connection) =>
    stageRows(connection, table, { select: selectOf(rows), namePrefix: 'appended' }),
  );
  await commitAppend(table, { files });
}

test.each([
  ['five rows of a batch', 5, sinkAll],
  ['two hundred rows of a batch', 200, sinkAll],
  ['five rows of an append', 5, append],
])('%s in each of 2,000 partitions become a file for each, with 64 MiB', async (_, each, write) => {
  const world = await lab(64 * MIB);
  const rows = each * PARTITIONS;
  const opened = await openedBy(() => write(world, rows));
  // 64 partitions or a few more are written at a time.
  expect(opened).toBeLessThan(90);
  const found = (await filesOf(world)).map(({ name, rows: count }) => `${name} ${count}`);
  expect(found.sort()).toEqual(Array.from({ length: PARTITIONS }, (_, index) => `device-${index} ${each}`).sort());
  await requireRows(world, rows);
});
