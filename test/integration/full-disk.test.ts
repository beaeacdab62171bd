/** A disk that is really full: an error that says so, nothing half committed, and success once there is room again. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { moraine } from '../support/cli.js';
import { materializeLimited } from '../support/limited-process.js';
import { digestOf } from '../support/machines.js';
import { smallDisk } from '../support/small-disk.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';

const MIB = 2 ** 20;
/** Several processes one after another, each with an engine of its own. */
const LIMIT_MS = 180_000;
const FULL_MESSAGE = /disk is full|ulimit -f/i;
const FULL = { code: 'STORAGE_UNAVAILABLE', message: expect.stringMatching(FULL_MESSAGE) as unknown };

/** Files that readers of the online table could meet, or that an attempt left behind. */
async function dataFiles(small: SmallProject): Promise<string[]> {
  const folder = `${(await small.online()).metadata.location}/data`;
  // It comes with the first file.
  if (!existsSync(folder)) return [];
  return readdirSync(folder);
}

describe('the disk is full', () => {
  test(
    'while materializing: nothing remains of the attempt, and the run succeeds when there is room',
    async () => {
      const folder = temporaryFolder();
      const disk = smallDisk(join(folder, 'warehouse'));
      const small = await SmallProject.createIn(folder);
      await small.append(100_000, 0, 100_000);
      disk.fill(100_000);
      expect(await materializeLimited(folder, small.view, disk.limits())).toEqual(FULL);
      expect((await small.online()).metadata.snapshots).toEqual([]);
      expect(await dataFiles(small)).toEqual([]);
      disk.free();
      const done = { kind: 'incremental', rows: '100000', files: 4 };
      expect(await materializeLimited(folder, small.view, disk.limits())).toEqual(done);
      expect(await dataFiles(small)).toHaveLength(4);
      expect(await small.onlineRows()).toEqual(await small.recomputed());
      await small.project.close();
    },
    LIMIT_MS,
  );

  test(
    'under the temporary files of a query that does not fit in memory',
    async () => {
      const folder = temporaryFolder();
      const disk = smallDisk(join(folder, 'tmp'), 512 * MIB);
      const small = await SmallProject.createIn(folder);
      await small.append(2_000_000, 0, 2_000_000);
      const config = join(folder, 'moraine.yaml');
      writeFileSync(config, readFileSync(config, 'utf8').replace('500MB', '60MB'));
      disk.fill(MIB);
      expect(await materializeLimited(folder, small.view, disk.limits())).toEqual(FULL);
      expect((await small.online()).metadata.snapshots).toEqual([]);
      expect(await dataFiles(small)).toEqual([]);
      disk.free();
      const done = { kind: 'incremental', rows: '2000000', files: 4 };
      expect(await materializeLimited(folder, small.view, disk.limits())).toEqual(done);
      await small.project.close();
    },
    LIMIT_MS,
  );

  test(
    'while appending: the command says so, the table is as before, and the same command succeeds later',
    async () => {
      const folder = temporaryFolder();
      const disk = smallDisk(join(folder, 'warehouse'));
      const small = await SmallProject.createIn(folder);
      await small.append(100);
      const before = await small.recomputed();
      const rows = Array.from({ length: 100_000 }, (_, i) => `${i},2026-01-01T00:00:00Z,${Math.sin(i)}`);
      writeFileSync(join(folder, 'more.csv'), ['sensor,event_ts,reading', ...rows, ''].join('\n'));
      disk.fill(100_000);
      const append = () =>
        moraine(['table', 'append', 'demo.readings', 'more.csv'], { cwd: folder, limits: disk.limits() });
      const failed = await append();
      expect(failed).toMatchObject({ code: 8, stdout: '' });
      expect(failed.stderr).toContain('STORAGE_UNAVAILABLE');
      expect(await small.recomputed()).toEqual(before);
      disk.free();
      expect(await append()).toMatchObject({ code: 0 });
      expect(await small.recomputed()).toHaveLength(100_000);
      await small.project.close();
    },
    LIMIT_MS,
  );

  test(
    'at every step from the first file to the swap in the catalog: committed whole or not at all',
    async () => {
      const folder = temporaryFolder();
      const disk = smallDisk(folder);
      const small = await SmallProject.createIn(folder);
      await small.append(1_000);
      const codes = new Set<string>();
      for (let room = 0; ; room += 8192) {
        disk.fill(room);
        const report = await materializeLimited(folder, small.view, disk.limits());
        disk.free();
        if (!('code' in report)) {
          expect(report).toEqual({ kind: 'incremental', rows: '100', files: 4 });
          break;
        }
        codes.add(report.code);
        const online = await small.online().catch(() => undefined);
        expect(online?.metadata.snapshots ?? []).toEqual([]);
      }
      // Under a limit of file sizes SQLite cannot tell how far a write has come.
      const environment = ['CATALOG_UNAVAILABLE', 'STORAGE_UNAVAILABLE', 'COMMIT_STATE_UNKNOWN'];
      expect(environment).toEqual(expect.arrayContaining([...codes]));
      expect(codes.size).toBeGreaterThan(0);
      expect(await small.runKeys()).toHaveLength(1);
      expect(await small.onlineRows()).toEqual(await small.recomputed());
      await small.project.close();
    },
    LIMIT_MS,
  );

  test(
    'where a table moves to: the old name is as before, and the same command goes on when there is room',
    async () => {
      const folder = temporaryFolder();
      const disk = smallDisk(join(folder, 'new'));
      const config = `catalogs:
  local: { uri: catalog.db, warehouse: warehouse }
  new: { uri: new.db, warehouse: new }
engine: { memoryLimit: 500MB, threads: 2, tempDirectory: tmp }
`;
      const small = await SmallProject.createIn(folder, { config });
      for (let first = 0; first < 3; first += 1) await small.append(100_000, first * 100_000, 100_000);
      const move = () =>
        moraine(['table', 'move', small.table, '--to', 'new', '--json'], { cwd: folder, limits: disk.limits() });
      const total = (await small.source()).metadata.snapshots.at(-1)?.summary.get('total-files-size');
      disk.fill(Number(total) / 2);
      const failed = await move();
      expect(failed).toMatchObject({ code: 8, stdout: '' });
      expect(failed.stderr).toMatch(/STORAGE_UNAVAILABLE/);
      expect(failed.stderr).toMatch(FULL_MESSAGE);
      await small.append(100_000, 300_000, 100_000);
      const before = await digestOf(small.project, await small.source());
      disk.free();
      const moved = await move();
      expect(moved.code, moved.stderr).toBe(0);
      expect(JSON.parse(moved.stdout)).toMatchObject({
        from: `local/${small.table}`,
        to: `new/${small.table}`,
        outcome: 'moved',
        files: 4,
        definitions: [{ featureView: small.view, table: small.table, file: null }],
      });
      expect(await digestOf(small.project, await small.project.loadTable(`new/${small.table}`))).toEqual(before);
      await small.project.close();
    },
    LIMIT_MS,
  );
});
