/** A sink whose warehouse is full or cannot be written: it says which, what it has committed stays, and the same command goes on once that is mended. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { moraine } from '../support/cli.js';
import { type FollowedProject, followedProject, idLines } from '../support/followed-runs.js';
import { readOnlyDisk, type SmallDisk, smallDisk } from '../support/small-disk.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { upTo } from '../support/up-to.js';

const MIB = 2 ** 20;
const LIMIT_MS = 300_000;
const BATCH = 500;
const FULL_MESSAGE = /disk is full|ulimit -f/i;
/** Room grows by this until a run succeeds. */
const STEP_BYTES = 8192;

/** Records with texts of about so many bytes, which no codec makes smaller. */
const longLines = (from: number, to: number, bytes: number): string =>
  Array.from({ length: to - from }, (_, index) => {
    const text = randomBytes(Math.ceil(bytes * 0.75)).toString('base64');
    return `${JSON.stringify({ id: from + index, text })}\n`;
  }).join('');

const run = (folder: string, disk?: SmallDisk) =>
  moraine(['sink', 'run', 'iot.uplinks', 'log', '--batch-size', `${BATCH}`], {
    cwd: folder,
    limits: disk?.limits() ?? [],
  });

/** Every record once, each batch in a snapshot of its own, and nothing more to write. */
async function expectAllOnce({ folder, ids, added }: FollowedProject, batches: number): Promise<void> {
  expect(await ids()).toEqual(upTo(batches * BATCH));
  expect(await added()).toEqual(Array.from({ length: batches }, () => BATCH));
  expect((await run(folder)).stdout).toContain('iot.uplinks: nothing new.\n');
  expect(await ids()).toEqual(upTo(batches * BATCH));
}

describe('the disk is full', () => {
  test(
    'in mid batch: the run stops and names the file, the batches before it stay, and the same command writes the rest',
    async () => {
      const folder = temporaryFolder();
      const disk = smallDisk(join(folder, 'warehouse'));
      const project = await followedProject(folder);
      const { file, ids } = project;
      // The last batch is larger than the room that the others need.
      writeFileSync(file('log'), longLines(0, 2 * BATCH, 8) + longLines(2 * BATCH, 3 * BATCH, 8000));
      const data = join(folder, 'warehouse/iot/uplinks/data');
      disk.fill(MIB);
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const failed = await run(folder, disk);
        expect(failed).toMatchObject({ code: 8, stdout: '' });
        expect(failed.stderr).toMatch(FULL_MESSAGE);
        expect(failed.stderr).toContain(`${data}/`);
        expect(failed.stderr).toContain('[STORAGE_UNAVAILABLE]');
        // The disk is still full.
        expect(await ids()).toEqual(upTo(2 * BATCH));
        expect(readdirSync(data)).toHaveLength(2);
      }
      disk.free();
      const done = await run(folder, disk);
      expect(done.stdout).toContain(`iot.uplinks: wrote ${BATCH} rows in 1 commit`);
      await expectAllOnce(project, 3);
      expect(readdirSync(data)).toHaveLength(3);
    },
    LIMIT_MS,
  );

  test(
    'at every step from the claim to the last swap in the catalog: whole batches, and none that was committed goes',
    async () => {
      const folder = temporaryFolder();
      const disk = smallDisk(folder);
      const project = await followedProject(folder);
      writeFileSync(project.file('log'), longLines(0, 2 * BATCH, 30));
      const codes = new Set<string>();
      let [batches, steps] = [0, 0];
      for (let room = 0; batches < 2; room += STEP_BYTES) {
        disk.fill(room);
        const { code, stderr } = await run(folder, disk);
        disk.free();
        const found = await project.ids();
        expect(found).toEqual(upTo(found.length));
        expect(found.length % BATCH).toBe(0);
        expect(found.length).toBeGreaterThanOrEqual(batches * BATCH);
        batches = found.length / BATCH;
        steps += 1;
        if (code === 0) expect(batches).toBe(2);
        else codes.add(/\[([A-Z_]+)\]/.exec(stderr)?.[1] ?? stderr);
      }
      // Under a limit of file sizes SQLite cannot tell how far a write has come.
      const environment = ['CATALOG_UNAVAILABLE', 'STORAGE_UNAVAILABLE', 'COMMIT_STATE_UNKNOWN'];
      expect(environment).toEqual(expect.arrayContaining([...codes]));
      expect(codes.size).toBeGreaterThan(0);
      process.stdout.write(`full disk: ${steps} steps, ${[...codes].join(', ')}\n`);
      await expectAllOnce(project, 2);
    },
    LIMIT_MS,
  );
});

describe('the warehouse cannot be written', () => {
  test('since a file is where its folder should be: the run names it, and goes on once it is gone', async () => {
    const project = await followedProject();
    const { folder, file, ids, follow } = project;
    writeFileSync(file('log'), longLines(0, 2 * BATCH, 8));
    const data = join(folder, 'warehouse/iot/uplinks/data');
    writeFileSync(data, '');
    const failed = await run(folder);
    expect(failed).toMatchObject({ code: 8, stdout: '' });
    const message = `Cannot create the folder "${data}": a file is in the place of a folder.`;
    expect(failed.stderr).toContain(`${message} [STORAGE_UNAVAILABLE]`);
    expect(await ids()).toEqual([]);
    // A run that follows tries again.
    const waiting = follow('log', '--batch-size', `${BATCH}`);
    await waiting.until(({ stderr }) => stderr.includes(`${message} [STORAGE_UNAVAILABLE] It is tried again`));
    expect(await ids()).toEqual([]);
    rmSync(data);
    await waiting.rows(2 * BATCH);
    expect(await waiting.end('SIGTERM')).toBe(0);
    await expectAllOnce(project, 2);
  });

  test('since there is a file in its place: a table is not made, and the file is named', async () => {
    const { folder, file } = await followedProject();
    writeFileSync(file('log'), idLines(0, 10));
    const other = join(folder, 'other/warehouse');
    mkdirSync(dirname(other));
    writeFileSync(other, '');
    writeFileSync(file('moraine.yaml'), `catalogs:\n  local: { uri: other/catalog.db, warehouse: other/warehouse }\n`);
    const create = () => moraine(['sink', 'run', 'iot.fresh', 'log', '--create'], { cwd: folder });
    const failed = await create();
    expect(failed).toMatchObject({ code: 8, stdout: '' });
    expect(failed.stderr).toContain(
      `Cannot open the storage root "${other}": a file is in the place of a folder. [STORAGE_UNAVAILABLE]`,
    );
    rmSync(other);
    const done = await create();
    expect(done.stdout, done.stderr).toContain('iot.fresh: wrote 10 rows in 1 commit');
  });

  test('since it is read-only: committed batches are read, and the run goes on once it is writable', async (context) => {
    const folder = temporaryFolder();
    const disk = readOnlyDisk(join(folder, 'warehouse'));
    if (disk === undefined) return context.skip('this user may not mount a file system');
    const project = await followedProject(folder);
    const { file, ids } = project;
    writeFileSync(file('log'), longLines(0, BATCH, 8));
    expect(await run(folder)).toMatchObject({ code: 0 });
    writeFileSync(file('log'), longLines(BATCH, 3 * BATCH, 8), { flag: 'a' });
    disk.seal();
    const failed = await run(folder);
    expect(failed).toMatchObject({ code: 8, stdout: '' });
    expect(failed.stderr).toMatch(/\/warehouse\/iot\/uplinks\/.*read-only.*\[STORAGE_UNAVAILABLE\]/);
    expect(await ids()).toEqual(upTo(BATCH));
    disk.unseal();
    expect(await run(folder)).toMatchObject({ code: 0 });
    await expectAllOnce(project, 3);
  });
});
