import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, openEngine } from '../../../engine/index.js';

let folder: string;
let engine: Engine;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'engine-'));
  engine = await openEngine({
    memoryLimitBytes: 64_000_000,
    tempLimitBytes: 16_000_000,
    threads: 2,
    tempDirectory: join(folder, 'temp'),
    allowedDirectories: [join(folder, 'data')],
  });
});

afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

const rows = (sql: string) => engine.withConnection((connection) => connection.rows(sql));

describe('a hardened engine', () => {
  it('refuses a file outside the allowed folders, also one whose name only begins like one', async () => {
    await writeFile(join(folder, 'data-not.csv'), 'a\n1\n');
    await expect(rows(`FROM read_csv('${folder}/data-not.csv')`)).rejects.toMatchObject({ code: 'LOCATION_REFUSED' });
    await expect(rows(`FROM read_text('/etc/hostname')`)).rejects.toMatchObject({
      code: 'LOCATION_REFUSED',
      details: { path: '/etc/hostname' },
    });
  });

  it('cannot be changed by a statement', async () => {
    await expect(rows('SET enable_external_access = true')).rejects.toMatchObject({ code: 'INTERNAL' });
    await expect(rows('SET threads = 7')).rejects.toMatchObject({ code: 'INTERNAL' });
    await expect(rows('INSTALL httpfs')).rejects.toThrow();
  });

  it('keeps nothing of the files that it has read', async () => {
    const path = join(folder, 'data', 'read.parquet');
    await mkdir(join(folder, 'data'), { recursive: true });
    const other = await DuckDBInstance.create(':memory:');
    await (await other.connect()).run(`COPY (SELECT range AS a FROM range(100000)) TO '${path}'`);
    other.closeSync();
    expect(await rows(`SELECT count(DISTINCT a) FROM read_parquet('${path}')`)).toEqual([[100_000n]]);
    const kept = await rows('SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = $$EXTERNAL_FILE_CACHE$$');
    expect(kept).toEqual([[0n]]);
  });

  it('reads times in UTC', async () => {
    expect(await rows(`SELECT (TIMESTAMPTZ '2001-07-01 00:00:00')::VARCHAR`)).toEqual([['2001-07-01 00:00:00+00']]);
  });

  it('says out of memory, not a bug, when an operator cannot spill', async () => {
    const sql = 'SELECT max(x) FROM (SELECT list(range) AS x FROM range(30_000_000) GROUP BY range % 3)';
    await expect(rows(sql)).rejects.toMatchObject({ code: 'ENGINE_OUT_OF_MEMORY' });
  });

  it('says so when the temporary disk is used up', async () => {
    const sql = 'CREATE TEMP TABLE wide AS SELECT hash(range) AS a, hash(range + 1) AS b FROM range(30_000_000)';
    await expect(rows(sql)).rejects.toMatchObject({ code: 'ENGINE_OUT_OF_MEMORY' });
  });

  it('interrupts a running statement when the signal is aborted', async () => {
    const abort = new AbortController();
    const running = engine.withConnection(
      (connection) => connection.rows('SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b'),
      { signal: abort.signal },
    );
    setTimeout(() => abort.abort(), 50);
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(engine.withConnection((c) => c.rows('SELECT 1'), { signal: abort.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
  });

  it('keeps statement text out of messages', async () => {
    const error = await rows(`SELECT 'secret-word', no_such_column FROM range(3)`).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'INTERNAL' });
    expect((error as Error).message).not.toContain('secret-word');
  });
});
