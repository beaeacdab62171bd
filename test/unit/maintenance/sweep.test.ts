import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type OrphanSettings, sweepOrphans } from '../../../maintenance/index.js';
import { commitAppend, leasesOf, releaseLease, type Table, takeLease } from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { expireOnce } from '../../support/maintain-once.js';
import { DAY_MS, dataFile, MaintenanceLab } from '../../support/maintenance-lab.js';
import { isStored } from '../../support/test-store.js';

const DAY = BigInt(DAY_MS);

/** A table with one committed file, everything in its folder a month old. */
async function oldTable(location?: string): Promise<{ lab: MaintenanceLab; table: Table; live: string }> {
  const lab = await MaintenanceLab.open();
  await lab.create('ns.t', location === undefined ? {} : { location });
  const { path } = await lab.append('ns.t', 30);
  const table = await lab.load('ns.t');
  lab.age(table.metadata.location, 30);
  return { lab, table, live: path };
}

const sweep = (lab: MaintenanceLab, settings: OrphanSettings = {}) => sweepOrphans(lab.deps, 'ns.t', settings);

test('old files that nothing reaches go, young and reached ones stay', async () => {
  const { lab, table, live } = await oldTable();
  const before = lab.files(table);
  const old = lab.place(table, 'data/old.parquet', 4, 'four');
  const manifest = lab.place(table, 'metadata/lost-m0.avro', 30);
  const lostSwap = lab.place(table, 'metadata/00009-lost.metadata.json', 30);
  const young = lab.place(table, 'data/young.parquet', 2);
  const future = lab.place(table, 'data/future.parquet', -5);
  expect(await sweep(lab)).toEqual({ deletedFiles: 3, deletedBytes: 6n, next: null });
  expect([old, manifest, lostSwap, young, future, live].map((path) => isStored(path))).toEqual([
    false,
    false,
    false,
    true,
    true,
    true,
  ]);
  expect(lab.files(table).filter((path) => !/young|future/.test(path))).toEqual(before);
});

test('snapshots that expire while a sweep looks at their files stop it not, and what the table has then stays', async () => {
  const { lab, live } = await oldTable();
  const { path } = await lab.replace('ns.t', live);
  let loads = 0;
  const loadTable: typeof lab.deps.loadTable = async (name) => {
    const table = await lab.deps.loadTable(name);
    loads += 1;
    // The first is for the sweep's settings.
    if (loads === 2) await expireOnce(lab.deps, 'ns.t', { olderThanMs: 0n, retainLast: 1 });
    return table;
  };
  await sweepOrphans({ ...lab.deps, loadTable }, 'ns.t', {});
  expect([live, path].map((file) => isStored(file))).toEqual([false, true]);
  const [snapshot, ...others] = (await lab.load('ns.t')).metadata.snapshots;
  expect(others).toEqual([]);
  expect(isStored(snapshot?.manifestList ?? '')).toBe(true);
});

test.each([
  ['outside its location', 'warehouse/rows-of-t'],
  ['around its location', 'warehouse/ns'],
  ['inside its location', 'warehouse/ns/t/rows'],
])('orphans in the folder of write.data.path go: %s', async (_where, folder) => {
  const { lab, table } = await oldTable();
  const path = `${lab.folder}/${folder}`;
  await lab.update('ns.t', { action: 'set-properties', updates: new Map([['write.data.path', path]]) });
  const inFolder = (name: string) => lab.placeAt(`${path}/${name}.parquet`, 30);
  const live = inFolder('live');
  await commitAppend(await lab.load('ns.t'), { files: [dataFile(live)] });
  const [orphan, young] = [inFolder('orphan'), lab.placeAt(`${path}/young.parquet`, 1)];
  const before = lab.files(table);
  const { deletedFiles, next } = await sweep(lab);
  expect({ deletedFiles, next }).toEqual({ deletedFiles: 1, next: null });
  expect([live, orphan, young].map((each) => isStored(each))).toEqual([true, false, true]);
  expect(lab.files(table)).toEqual(before.filter((each) => !each.includes('orphan')));
});

test('a sweep goes on in the folder where the part before has ended', async () => {
  const { lab, table } = await oldTable();
  const path = `${lab.folder}/warehouse/rows-of-t`;
  await lab.update('ns.t', { action: 'set-properties', updates: new Map([['write.data.path', path]]) });
  const first = lab.place(table, 'data/a.parquet', 30);
  const second = ['b', 'c'].map((name) => lab.placeAt(`${path}/${name}.parquet`, 30));
  const left = () => [first, ...second].map((each) => isStored(each));
  const part = (after: string) => sweepOrphans(lab.deps, 'ns.t', { after });
  expect(await part('folder 2:')).toEqual({ deletedFiles: 0, deletedBytes: 0n, next: null });
  const [{ next } = { next: null }] = [await lab.io.listPage(path, { maxFiles: 1 })];
  await part(`folder 1:${next ?? ''}`);
  expect(left()).toEqual([true, true, false]);
  await part('folder 1:');
  expect(left()).toEqual([true, false, false]);
  await sweep(lab);
  expect(left()).toEqual([false, false, false]);
});

test('faults 36: an age of less than a day has to be confirmed', async () => {
  const { lab, table } = await oldTable();
  const recent = lab.place(table, 'data/recent.parquet', 0.5);
  expect(await rejectionCode(sweep(lab, { olderThanMs: DAY / 4n }))).toBe('INVALID_ARGUMENT');
  expect(isStored(recent)).toBe(true);
  expect((await sweep(lab, { olderThanMs: DAY / 4n, allowYoung: true })).deletedFiles).toBe(1);
});

test('faults 36 and 45: a clock that is a week ahead makes no file old', async () => {
  const { lab, table } = await oldTable();
  const young = lab.place(table, 'data/young.parquet', 1);
  const ahead = lab.depsWith({ nowMs: () => BigInt(Date.now() + 7 * DAY_MS) });
  expect((await sweepOrphans(ahead, 'ns.t', {})).deletedFiles).toBe(0);
  expect(isStored(young)).toBe(true);
  const behind = lab.depsWith({ nowMs: () => BigInt(Date.now() - 7 * DAY_MS) });
  lab.place(table, 'data/old.parquet', 5);
  expect((await sweepOrphans(behind, 'ns.t', {})).deletedFiles).toBe(0);
});

test('faults 36: files of a run with a lease stay whatever their age, until the lease ends', async () => {
  const { lab, table } = await oldTable();
  const staged = lab.place(table, 'data/run-77-0-abc.parquet', 30);
  const other = lab.place(table, 'data/run-78-0-abc.parquet', 30);
  const lease = { id: 'r77', kind: 'compact', snapshotIds: [], filePrefixes: ['run-77-'] };
  await takeLease(table, { ...lease, expiresAtMs: BigInt(Date.now()) + DAY });
  expect((await sweep(lab)).deletedFiles).toBe(1);
  expect([staged, other].map((path) => isStored(path))).toEqual([true, false]);
  await takeLease(table, { ...lease, expiresAtMs: BigInt(Date.now() - 3_600_000) });
  expect((await sweep(lab)).deletedFiles).toBe(1);
  expect(isStored(staged)).toBe(false);
});

test('a lease is renewed, released, refused if it would last too long, and never lost beside another', async () => {
  const lab = await MaintenanceLab.open();
  const table = await lab.create('ns.t');
  const lease = (id: string, hours: number) => ({
    id,
    kind: 'backfill',
    snapshotIds: [9007199254740993n],
    filePrefixes: [`${id}-`],
    expiresAtMs: BigInt(Date.now() + hours * 3_600_000),
  });
  const [a, b] = [lease('a', 1), lease('b', 2)];
  await Promise.all([takeLease(table, a), takeLease(table, b)]);
  const current = async () => leasesOf((await lab.load('ns.t')).metadata).toSorted((x, y) => (x.id < y.id ? -1 : 1));
  expect(await current()).toEqual([a, b]);
  const renewed = lease('a', 5);
  await takeLease(table, renewed);
  expect(await current()).toEqual([renewed, b]);
  await releaseLease(table, 'a');
  await releaseLease(table, 'a');
  await releaseLease(table, 'b');
  expect([...(await lab.load('ns.t')).metadata.properties.keys()].filter((name) => name.includes('lease'))).toEqual([]);
  expect(await rejectionCode(takeLease(table, lease('c', 24 * 8)))).toBe('INVALID_ARGUMENT');
});

test('leases that are not understood stop the sweep', async () => {
  const { lab, table } = await oldTable();
  const old = lab.place(table, 'data/old.parquet', 30);
  const corrupt: readonly (readonly [string, string])[] = [
    ['moraine.lease.x', '{'],
    ['moraine.lease.x', '[]'],
    ['moraine.lease.x', '{"kind":"k"}'],
    ['moraine.lease.x', '{"kind":"k","snapshot-ids":["z"],"file-prefixes":[],"expires-at-ms":"1"}'],
    ['moraine.leases', '{}'],
    ['moraine.leases', '[{"kind":"k","snapshot-ids":[],"file-prefixes":[],"expires-at-ms":"1"}]'],
  ];
  for (const [name, text] of corrupt) {
    await lab.update('ns.t', { action: 'set-properties', updates: new Map([[name, text]]) });
    expect(await rejectionCode(sweep(lab)), text).toBe('METADATA_CORRUPT');
    await lab.update('ns.t', { action: 'remove-properties', removals: [name] });
  }
  expect(isStored(old)).toBe(true);
});

test('a table that takes the name of a renamed one gets a folder of its own, and both are swept', async () => {
  const { lab, table, live } = await oldTable();
  await lab.catalog.renameTable({ namespace: ['ns'], name: 't' }, { namespace: ['ns'], name: 'renamed' });
  const successor = await lab.create('ns.t');
  expect(successor.metadata.location).toBe(`${table.metadata.location}-2`);
  const own = await lab.append('ns.t', 30);
  const orphans = [lab.place(table, 'data/orphan.parquet', 30), lab.place(successor, 'data/orphan.parquet', 30)];
  expect((await sweep(lab)).deletedFiles).toBe(1);
  expect((await sweepOrphans(lab.deps, 'ns.renamed', {})).deletedFiles).toBe(1);
  expect([live, own.path, ...orphans].map((path) => isStored(path))).toEqual([true, true, false, false]);
});

test('a file that another table took in stays', async () => {
  const { lab, table } = await oldTable();
  const taken = lab.place(table, 'data/taken.parquet', 30);
  const elsewhere = await lab.create('ns.elsewhere');
  await commitAppend(elsewhere, { files: [dataFile(taken)] });
  const orphan = lab.place(table, 'data/orphan.parquet', 30);
  expect((await sweep(lab)).deletedFiles).toBe(1);
  expect([taken, orphan].map((path) => isStored(path))).toEqual([true, false]);
});

test('other spellings of the same file are the same file', async () => {
  const lab = await MaintenanceLab.open();
  const table = await lab.create('ns.t');
  const spelled = [
    (path: string) => `file:${path}`,
    (path: string) => `file://${path}`,
    (path: string) => path.replace('/data/', '/data//./'),
    (path: string) => path.replace('/data/', '/data/../data/'),
  ];
  const paths = spelled.map((_, index) => lab.place(table, `data/s${index}.parquet`, 30));
  symlinkSync(join(table.metadata.location, 'data'), join(table.metadata.location, 'link'));
  paths.push(lab.place(table, 'data/s9.parquet', 30));
  const files = paths.map((path, index) => {
    const spelling = spelled[index]?.(path) ?? path.replace('/data/', '/link/');
    return { ...dataFile(path), filePath: spelling };
  });
  await commitAppend(table, { files });
  lab.age(table.metadata.location, 30);
  expect((await sweep(lab)).deletedFiles).toBe(0);
  expect(paths.every((path) => isStored(path))).toBe(true);
});

test.each(['s3://bucket/t/data/x.parquet', 'file://host/t/data/x.parquet', '/outside/t/data/x.parquet'])(
  'a table that names %s is not swept: what it means cannot be compared with what is listed',
  async (location) => {
    const { lab, table } = await oldTable();
    const old = lab.place(table, 'data/old.parquet', 30);
    await commitAppend(table, { files: [{ ...dataFile(old), filePath: location }] });
    expect(await rejectionCode(sweep(lab))).toBe('LOCATION_REFUSED');
    expect(isStored(old)).toBe(true);
  },
);

test('a manifest that cannot be read keeps everything, of this table or of another', async () => {
  const { lab, table } = await oldTable();
  const old = lab.place(table, 'data/old.parquet', 30);
  const manifest = lab.files(table).find((path) => /^metadata\/(?!snap).*\.avro$/.test(path)) ?? '';
  await lab.create('ns.second');
  lab.place(table, manifest, 30, 'damaged');
  expect(['MANIFEST_CORRUPT', 'DATA_FILE_CORRUPT']).toContain(await rejectionCode(sweep(lab)));
  expect(await rejectionCode(sweepOrphans(lab.deps, 'ns.second', {}).then(() => sweep(lab)))).toBe('MANIFEST_CORRUPT');
  expect(isStored(old)).toBe(true);
});

test('gc.enabled=false refuses the sweep', async () => {
  const { lab } = await oldTable();
  await lab.update('ns.t', { action: 'set-properties', updates: new Map([['gc.enabled', 'false']]) });
  expect(await rejectionCode(sweep(lab))).toBe('INVALID_ARGUMENT');
});

test('faults 38: two sweeps at once delete the same orphans and nothing else', async () => {
  const { lab, table } = await oldTable();
  const before = lab.files(table);
  for (let i = 0; i < 60; i++) lab.place(table, `data/orphan-${i}.parquet`, 30);
  await Promise.all([sweep(lab), sweep(lab), sweep(lab)]);
  expect(lab.files(table)).toEqual(before);
});

test('faults 36: what is committed while the folder is listed stays', async () => {
  const { lab, table } = await oldTable();
  const late = lab.place(table, 'data/late.parquet', 30);
  let committed = false;
  const io = new Proxy(table.io, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (name !== 'listPage') return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      return async (...args: Parameters<typeof target.listPage>) => {
        const page = await target.listPage(...args);
        if (!committed) await commitAppend(await lab.load('ns.t'), { files: [dataFile(late)] });
        committed = true;
        return page;
      };
    },
  });
  const deps = lab.depsWith({ loadTable: async (name) => ({ ...(await lab.load(name)), io }) });
  expect((await sweepOrphans(deps, 'ns.t', {})).deletedFiles).toBe(0);
  expect(committed).toBe(true);
  expect(isStored(late)).toBe(true);
});
