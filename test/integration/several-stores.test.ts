/** A project with tables in a folder and in two stores, by the configuration of docs/storage.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import type { ConfigInput } from '../../config/index.js';
import { createMoraine } from '../../index.js';
import { jsonLines } from '../support/cli.js';
import { codeBlocks } from '../support/code-blocks.js';
import { projectRoot } from '../support/paths.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { live, localAnswers, makeProject, SECRET } from '../support/shared-project.js';
import { temporaryFolder } from '../support/temp-folder.js';

let lake: S3Server;
let archive: S3Server;
beforeAll(async () => {
  [lake, archive] = await Promise.all([startS3Server(), startS3Server()]);
  await lake.makeBucket('lake');
  await archive.makeBucket('archive');
});
afterAll(() => Promise.all([lake.close(), archive.close()]));

const TABLE = 'shop.customer_orders';
const APPEND = ['data/customer_orders.csv', '--create', '--partition', 'month(event_ts)'];

async function keysIn({ client }: S3Server, Bucket: string): Promise<string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
  return Contents.map(({ Key = '' }) => Key);
}

test('folders and two stores in one project: each table lies in its place, and one query reads all of them', async () => {
  const local = await localAnswers(lake);
  const project = await makeProject(lake, {
    page: 'docs/storage.md',
    heading: 'Several stores, and folders beside them',
    archive,
  });
  const here = await live(project);
  expect(here.answers).toEqual(local.answers);
  expect(here.rows).toEqual(local.rows);
  expect(here.doctor).toContain('storage s3://lake/several: writable');
  expect(here.doctor).toContain('storage s3://archive: writable');
  expect(await keysIn(lake, 'lake')).toEqual([]);
  expect(await keysIn(archive, 'archive')).toEqual([]);

  for (const catalog of ['lake', 'archive']) await project.run('table', 'append', `${catalog}/${TABLE}`, ...APPEND);
  expect((await keysIn(lake, 'lake')).every((key) => key.startsWith('several/shop/customer_orders/'))).toBe(true);
  expect((await keysIn(archive, 'archive')).every((key) => key.startsWith('shop/customer_orders/'))).toBe(true);

  // 160 rows of a key and a time each, once in each store and twice in the folder.
  const sql = `SELECT h.customer_id, h.event_ts, h.orders + l.orders + a.orders AS orders FROM h
    JOIN l USING (customer_id, event_ts) JOIN a USING (customer_id, event_ts)`;
  const tables = [`h=${TABLE}`, `l=lake/${TABLE}`, `a=archive/${TABLE}`].flatMap((table) => ['--table', table]);
  const joined = jsonLines(
    await project.run(
      'features',
      'pull-all',
      '--sql',
      sql,
      ...tables,
      '--keys',
      'customer_id',
      '--timestamp',
      'event_ts',
    ),
  ) as { readonly orders: number | null }[];
  const orders = (rows: readonly { readonly orders: number | null }[]) =>
    rows.reduce((sum, row) => sum + (row.orders ?? 0), 0);
  expect(joined).toHaveLength(320);
  expect(orders(joined)).toBe(3 * orders(local.rows.map((row) => JSON.parse(row) as { orders: number | null })));

  // A view over a table of a store, materialized into the folder.
  const definitions = join(project.folder, 'features.yaml');
  writeFileSync(definitions, readFileSync(definitions, 'utf8').replace(TABLE, `lake/${TABLE}`));
  await project.run('apply');
  await project.run('materialize', 'customer_activity');
  expect(
    await project.run('online', 'get', 'customer_activity', '--entity', 'customer_id=3', '--at', '2026-01-31'),
  ).toBe(local.answers[1]);

  const before = await keysIn(archive, 'archive');
  for (const catalog of ['lake', 'archive']) {
    await project.run('maintain', `${catalog}/${TABLE}`, '--orphans-older-than', '0s', '--allow-young');
    expect(jsonLines(await project.run('table', 'scan', `${catalog}/${TABLE}`))).toHaveLength(160);
  }
  expect(await keysIn(archive, 'archive')).toEqual(before);
  for (const { stdout, stderr } of project.outputs) expect(stdout + stderr).not.toContain(SECRET);
});

test('options beside each catalog, as PyIceberg has them, reach its store', async () => {
  const page =
    readFileSync(join(projectRoot, 'docs/storage.md'), 'utf8').split('### Options beside a catalog')[1] ?? '';
  const values: Readonly<Record<string, string | undefined>> = {
    LAKE_ENDPOINT: lake.options['s3.endpoint'],
    ARCHIVE_ENDPOINT: archive.options['s3.endpoint'],
  };
  const text = codeBlocks(page)[0]?.content.replace(/\$\{(\w+)\}/g, (_, name: string) => values[name] ?? SECRET) ?? '';
  const cwd = temporaryFolder();
  const moraine = await createMoraine({ cwd, config: parse(text) as ConfigInput, fileFolders: [cwd] });
  onTestFinished(() => moraine.close());
  writeFileSync(join(cwd, 'rows.csv'), 'id\n1\n2\n');
  for (const catalog of ['lake', 'archive']) {
    await moraine.appendFile(`${catalog}/shop.t`, join(cwd, 'rows.csv'), { create: true });
  }
  const dataFiles = async (server: S3Server, bucket: string) =>
    (await keysIn(server, bucket)).filter((key) => key.startsWith('beside/shop/t/data/')).length;
  expect([await dataFiles(lake, 'lake'), await dataFiles(archive, 'archive')]).toEqual([1, 1]);
  for (const [server, bucket] of [
    [lake, 'archive'],
    [archive, 'lake'],
  ] as const) {
    await expect(keysIn(server, bucket)).rejects.toThrow('The specified bucket does not exist');
  }
});
