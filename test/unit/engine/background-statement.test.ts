/** A statement that runs in the background answers and fails as one that the caller helps with. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, openEngine } from '../../../engine/index.js';

let engine: Engine;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'background-'));
  const tempDirectory = join(folder, 'temp');
  engine = await openEngine({ memoryLimitBytes: 500_000_000, threads: 2, tempDirectory, allowedDirectories: [folder] });
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

async function failure(sql: string, how: 'rows' | 'rowsInBackground'): Promise<unknown> {
  return await engine.withConnection(async (connection) => {
    const error = await connection[how](sql).catch((reason: unknown) => reason);
    const { code, message } = error as { code: string; message: string };
    return { code, message };
  });
}

describe('statements in the background', () => {
  it('gives the rows', async () => {
    const sql = "SELECT i, 'x' || i FROM range(3) AS t(i) ORDER BY i DESC";
    const rows = await engine.withConnection((connection) => connection.rowsInBackground(sql));
    expect(rows).toEqual([
      [2n, 'x2'],
      [1n, 'x1'],
      [0n, 'x0'],
    ]);
  });

  it('fails with the same error', async () => {
    const damaged = join(folder, 'damaged.parquet');
    writeFileSync(damaged, 'PAR1 and nothing else');
    const failing = [
      "SELECT error('own words') FROM range(10)",
      `SELECT * FROM read_parquet('${damaged}')`,
      "SELECT CAST('x' || i AS INTEGER) FROM range(10) AS t(i)",
      'SELECT no_such_column',
    ];
    for (const sql of failing) {
      const error = await failure(sql, 'rowsInBackground');
      expect(error).toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/) as string });
      expect(error, sql).toEqual(await failure(sql, 'rows'));
    }
  });

  it('stops when it is aborted, and the connection works on', async () => {
    const controller = new AbortController();
    const endless = 'SELECT count(*) FROM range(1000000000) AS a(i), range(1000000) AS b(j) WHERE hash(i, j) = 1';
    const run = engine.withConnection((connection) => connection.rowsInBackground(endless), {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(new Error('enough')), 100);
    await expect(run).rejects.toBeDefined();
    expect(await engine.withConnection((connection) => connection.rows('SELECT 1'))).toEqual([[1]]);
  });
});
