/** Tables that move from a folder to a bucket, to a bucket of another server, and back; beside writers, and through processes that are killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createMoraine, type Moraine } from '../../index.js';
import { loadTable } from '../../tables/index.js';
import { startCarelessStore } from '../support/careless-store.js';
import { MAIN } from '../support/cli.js';
import { failureOf } from '../support/error-code.js';
import { expectIntact } from '../support/intact-table.js';
import { filesWith } from '../support/moved-table.js';
import { python } from '../support/python.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { lastingFolder } from '../support/temp-folder.js';

let lake: S3Server;
let archive: S3Server;
const lasting = lastingFolder();
const folder = lasting.path;
beforeAll(async () => {
  [lake, archive] = await Promise.all([startS3Server(), startS3Server()]);
  await lake.makeBucket('lake');
  await archive.makeBucket('archive');
});
afterAll(() => Promise.all([lake.close(), archive.close()]));
afterAll(() => lasting.remove());

const configOf = () => ({
  catalog: 'local',
  catalogs: {
    local: { uri: 'local.db', warehouse: 'warehouse' },
    lake: { uri: 'lake.db', warehouse: 's3://lake/warehouse' },
    archive: { uri: 'archive.db', warehouse: 's3://archive' },
    back: { uri: 'back.db', warehouse: 'back' },
  },
  storage: {
    options: lake.options,
    stores: { archive: { roots: ['s3://archive'], options: archive.options } },
  },
  engine: { threads: 1 },
});

async function open(): Promise<Moraine> {
  const moraine = await createMoraine({ cwd: folder, config: configOf(), fileFolders: [folder] } as never);
  onTestFinished(() => moraine.close());
  return moraine;
}

async function append(moraine: Moraine, name: string, ids: readonly number[]): Promise<void> {
  const file = join(folder, 'rows.csv');
  writeFileSync(file, `id,part\n${ids.map((id) => `${id},p${id % 3}\n`).join('')}`);
  await moraine.appendFile(name, file, { create: true, partition: 'part' });
}

/** The ids at every snapshot of a table in a folder, as PyIceberg reads them. */
function asPyIcebergReads(catalog: 'local' | 'back', name: string): Promise<Record<string, readonly number[]>> {
  const warehouse = join(folder, configOf().catalogs[catalog].warehouse);
  const properties = { type: 'sql', name: catalog, uri: `sqlite:///${join(folder, `${catalog}.db`)}`, warehouse };
  return python('read_snapshots.py', JSON.stringify(properties), name);
}

test('rows, deletes and history survive each kind of move; PyIceberg reads every snapshot before and after', async () => {
  const moraine = await open();
  await append(moraine, 'local/shop.t', [1, 2, 3, 4, 5, 6]);
  await append(moraine, 'local/shop.t', [7, 8, 9]);
  await moraine.deleteRows('local/shop.t', 'id = 2 OR id = 9');
  await moraine.deleteRows('local/shop.t', 'id = 3');
  await append(moraine, 'local/shop.t', [10]);
  const before = await asPyIcebergReads('local', 'shop.t');
  expect(Object.values(before).map((ids) => ids.length)).toEqual([6, 9, 7, 6, 7]);
  const { metadata } = await moraine.project.loadTable('local/shop.t');

  for (const [from, to] of [
    ['local', 'lake'],
    ['lake', 'archive'],
    ['archive', 'back'],
  ] as const) {
    await moraine.moveTable(`${from}/shop.t`, { to, dropOld: true });
    const moved = await moraine.project.loadTable(`${to}/shop.t`);
    expect(moved.metadata).toMatchObject({ tableUuid: metadata.tableUuid, refs: metadata.refs });
    await expectIntact(moved);
  }
  expect(await asPyIcebergReads('back', 'shop.t')).toEqual(before);
  for (const former of ['s3://', `${folder}/warehouse`]) expect(filesWith(join(folder, 'back'), former)).toEqual([]);
});

test('beside a writer no acknowledged row is lost, and processes that are killed leave a move that goes on', async () => {
  const moraine = await open();
  for (let batch = 0; batch < 6; batch += 1) await append(moraine, 'local/shop.w', [batch * 2, batch * 2 + 1]);
  const acknowledged = Array.from({ length: 12 }, (_, id) => id);
  const config = configOf();
  writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(withVariables(config)));

  let hasMoved = false;
  const writing = (async () => {
    for (let id = 1000; !hasMoved; id += 1) {
      try {
        await append(moraine, 'local/shop.w', [id]);
        acknowledged.push(id);
        await sleep(500);
      } catch (error) {
        expect(error).toMatchObject({ code: 'TABLE_MOVED' });
        return;
      }
    }
  })();
  for (const afterMs of [1500, 2500, 3500]) await moveKilledAfter(afterMs);
  expect(await moveKilledAfter(600_000)).toBe(0);
  hasMoved = true;
  await writing;

  const { project } = await open();
  const moved = await loadTable(await project.catalog('lake'), project.io, { namespace: ['shop'], name: 'w' });
  await expectIntact(moved);
  await moraine.moveTable('lake/shop.w', { to: 'back' });
  const read = await asPyIcebergReads('back', 'shop.w');
  expect(read[String(moved.metadata.currentSnapshotId)]).toEqual(acknowledged.toSorted((a, b) => a - b));
});

/** A configuration in a file has no secrets. */
function withVariables<T extends { readonly storage: object }>(config: T): T {
  const text = JSON.stringify(config).replaceAll(lake.options['s3.secret-access-key'] ?? '', '${STORE_SECRET}');
  return JSON.parse(text) as T;
}

/** @returns the exit code; null: it was killed */
async function moveKilledAfter(afterMs: number): Promise<number | null> {
  const child = spawn(process.execPath, [MAIN, 'table', 'move', 'local/shop.w', '--to', 'lake'], {
    cwd: folder,
    env: { ...process.env, STORE_SECRET: lake.options['s3.secret-access-key'] },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return code;
}

test('a store that replaces files takes everything but a move', async () => {
  const careless = { ...archive.options, 's3.endpoint': await startCarelessStore(archive.endpoint) };
  const { storage, ...rest } = configOf();
  const stores = { archive: { roots: ['s3://archive'], options: careless } };
  const config = { ...rest, storage: { ...storage, stores } };
  const moraine = await createMoraine({ cwd: folder, config, fileFolders: [folder] } as never);
  onTestFinished(() => moraine.close());
  await append(moraine, 'archive/careless.t', [1, 2, 3]);
  await append(moraine, 'archive/careless.t', [4, 5, 6]);
  await moraine.deleteRows('archive/careless.t', 'id = 2');
  const { metadata } = await moraine.project.loadTable('archive/careless.t');
  await moraine.moveTable('archive/careless.t', { to: 'back' });
  const read = await asPyIcebergReads('back', 'careless.t');
  expect(read[String(metadata.currentSnapshotId)]).toEqual([1, 3, 4, 5, 6]);

  await append(moraine, 'local/careless.u', [1]);
  const refused = await failureOf(moraine.moveTable('local/careless.u', { to: 'archive' }));
  expect([refused.code, refused.message]).toEqual([
    'UNSUPPORTED_FEATURE',
    'The store of "s3://archive/careless/u" ignores the condition of writes (If-None-Match): a new file replaces one of its name. Turn conditional writes on there, or use a store that has them.',
  ]);
  await append(moraine, 'local/careless.u', [2]);
});
