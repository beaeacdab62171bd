/** Tables whose files are reached through symbolic links: neither a link nor what it points to goes while anything names it. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { commitAppend, type Table } from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { foretold, maintainOnce } from '../../support/maintain-once.js';
import { dataFile, MaintenanceLab } from '../../support/maintenance-lab.js';

/** @param daysAgo when the table was made */
async function openLab(daysAgo = 0): Promise<{ readonly lab: MaintenanceLab; readonly table: Table }> {
  const lab = await MaintenanceLab.open();
  lab.daysAgo = daysAgo;
  return { lab, table: await lab.create('ns.t') };
}

/** A link in the table's data folder, that the table lists as a data file. */
async function appendLink(lab: MaintenanceLab, name: string, target: string, linked = 'ns.t'): Promise<string> {
  const { metadata } = await lab.load('ns.t');
  mkdirSync(join(metadata.location, 'data'), { recursive: true });
  const path = join(metadata.location, 'data', name);
  symlinkSync(target, path);
  await commitAppend(await lab.load(linked), { files: [dataFile(path)] });
  return path;
}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

test('faults 80: the file behind a data file that is a link stays, through chains and linked folders', async () => {
  const { lab, table } = await openLab();
  const real = lab.place(table, 'store/real.parquet', 30, 'rows');
  const chained = lab.place(table, 'store/chained.parquet', 30, 'more');
  const behindFolder = lab.place(table, 'store/deep/inner.parquet', 30);
  const orphan = lab.place(table, 'store/orphan.parquet', 30);
  symlinkSync('chained.parquet', join(table.metadata.location, 'store/middle.parquet'));
  symlinkSync('store/deep', join(table.metadata.location, 'folder'));
  const links = [
    await appendLink(lab, 'a.parquet', real),
    await appendLink(lab, 'b.parquet', '../store/middle.parquet'),
    await appendLink(lab, 'c.parquet', '../folder/../deep/inner.parquet'),
  ];
  const verdicts = await foretold(lab.deps, 'ns.t');
  expect([real, chained, behindFolder, orphan].map((path) => verdicts.get(path)?.action)).toEqual([
    'keep',
    'keep',
    'keep',
    'delete',
  ]);
  expect(await maintainOnce(lab.deps, 'ns.t')).toMatchObject({ orphans: 1 });
  expect([real, chained, behindFolder, orphan].map((path) => existsSync(path))).toEqual([true, true, true, false]);
  expect(links.map((path) => readFileSync(path, 'utf8'))).toEqual(['rows', 'more', 'x']);
});

test('faults 80: the file behind a manifest list that is a link stays', async () => {
  const { lab, table } = await openLab();
  await lab.append('ns.t');
  const { manifestList = '' } = (await lab.load('ns.t')).metadata.snapshots[0] ?? {};
  const moved = lab.place(table, `elsewhere/${basename(manifestList)}`, 30, '');
  renameSync(manifestList, moved);
  lab.age(join(table.metadata.location, 'elsewhere'), 30);
  symlinkSync(moved, manifestList);
  expect(await maintainOnce(lab.deps, 'ns.t')).toMatchObject({ orphans: 0 });
  expect([existsSync(moved), existsSync(manifestList)]).toEqual([true, true]);
});

test('faults 80: a file that another table reaches through a link stays', async () => {
  const { lab, table } = await openLab();
  const taken = lab.place(table, 'data/taken.parquet', 30);
  const other = await lab.create('ns.other');
  mkdirSync(join(other.metadata.location, 'data'), { recursive: true });
  const link = join(other.metadata.location, 'data/link.parquet');
  symlinkSync(taken, link);
  await commitAppend(other, { files: [dataFile(link)] });
  expect(await maintainOnce(lab.deps, 'ns.t')).toMatchObject({ orphans: 0 });
  expect(existsSync(taken)).toBe(true);
});

test('faults 80: a link of an expired snapshot goes alone; the live file that it points to stays, and so does a link on the way', async () => {
  const { lab, table } = await openLab(20);
  const live = lab.place(table, 'data/live.parquet', 30, 'live');
  const expired = await appendLink(lab, 'expired.parquet', live);
  const middle = await appendLink(lab, 'middle.parquet', live);
  const young = lab.place(table, 'store/young.parquet', 0);
  const expiredToo = await appendLink(lab, 'expired-too.parquet', young);
  lab.daysAgo = 15;
  await lab.replace('ns.t', expired);
  await lab.replace('ns.t', expiredToo);
  await lab.replace('ns.t', middle);
  lab.daysAgo = 0;
  await commitAppend(await lab.load('ns.t'), { files: [dataFile(live)] });
  const through = await appendLink(lab, 'through.parquet', middle);
  expect(await maintainOnce(lab.deps, 'ns.t')).toMatchObject({ orphans: 0 });
  expect([expired, middle, live, through].map(isThere)).toEqual([false, true, true, true]);
  // Only the link went with its snapshot: what nothing reaches any more is an orphan, and as such too young.
  expect([expiredToo, young].map(isThere)).toEqual([false, true]);
  expect(readFileSync(through, 'utf8')).toBe('live');
});

test('faults 80: a link that leads out of the storage roots stops the removal, as it stops every read', async () => {
  const { lab, table } = await openLab();
  const outside = join(lab.folder, 'outside.parquet');
  writeFileSync(outside, 'x');
  const orphan = lab.place(table, 'data/orphan.parquet', 30);
  await appendLink(lab, 'out.parquet', outside);
  expect(await rejectionCode(maintainOnce(lab.deps, 'ns.t'))).toBe('LOCATION_REFUSED');
  expect([outside, orphan].map((path) => existsSync(path))).toEqual([true, true]);
});

test('faults 80: links without end are refused, and nothing goes', async () => {
  const { lab, table } = await openLab();
  const orphan = lab.place(table, 'data/orphan.parquet', 30);
  const first = lab.place(table, 'data/first.parquet', 30);
  await commitAppend(table, { files: [dataFile(first)] });
  rmSync(first);
  symlinkSync('second.parquet', first);
  symlinkSync('first.parquet', join(table.metadata.location, 'data/second.parquet'));
  expect(await rejectionCode(maintainOnce(lab.deps, 'ns.t'))).toBe('LOCATION_REFUSED');
  expect(existsSync(orphan)).toBe(true);
});
