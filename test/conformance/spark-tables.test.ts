/** Every row of tables that Apache Spark wrote, as Spark reads them: the programs in `test/fixtures/spark`. */
import { parse } from 'lossless-json';
import { describe, expect, it } from 'vitest';
import { scanRows } from '../support/scan-rows.js';
import {
  canonical,
  SPARK_IDENTITY_TABLES,
  SPARK_TABLES,
  type SparkTable,
  sparkIdentityMetadata,
  sparkMetadata,
} from '../support/spark-tables.js';

async function scan(location: string, args: readonly string[]): Promise<string[]> {
  const options: Record<string, string> = {};
  for (let at = 0; at < args.length; at += 2) options[(args[at] ?? '').slice(2)] = args[at + 1] ?? '';
  return (await scanRows(location, options)).map((line) => canonical(parse(line))).sort();
}

async function expectReads(location: string, { rows, reads }: SparkTable): Promise<void> {
  expect(await scan(location, [])).toEqual(rows.map(canonical).sort());
  for (const read of reads) {
    expect(await scan(location, read.args), read.args.join(' ')).toEqual(read.rows.map(canonical).sort());
  }
}

const tables = Object.entries(SPARK_TABLES);
const readable = tables.filter(([name, { refused }]) => refused === null && name !== 'vectors_many_rows');

describe('tables of Apache Spark', () => {
  it.each(readable)('%s', (name, table) => expectReads(sparkMetadata(name), table));

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

describe('tables of Apache Spark with identity partitions, whose folders are called COLUMN=VALUE', () => {
  it.each(Object.entries(SPARK_IDENTITY_TABLES))('%s', (name, table) =>
    expectReads(sparkIdentityMetadata(name), table),
  );
});
