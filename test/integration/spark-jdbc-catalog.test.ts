/** Spark's JdbcCatalog and Moraine on one SQLite file: Spark keeps a read lock from its first read on, unless its settings keep it from looking for the catalog's tables. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { moraine, moraineOk } from '../support/cli.js';
import { projectRoot } from '../support/paths.js';
import { sparkEnvironment, sqliteJdbc } from '../support/spark.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** A project with a table of one row. */
async function projectWithRow() {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'moraine.yaml'), 'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\n');
  writeFileSync(join(folder, 'row.jsonl'), '{"id": 1}\n');
  await moraineOk(['table', 'append', '--create', 'demo.t', 'row.jsonl'], { cwd: folder });
  return { folder, append: () => moraine(['table', 'append', 'demo.t', 'row.jsonl'], { cwd: folder }) };
}

/** Spark in a process of its own that idles between reads. `count` is the number of rows that Spark reads. */
async function idlingSpark(folder: string, init: boolean) {
  const { interpreter, jar, env } = await sparkEnvironment(projectRoot);
  const program = join(projectRoot, 'test/interop/programs/hold_sqlite_catalog.py');
  const args = [
    jar,
    await sqliteJdbc(),
    'local',
    join(folder, 'catalog.db'),
    join(folder, 'warehouse'),
    'demo.t',
    `${init}`,
  ];
  const spark = spawn(interpreter, ['-W', 'ignore', program, ...args], {
    cwd: folder,
    env: { ...process.env, ...env, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(spark, 'exit');
  const end = async () => {
    spark.stdin.end();
    await ended;
  };
  onTestFinished(end);
  const answers = createInterface({ input: spark.stdout })[Symbol.asyncIterator]();
  const next = async () => Number((await answers.next()).value);
  const first = await next();
  return {
    first,
    count: () => {
      spark.stdin.write('\n');
      return next();
    },
  };
}

test('while Spark idles a write says what blocks it and what to do, and then both work', async () => {
  const blocked = await projectWithRow();
  expect((await idlingSpark(blocked.folder, true)).first).toBe(1);
  const refused = await blocked.append();
  expect(refused.code).toBe(8);
  expect(refused.stderr).toMatch(
    /catalog\.db: .*locked for 10000 ms\. .*jdbc\.init-catalog-tables .*\[CATALOG_UNAVAILABLE\]/,
  );

  const free = await projectWithRow();
  const spark = await idlingSpark(free.folder, false);
  expect(spark.first).toBe(1);
  expect(await free.append()).toMatchObject({ code: 0 });
  expect(await spark.count()).toBe(2);
  expect(await free.append()).toMatchObject({ code: 0 });
});
