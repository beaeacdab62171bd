/** Each of those who need a snapshot keeps its files, and a dry run names them; without them the files go. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { NO_DEFINITIONS } from '../../../features/index.js';
import { MAIN_BRANCH, type SnapshotRef } from '../../../iceberg/index.js';
import { createMoraine, type Moraine } from '../../../index.js';
import { type MaintenanceDeps } from '../../../maintenance/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { maintenanceDeps, materializationDeps } from '../../../project/index.js';
import {
  commitAppend,
  commitOverwrite,
  LEASE_PREFIX,
  type Lease,
  leasesOf,
  planFiles,
  releaseLease,
  selectSnapshot,
  type Table,
  takeLease,
} from '../../../tables/index.js';
import { foretold, maintainOnce } from '../../support/maintain-once.js';
import { DAY_MS, dataFile, MaintenanceLab } from '../../support/maintenance-lab.js';
import { SmallProject } from '../../support/small-project.js';
import { isStored } from '../../support/test-store.js';

const EVERYTHING_OLD = { expiry: { olderThanMs: 0n } };
const HOUR_MS = 3_600_000;

/** A table whose first snapshot alone has the file `old`; two snapshots follow. */
interface World {
  readonly deps: MaintenanceDeps;
  readonly table: string;
  readonly old: string;
  readonly ids: readonly [first: bigint, second: bigint, third: bigint];
  readonly load: () => Promise<Table>;
}

/** A world whose table is the source of a registered view. */
interface ViewWorld extends World {
  readonly small: SmallProject;
  readonly moraine: Moraine;
}

type Opened = Pick<ViewWorld, 'small' | 'moraine'>;

async function openWorld(): Promise<World> {
  const lab = await MaintenanceLab.open();
  await lab.create('ns.t');
  lab.daysAgo = 0;
  const { path: old } = await lab.append('ns.t');
  return { old, ...(await withTwoMore(lab.deps, 'ns.t', old, () => lab.append('ns.t'))) };
}

/** @param atFirst done while the first snapshot is the current one */
async function openViewWorld(atFirst: (opened: Opened) => Promise<unknown>): Promise<ViewWorld> {
  const small = await SmallProject.create();
  const moraine = await createMoraine({ cwd: small.folder, fileFolders: [small.folder] });
  onTestFinished(() => moraine.close());
  await small.append(100);
  await atFirst({ small, moraine });
  const source = 'demo.readings';
  const deps = maintenanceDeps(small.project);
  const table = await deps.loadTable(source);
  const [file] = (await planFiles(table, selectSnapshot(table.metadata))).files;
  const old = file?.file.filePath ?? '';
  return { small, moraine, old, ...(await withTwoMore(deps, source, old, () => small.append(100, 100))) };
}

async function withTwoMore(
  deps: MaintenanceDeps,
  table: string,
  old: string,
  append: () => Promise<unknown>,
): Promise<Omit<World, 'old'>> {
  const load = () => deps.loadTable(table);
  await commitOverwrite(await load(), { files: [], removeFiles: [old] });
  await append();
  await past();
  const [first = 0n, second = 0n, third = 0n] = (await load()).metadata.snapshots.map(({ snapshotId }) => snapshotId);
  return { deps, table, load, ids: [first, second, third] };
}

/** The youngest snapshot has to be in the past, if only by a millisecond. */
const past = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 5));

async function setRef({ load }: World, refName: string, ref: SnapshotRef | null): Promise<void> {
  const { catalog, identifier } = await load();
  const update =
    ref === null
      ? ({ action: 'remove-snapshot-ref', refName } as const)
      : ({ action: 'set-snapshot-ref', refName, ref } as const);
  await catalog?.commitTable(identifier, { requirements: [], updates: [update] });
}

const branch = (snapshotId: bigint, settings: Partial<SnapshotRef> = {}): SnapshotRef => ({
  type: 'branch',
  snapshotId,
  ...settings,
});

function lease({ ids: [first] }: World, expiresInMs: number): Lease {
  const expiresAtMs = BigInt(Date.now() + expiresInMs);
  return { id: 'r1', kind: 'materialize', snapshotIds: [first], filePrefixes: [], expiresAtMs };
}

/** Of each: what protects the first snapshot, what takes that back, who is named, and which snapshots stay with it and without. */
interface Protection<W extends World> {
  readonly who: string;
  readonly protect?: (world: W) => Promise<unknown>;
  readonly unprotect: (world: W) => Promise<unknown>;
  readonly reason: (world: W) => string;
  /** Places among the three; those of the first when protected. */
  readonly kept: readonly number[];
  readonly left: readonly number[];
}

const BY_THE_TABLE: readonly Protection<World>[] = [
  {
    who: 'a tag',
    protect: (world) => setRef(world, 'v1', { type: 'tag', snapshotId: world.ids[0] }),
    unprotect: (world) => setRef(world, 'v1', null),
    reason: () => 'tag v1',
    kept: [0, 2],
    left: [2],
  },
  {
    who: 'a branch that points at it',
    protect: (world) => setRef(world, 'audit', branch(world.ids[0])),
    unprotect: (world) => setRef(world, 'audit', null),
    reason: () => 'branch audit keeps its last 1',
    kept: [0, 2],
    left: [2],
  },
  {
    who: 'a branch with a minimum of its own',
    protect: (world) => setRef(world, 'audit', branch(world.ids[1], { minSnapshotsToKeep: 2 })),
    unprotect: (world) => setRef(world, 'audit', branch(world.ids[1], { minSnapshotsToKeep: 1 })),
    reason: () => 'branch audit keeps its last 2',
    kept: [0, 1, 2],
    left: [1, 2],
  },
  {
    who: 'a branch with an age of its own',
    protect: (world) => setRef(world, 'audit', branch(world.ids[1], { maxSnapshotAgeMs: BigInt(HOUR_MS) })),
    unprotect: (world) => setRef(world, 'audit', branch(world.ids[1], { maxSnapshotAgeMs: 1n })),
    reason: () => 'branch audit, and it is young',
    kept: [0, 1, 2],
    left: [1, 2],
  },
  {
    who: 'main with settings of its own',
    protect: (world) => setRef(world, MAIN_BRANCH, branch(world.ids[2], { minSnapshotsToKeep: 3 })),
    unprotect: (world) => setRef(world, MAIN_BRANCH, branch(world.ids[2])),
    reason: () => 'branch main keeps its last 3',
    kept: [0, 1, 2],
    left: [2],
  },
  {
    who: 'a branch that may still grow old',
    protect: (world) => setRef(world, 'audit', branch(world.ids[0], { maxRefAgeMs: BigInt(HOUR_MS) })),
    unprotect: (world) => setRef(world, 'audit', branch(world.ids[0], { maxRefAgeMs: 1n })),
    reason: () => 'branch audit keeps its last 1',
    kept: [0, 2],
    left: [2],
  },
  {
    who: 'the lease of a run in flight, until it is given back',
    protect: async (world) => takeLease(await world.load(), lease(world, HOUR_MS)),
    unprotect: async (world) => releaseLease(await world.load(), 'r1'),
    reason: () => 'materialize r1 is reading it',
    kept: [0, 2],
    left: [2],
  },
  {
    who: 'the lease of a run in flight, until it has ended',
    protect: async (world) => takeLease(await world.load(), lease(world, HOUR_MS)),
    unprotect: async (world) => takeLease(await world.load(), lease(world, -HOUR_MS)),
    reason: () => 'materialize r1 is reading it',
    kept: [0, 2],
    left: [2],
  },
  {
    who: 'a lease that ended a minute ago: clocks differ',
    protect: async (world) => takeLease(await world.load(), lease(world, -60_000)),
    unprotect: async (world) => releaseLease(await world.load(), 'r1'),
    reason: () => 'materialize r1 is reading it',
    kept: [0, 2],
    left: [2],
  },
];

const materialize = async ({ small }: Opened) =>
  materializeDirect(await materializationDeps(small.project), { view: small.view });

const ENTITIES = [{ sensor: 1, event_timestamp: '1970-01-01T00:01:00Z' }];

const saveDataset = ({ small, moraine }: Opened, pin: boolean) =>
  moraine.saveDataset({
    features: [small.view],
    entities: ENTITIES,
    saveAs: { name: 'labels', to: { file: join(small.folder, 'labels.parquet') }, pin },
  });

const forgetDataset = ({ moraine }: Opened) => moraine.deleteRows('moraine.datasets', "name = 'labels'");

const BY_THE_PROJECT: readonly (Protection<ViewWorld> & {
  readonly atFirst: (opened: Opened) => Promise<unknown>;
})[] = [
  {
    who: 'a registered view that reads on from it',
    atFirst: materialize,
    unprotect: materialize,
    reason: ({ small, ids }) => `view ${small.view} reads on from snapshot ${ids[0]}`,
    kept: [0, 1, 2],
    left: [2],
  },
  {
    who: 'a registered view, until it is dropped',
    atFirst: materialize,
    unprotect: async ({ small }) => (await small.project.registry()).apply(NO_DEFINITIONS, { prune: true }),
    reason: ({ small, ids }) => `view ${small.view} reads on from snapshot ${ids[0]}`,
    kept: [0, 1, 2],
    left: [2],
  },
  {
    who: 'a pinned dataset, by its tag',
    atFirst: (world) => saveDataset(world, true),
    unprotect: async (world) => {
      await setRef(world, 'moraine-dataset-labels', null);
      await forgetDataset(world);
    },
    reason: () => 'tag moraine-dataset-labels',
    kept: [0, 2],
    left: [2],
  },
  {
    who: 'a pinned dataset whose tag was removed, by its record',
    atFirst: (world) => saveDataset(world, true),
    protect: (world) => setRef(world, 'moraine-dataset-labels', null),
    unprotect: forgetDataset,
    reason: () => 'dataset labels',
    kept: [0, 2],
    left: [2],
  },
];

const snapshotsOf = async ({ load }: World) => (await load()).metadata.snapshots.map(({ snapshotId }) => snapshotId);

async function prove<W extends World>(world: W, protection: Protection<W>): Promise<void> {
  const { protect, unprotect, reason, kept, left } = protection;
  const { deps, table, old, ids } = world;
  const at = (places: readonly number[]) => places.map((place) => ids[place]);
  await protect?.(world);
  expect((await foretold(deps, table, EVERYTHING_OLD)).get(old)).toMatchObject({
    action: 'keep',
    reason: `live data file of snapshot ${ids[0]}: ${reason(world)}`,
  });
  await maintainOnce(deps, table, EVERYTHING_OLD);
  expect(isStored(old)).toBe(true);
  expect((await snapshotsOf(world)).filter((id) => ids.includes(id))).toEqual(at(kept));

  await unprotect(world);
  expect((await foretold(deps, table, EVERYTHING_OLD)).get(old)).toMatchObject({
    action: 'delete',
    reason: `only expired snapshots reach it: live data file of snapshot ${ids[0]}`,
  });
  await maintainOnce(deps, table, EVERYTHING_OLD);
  expect(isStored(old)).toBe(false);
  expect((await snapshotsOf(world)).filter((id) => ids.includes(id))).toEqual(at(left));
}

test.each(BY_THE_TABLE)('$who keeps the file of an old snapshot', async (protection) => {
  await prove(await openWorld(), protection);
});

test.each(BY_THE_PROJECT)('$who keeps the file of an old snapshot', async (protection) => {
  await prove(await openViewWorld(protection.atFirst), protection);
});

test('a dataset that pinned nothing keeps nothing of its sources', async () => {
  const world = await openViewWorld((opened) => saveDataset(opened, false));
  await maintainOnce(world.deps, world.table, EVERYTHING_OLD);
  expect([isStored(world.old), await snapshotsOf(world)]).toEqual([false, [world.ids[2]]]);
});

test('the snapshot of a dataset that holds its rows stays, until the dataset is forgotten', async () => {
  const small = await SmallProject.create();
  const moraine = await createMoraine({ cwd: small.folder });
  onTestFinished(() => moraine.close());
  await small.append(100);
  const { location } = await moraine.saveDataset({
    features: [small.view],
    entities: ENTITIES,
    saveAs: { name: 'labels', to: { table: 'demo.labels' } },
  });
  const saved = 'snapshotId' in location ? location.snapshotId : 0n;
  await moraine.deleteRows('demo.labels', 'sensor = 1');
  await past();
  const deps = maintenanceDeps(small.project);
  const ids = async () =>
    (await small.project.loadTable('demo.labels')).metadata.snapshots.map(({ snapshotId }) => snapshotId);
  const [, emptied] = await ids();
  const reasons = [...(await foretold(deps, 'demo.labels', EVERYTHING_OLD)).values()].map(({ reason }) => reason);
  expect(reasons).toContain(`live data file of snapshot ${saved}: dataset labels`);
  await maintainOnce(deps, 'demo.labels', EVERYTHING_OLD);
  expect(await ids()).toEqual([saved, emptied]);
  await moraine.deleteRows('moraine.datasets', "name = 'labels'");
  await maintainOnce(deps, 'demo.labels', EVERYTHING_OLD);
  expect(await ids()).toEqual([emptied]);
});

test('a lease that another shard of the run has taken since the table was read is left as it is, unless half of its time has passed', async () => {
  const lab = await MaintenanceLab.open();
  await lab.create('ns.t');
  const read = await lab.load('ns.t');
  const [nowMs, hourMs] = [BigInt(Date.now()), BigInt(HOUR_MS)];
  const until = (expiresAtMs: bigint): Lease => ({
    ...{ id: 'r1', kind: 'materialize', snapshotIds: [1n], filePrefixes: ['r1-'] },
    expiresAtMs,
  });
  const take = (lease: Lease, keptUntilMs?: bigint) => takeLease(read, lease, nowMs, keptUntilMs);
  const first = await take(until(nowMs + hourMs), nowMs + hourMs / 2n);
  const second = await take(until(nowMs + hourMs + 9n), nowMs + hourMs / 2n);
  expect(second.metadataLocation).toBe(first.metadataLocation);
  const endOf = ({ metadata }: Table) => leasesOf(metadata).map(({ expiresAtMs }) => expiresAtMs - nowMs);
  expect(endOf(await take(until(nowMs + hourMs + 9n), nowMs + hourMs))).toEqual([hourMs + 9n]);
  // One of other snapshots does not stand for this one.
  const other = { ...until(nowMs + hourMs), snapshotIds: [2n] };
  expect(leasesOf((await take(other, nowMs)).metadata)).toEqual([other]);
  // Who says nothing of it replaces the lease, also by one that ends sooner.
  expect(endOf(await take({ ...other, expiresAtMs: nowMs + 1n }))).toEqual([1n]);
});

test('a dry run says of every file why it stays or goes', async () => {
  const lab = await MaintenanceLab.open();
  await lab.create('ns.t');
  lab.daysAgo = 20;
  const { path: replaced, snapshotId: expired } = await lab.append('ns.t', 30);
  const { path: live, snapshotId: second } = await lab.replace('ns.t', replaced);
  lab.daysAgo = 0;
  const table = await lab.load('ns.t');
  await lab.create('ns.elsewhere');
  const taken = lab.place(table, 'data/taken.parquet', 30);
  await commitAppend(await lab.load('ns.elsewhere'), { files: [dataFile(taken)] });
  const expiresAtMs = BigInt(Date.now() + DAY_MS);
  const run = { id: 'r7', kind: 'compact', snapshotIds: [], filePrefixes: ['r7-'], expiresAtMs };
  await takeLease(await lab.load('ns.t'), run);
  const placed = {
    young: lab.place(table, 'data/young.parquet', 1),
    staged: lab.place(table, 'data/r7-0.parquet', 30),
    hint: lab.place(table, 'metadata/version-hint.text', 30),
    orphan: lab.place(table, 'data/orphan.parquet', 30),
  };
  const { metadata, metadataLocation } = await lab.load('ns.t');
  expect(metadata.properties.has(`${LEASE_PREFIX}r7`)).toBe(true);
  const [list, currentList] = metadata.snapshots.map(({ manifestList = '' }) => manifestList);
  const verdicts = await foretold(lab.deps, 'ns.t');
  const said = (path = '') => {
    const { action, reason } = verdicts.get(path) ?? {};
    return `${action}: ${reason}`;
  };
  const expectations: readonly (readonly [string | undefined, string])[] = [
    [metadataLocation, 'keep: the current metadata file'],
    [metadata.metadataLog[0]?.metadataFile, 'keep: a metadata file of the metadata log'],
    [live, `keep: live data file of snapshot ${second}: it is the current snapshot`],
    [currentList, `keep: manifest list of snapshot ${second}: it is the current snapshot`],
    [replaced, `delete: only expired snapshots reach it: live data file of snapshot ${expired}`],
    [list, `delete: only expired snapshots reach it: manifest list of snapshot ${expired}`],
    [taken, 'keep: table test/ns.elsewhere has it'],
    [placed.young, 'keep: nothing reaches it, but it is young: it may belong to a run in flight'],
    [placed.staged, 'keep: compact r7 is in flight'],
    [placed.hint, 'keep: engines of Hadoop tables read it'],
    [placed.orphan, 'delete: nothing reaches it, and it is old'],
  ];
  expect(expectations.map(([path]) => said(path))).toEqual(expectations.map(([, text]) => text));
  const folder = metadata.location;
  expect([...verdicts.keys()].toSorted()).toEqual(
    lab
      .files(table)
      .map((path) => join(folder, path))
      .toSorted(),
  );
  const goes = [...verdicts.values()].filter(({ action }) => action === 'delete').map(({ path }) => path);
  await maintainOnce(lab.deps, 'ns.t');
  expect(goes.filter((path) => isStored(path))).toEqual([]);
  expect([...verdicts.keys()].filter((path) => !goes.includes(path) && !isStored(path))).toEqual([]);
});
