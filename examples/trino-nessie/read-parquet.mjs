/**
 * Reads `data/*.parquet` of a table with plain DuckDB, as services do that ask Trino for the `"$path"` of a row and take its folder for the table,
 * and compares the rows with those that the table has.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { DuckDBInstance } from '@duckdb/node-api';
import { query } from './trino.mjs';

const { S3_ENDPOINT, AWS_REGION } = process.env;
const TABLE = 'gold.customer_aggregates';

const { rows: table } = await query(
  `SELECT customer_id, format_datetime(updated_at, 'yyyy-MM-dd'), avg_order_value FROM ${TABLE}`,
);
const {
  rows: [[path]],
} = await query(`SELECT "$path" FROM ${TABLE} LIMIT 1`);
const [, Bucket, Prefix] = /^s3:\/\/([^/]+)\/(.*\/)[^/]*$/.exec(path);

// DuckDB could read them from the store by its extension httpfs; a copy needs no extension.
const folder = mkdtempSync(join(tmpdir(), 'data-'));
const s3 = new S3Client({ endpoint: S3_ENDPOINT, region: AWS_REGION, forcePathStyle: true });
const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix }));
for (const { Key } of Contents.filter(({ Key }) => Key.endsWith('.parquet'))) {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  writeFileSync(join(folder, basename(Key)), await Body.transformToByteArray());
}
const connection = await (await DuckDBInstance.create()).connect();
await connection.run("SET TimeZone = 'UTC'");
const reader = await connection.runAndReadAll(`
  SELECT customer_id, strftime(updated_at, '%Y-%m-%d'), avg_order_value
  FROM read_parquet('${folder}/*.parquet', union_by_name = true) ORDER BY ALL`);
rmSync(folder, { recursive: true });
const files = reader.getRows();

const textOf = ([customer, day, value]) => `customer ${customer}, ${day}: avg_order_value ${Number(value)}`;
const count = (rows) =>
  `${rows.length} rows, ${new Set(rows.flatMap(([customer]) => (customer === null ? [] : [String(customer)]))).size} customers`;
const known = new Set(table.map(textOf));
const foreign = files.filter(([customer]) => customer === null);
process.stdout.write(`Trino, the table:       ${count(table)}\nDuckDB, data/*.parquet: ${count(files)}\n`);
for (const row of files)
  if (row[0] !== null && !known.has(textOf(row))) process.stdout.write(`  not in the table: ${textOf(row)}\n`);
process.stdout.write(`  not in the table: ${foreign.length} rows without values, from files of deletes\n`);
