/** Every row of tables that Apache Spark wrote, as Spark reads them: `test/fixtures/spark/make_tables.py`. */
import { parse } from 'lossless-json';
import { describe, expect, it } from 'vitest';
import { tableScan } from '../../cli/actions/table-scan.js';
import type { CommandContext } from '../../cli/context.js';
import { canonical, SPARK_TABLES, sparkMetadata } from '../support/spark-tables.js';

/** Runs `moraine table scan` in this process. */
async function scan(location: string, args: readonly string[]): Promise<string[]> {
  const options: Record<string, string> = {};
  for (let at = 0; at < args.length; at += 2) options[(args[at] ?? '').slice(2)] = args[at + 1] ?? '';
  const chunks: Uint8Array[] = [];
  const context = {
    globals: {},
    signal: new AbortController().signal,
    stdout: { write: async (chunk: Uint8Array) => void chunks.push(Buffer.from(chunk)) },
    note: () => undefined,
    progress: { update: () => undefined, clear: () => undefined, done: () => undefined },
  } as unknown as CommandContext;
  await tableScan(context, [location], options);
  const lines = Buffer.concat(chunks).toString('utf8').split('\n');
  return lines.flatMap((line) => (line === '' ? [] : [canonical(parse(line))])).sort();
}

const tables = Object.entries(SPARK_TABLES);
const readable = tables.filter(([name, { refused }]) => refused === null && name !== 'vectors_many_rows');

describe('tables of Apache Spark', () => {
  it.each(readable)('%s', async (name, { rows, reads }) => {
    expect(await scan(sparkMetadata(name), [])).toEqual(rows.map(canonical).sort());
    for (const read of reads) {
      expect(await scan(sparkMetadata(name), read.args), read.args.join(' ')).toEqual(read.rows.map(canonical).sort());
    }
  });

  it('vectors_many_rows: count, sum, smallest and largest id', async () => {
    const ids = (await scan(sparkMetadata('vectors_many_rows'), [])).map((row) => BigInt(/\d+/.exec(row)?.[0] ?? ''));
    const total = ids.reduce((sum, id) => sum + id, 0n);
    const low = ids.reduce((least, id) => (id < least ? id : least));
    const high = ids.reduce((most, id) => (id > most ? id : most));
    const [found] = SPARK_TABLES['vectors_many_rows']?.rows ?? [];
    expect(`{n:${ids.length},total:${total},low:${low},high:${high}}`).toBe(canonical(found));
  });

  it.each(tables.filter(([, { refused }]) => refused !== null))('%s is refused by name', async (name, { refused }) => {
    await expect(scan(sparkMetadata(name), [])).rejects.toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
      message: expect.stringMatching(new RegExp(refused ?? '', 'i')) as string,
    });
  });
});
