/** Parts of Parquet files that PyArrow wrote: DuckDB reads from them what it reads of the same columns and row groups from the whole file. */
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FileFooter, type FilePart, parquetReader, quoteLiteral } from '../../engine/index.js';
import { poisoned } from '../support/poisoned-cache.js';
import { describeInterop, python } from '../support/python.js';
import { type Harness, openHarness } from '../unit/engine/harness.js';

const COLUMNS = ['id', 'text', 'few', 'point', 'counts', 'at', 'half', 'price'];
const GROUP_ROWS = 700;
const GROUPS = 8;
const TRAILER_BYTES = 8;

let harness: Harness;
let files: readonly string[];
beforeAll(async () => {
  harness = await openHarness();
  files = await python<string[]>('write_parts.py', harness.folder).catch(() => []);
});
afterAll(() => harness.close());

async function footerOf(path: string): Promise<FileFooter> {
  const content = await readFile(path);
  const length = content.readUInt32LE(content.length - TRAILER_BYTES);
  const start = content.length - TRAILER_BYTES - length;
  return new FileFooter(content.subarray(start, start + length), content.length);
}

/** A file with the ranges of a part at their places, and other pages everywhere else. */
async function cut(path: string, part: FilePart, to: string): Promise<void> {
  const footer = await footerOf(path);
  const content = await readFile(path);
  const file = await open(to, 'w');
  await file.truncate(footer.offset);
  for (const { offset, length } of footer.ranges(part)) await file.write(content, offset, length, offset);
  const tail = footer.tailOf(part);
  await file.write(tail, 0, tail.length, footer.offset);
  await file.close();
  await writeFile(to, poisoned(await readFile(to)));
}

describeInterop('parts of files', () => {
  const parts: readonly FilePart[] = [
    { columns: [0], rowGroups: [0] },
    { columns: [1, 5], rowGroups: [1, 2, 7] },
    { columns: [3], rowGroups: [0, 3, 6] },
    { columns: [2, 4], rowGroups: [4] },
    { columns: [0, 6, 7], rowGroups: [5, 6] },
    { columns: [0, 1, 2, 3, 4, 5, 6, 7], rowGroups: [0, 1, 2, 3, 4, 5, 6, 7] },
    { columns: [4], rowGroups: [] },
  ];

  it('have the rows of their row groups and columns, and nothing else', async () => {
    expect(files).toEqual(['indexed', 'v1', 'v2']);
    for (const name of files) {
      const path = join(harness.folder, `${name}.parquet`);
      for (const [index, part] of parts.entries()) {
        const to = join(harness.folder, `${name}-${index}.parquet`);
        await cut(path, part, to);
        await harness.engine.withConnection(async (connection) => {
          const names = part.columns.map((column) => COLUMNS[column]);
          const described = await connection.rows(`SELECT column_name FROM (DESCRIBE FROM ${parquetReader([to])})`);
          expect(described.flat()).toEqual(names);
          const found = await connection.rows(`SELECT to_json(t)::VARCHAR FROM ${parquetReader([to])} AS t`);
          const wanted = part.rowGroups.map((group) => `file_row_number // ${GROUP_ROWS} = ${group}`).join(' OR ');
          const whole = `(SELECT ${names.map((column) => `"${column}"`).join(', ')} FROM ${parquetReader([path])} WHERE ${wanted === '' ? 'false' : wanted} ORDER BY file_row_number)`;
          expect(found).toEqual(await connection.rows(`SELECT to_json(t)::VARCHAR FROM ${whole} AS t`));
          expect(found).toHaveLength(
            part.rowGroups.reduce((sum, group) => sum + (group === GROUPS - 1 ? 5000 - 7 * GROUP_ROWS : GROUP_ROWS), 0),
          );
        });
      }
    }
  });

  it('are described by their own footers: no index, no other offset', async () => {
    const path = join(harness.folder, 'indexed.parquet');
    const to = join(harness.folder, 'described.parquet');
    await cut(path, { columns: [1, 5], rowGroups: [2] }, to);
    await harness.engine.withConnection(async (connection) => {
      const metadata = (of: string) =>
        `SELECT path_in_schema, row_group_num_rows, data_page_offset, total_compressed_size, stats_min_value, stats_max_value, bloom_filter_offset FROM parquet_metadata(${quoteLiteral(of)})`;
      const whole = await connection.rows(`${metadata(path)} WHERE row_group_id = 2 AND column_id IN (1, 7)`);
      expect(await connection.rows(metadata(to))).toEqual(whole);
      expect(whole.map(([name]) => name)).toEqual(['text', 'at']);
    });
    expect((await footerOf(to)).rowGroupCount).toBe(1);
  });

  it('tell times in microseconds, and bounds of row groups', async () => {
    const footer = await footerOf(join(harness.folder, 'v2.parquet'));
    expect([5, 0].map((column) => footer.isInMicroseconds(column))).toEqual([true, false]);
    const facts = footer.facts(0, 1);
    expect(facts?.values).toBe(700n);
    expect(facts?.nulls).toBe(0n);
    expect([facts?.lower, facts?.upper].map((bound) => Buffer.from(bound ?? []).readBigInt64LE())).toEqual([
      700n,
      1399n,
    ]);
    expect(footer.facts(3, 0)).toBe(undefined);
  });
});
