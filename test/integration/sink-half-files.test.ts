/** A sink that is killed while it writes a data file, as soon as the file is there and grows: nothing of the batch is in the table, and the next run writes it once. */
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { quoteLiteral } from '../../engine/index.js';
import { openProject, type Project } from '../../project/index.js';
import { planFiles, selectSnapshot } from '../../tables/index.js';
import { moraineOk, startMoraine } from '../support/cli.js';
import { seed as askedSeed, numberIn } from '../support/environment.js';
import { killAtHalfFile } from '../support/half-files.js';
import { KILLED_TABLE, LOCAL_CONFIG } from '../support/sink-kills.js';
import { schemaOf } from '../support/table-world.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { Random } from '../worlds/random.js';

/** Files that are half written. */
const HALF_FILES = numberIn('MORAINE_SINK_ROUNDS', /^[1-9]\d{0,3}$/) ?? 4;
/** Rows that take the engine a while. */
const LARGE_BATCH = 60_000;
/** A run may be over before anybody sees its file. */
const TRIES = 5;
/** Importing the number made it shorter. */

/** Records whose texts no codec makes much smaller. */
const longLines = (from: number, to: number): string =>
  Array.from(
    { length: to - from },
    (_, i) => `{"id":${from + i},"device":"${randomBytes(48).toString('hex')}"}\n`,
  ).join('');

/** A table whose files get a row group, and so grow, every 2,048 rows. */
async function tableOfSmallRowGroups(project: Project): Promise<void> {
  const { catalog, identifier } = await project.resolveTable(KILLED_TABLE);
  await catalog.createNamespace(identifier.namespace);
  const properties = new Map([['write.parquet.row-group-limit', '2048']]);
  await catalog.createTable(identifier, { schema: schemaOf({ id: 'long', device: 'string' }), properties });
}

/** Rows, different ids, the least and the greatest of the current snapshot's files, past our own scan; and rows of each batch. */
async function factsOf(
  project: Project,
): Promise<{ readonly ids: readonly number[]; readonly batches: readonly number[] }> {
  const table = await project.loadTable(KILLED_TABLE);
  const { schema, snapshot } = selectSnapshot(table.metadata);
  const { files } = await planFiles(table, { schema, snapshot });
  const paths = files.map(({ file }) => quoteLiteral(file.filePath)).join(', ');
  const sql = `SELECT count(*), count(DISTINCT id), min(id), max(id) FROM read_parquet([${paths}])`;
  const rows = paths === '' ? [[0, 0, 0, -1]] : await (await project.engine()).withConnection((one) => one.rows(sql));
  const added = table.metadata.snapshots.map(({ summary }) => Number(summary.get('added-records') ?? 0));
  return { ids: (rows[0] ?? []).map(Number), batches: added.filter((count) => count > 0) };
}

test(`killed ${HALF_FILES} times while a data file is half written, a sink leaves nothing of the batch in the table, and the next run writes it once`, async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'moraine.yaml'), LOCAL_CONFIG);
  const project = await openProject({ cwd: folder });
  onTestFinished(() => project.close());
  await tableOfSmallRowGroups(project);
  const random = new Random(`half files ${askedSeed ?? 1}`);
  const args = (file: string) => ['sink', 'run', KILLED_TABLE, file, '--batch-size', `${LARGE_BATCH}`];
  let batches = 0;
  const expectBatches = async (count: number): Promise<void> => {
    const rows = count * LARGE_BATCH;
    const whole = { ids: [rows, rows, 0, rows - 1], batches: Array.from({ length: count }, () => LARGE_BATCH) };
    expect(await factsOf(project)).toEqual(whole);
  };
  /** A file of so many batches. */
  const offer = (name: string, count: number): void =>
    writeFileSync(join(folder, name), longLines(batches * LARGE_BATCH, (batches + count) * LARGE_BATCH));

  offer('whole.ndjson', 1);
  await moraineOk(args('whole.ndjson'), { cwd: folder });
  batches += 1;
  await expectBatches(batches);
  const { summary } = (await project.loadTable(KILLED_TABLE)).metadata.snapshots.at(-1) ?? expect.unreachable();
  const fileBytes = Number(summary.get('added-files-size'));
  expect(fileBytes).toBeGreaterThan(LARGE_BATCH * 40);

  let [killed, misses] = [0, 0];
  while (killed < HALF_FILES) {
    const [name, written] = [`${killed}-${misses}.ndjson`, killed % 2];
    offer(name, 1 + written);
    const child = startMoraine(args(name), { cwd: folder });
    // The first batch, or the one after it.
    const bytes = random.int(5_000, Math.floor(fileBytes * 0.9));
    const half = { folder: join(folder, 'warehouse/iot/uplinks/data'), index: written, bytes };
    if (await killAtHalfFile(child, half)) {
      killed += 1;
      await expectBatches(batches + written);
    } else misses += 1;
    expect(misses).toBeLessThan(TRIES * HALF_FILES);
    await moraineOk(args(name), { cwd: folder });
    batches += 1 + written;
    await expectBatches(batches);
    rmSync(join(folder, name));
  }
  process.stdout.write(`half files: killed ${killed} times in files of ${fileBytes} bytes, ${misses} times too late\n`);
});
