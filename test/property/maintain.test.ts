/** Random histories of a table: what maintenance deletes is exactly what an independent reading of the table cannot reach and is old. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  MAIN_BRANCH,
  type ManifestEntry,
  newTableMetadata,
  readManifest,
  readManifestList,
  type SnapshotRef,
  type TableMetadata,
} from '../../iceberg/index.js';
import { planExpiry, sweepOrphans } from '../../maintenance/index.js';
import { expireOnce, foretold } from '../support/maintain-once.js';
import { DAY_MS, MaintenanceLab } from '../support/maintenance-lab.js';
import { runs, timeLimit } from '../support/property-runs.js';

const index = fc.nat(7);
/** Half days apart from the commits' times, so that nothing is exactly as old as a limit. */
const optionalDays = fc.option(fc.integer({ min: 0, max: 28 }), { nil: undefined });
const branchSettings = fc.record({
  keep: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
  snapshotDays: optionalDays,
  refDays: optionalDays,
});
type BranchSettings = typeof branchSettings extends fc.Arbitrary<infer T> ? T : never;

const daysMs = (days: number): bigint => BigInt(Math.round(days * DAY_MS));

function branchRef(snapshotId: bigint, { keep, snapshotDays, refDays }: BranchSettings): SnapshotRef {
  return {
    type: 'branch',
    snapshotId,
    ...(keep === undefined ? {} : { minSnapshotsToKeep: keep }),
    ...(snapshotDays === undefined ? {} : { maxSnapshotAgeMs: daysMs(snapshotDays) }),
    ...(refDays === undefined ? {} : { maxRefAgeMs: daysMs(refDays) }),
  };
}

function tagRef(snapshotId: bigint, refDays: number | undefined): SnapshotRef {
  return { type: 'tag', snapshotId, ...(refDays === undefined ? {} : { maxRefAgeMs: daysMs(refDays) }) };
}

const step = fc.oneof(
  fc.record({ do: fc.constant('append' as const) }),
  fc.record({ do: fc.constant('replace' as const), file: index }),
  fc.record({ do: fc.constant('tag' as const), snapshot: index, refDays: optionalDays }),
  fc.record({ do: fc.constant('branch' as const), snapshot: index, settings: branchSettings }),
  fc.record({ do: fc.constant('commit-to-branch' as const), branch: index }),
  fc.record({ do: fc.constant('settings-of-main' as const), settings: branchSettings }),
  fc.record({ do: fc.constant('rollback' as const), snapshot: index }),
  fc.record({
    do: fc.constant('orphan' as const),
    ageDays: fc.integer({ min: 0, max: 8 }),
    folder: fc.constantFrom('data', 'metadata', 'x/y'),
  }),
);
const history = fc.record({
  steps: fc.array(step, { minLength: 3, maxLength: 14 }),
  retainLast: fc.integer({ min: 1, max: 3 }),
  ageDays: fc.integer({ min: 1, max: 20 }),
  refDays: optionalDays,
  /** Whether the limits are properties of the table or part of the request. */
  asProperties: fc.boolean(),
});

/** The settings of a request or of the table's properties; a ref's own settings win. */
interface Limits {
  readonly nowMs: number;
  readonly ageDays: number;
  readonly retainLast: number;
  readonly refDays?: number | undefined;
}

/** The refs and snapshots to keep, by the rules of the specification written down once more, in the plainest way. */
function toKeep(metadata: TableMetadata, limits: Limits): { readonly refs: Set<string>; readonly ids: Set<bigint> } {
  const byId = new Map(metadata.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
  const days = (id: bigint) => (limits.nowMs - Number(byId.get(id)?.timestampMs)) / DAY_MS;
  const inDays = (ms: bigint | undefined) => (ms === undefined ? undefined : Number(ms) / DAY_MS);
  const ids = new Set<bigint>();
  const refs = new Set<string>();
  const referenced = new Set<bigint>();
  for (const [name, ref] of metadata.refs) {
    const mostRefDays = inDays(ref.maxRefAgeMs) ?? limits.refDays ?? Infinity;
    if (name !== MAIN_BRANCH && days(ref.snapshotId) > mostRefDays) continue;
    refs.add(name);
    const line: bigint[] = [];
    for (
      let id: bigint | undefined = ref.snapshotId;
      id !== undefined && byId.has(id);
      id = ref.type === 'tag' ? undefined : byId.get(id)?.parentSnapshotId
    )
      line.push(id);
    for (const id of line) referenced.add(id);
    if (ref.type === 'tag') {
      ids.add(ref.snapshotId);
      continue;
    }
    const least = ref.minSnapshotsToKeep ?? limits.retainLast;
    const mostDays = inDays(ref.maxSnapshotAgeMs) ?? limits.ageDays;
    const firstOld = line.findIndex((id, position) => position >= least && days(id) > mostDays);
    for (const id of firstOld < 0 ? line : line.slice(0, firstOld)) ids.add(id);
  }
  for (const { snapshotId } of metadata.snapshots)
    if (!referenced.has(snapshotId) && days(snapshotId) <= limits.ageDays) ids.add(snapshotId);
  return { refs, ids };
}

/** Every file that snapshots reach, read from the files themselves. */
function reached(metadata: TableMetadata, snapshots: ReadonlySet<bigint>): Set<string> {
  const files = new Set<string>();
  for (const { snapshotId, manifestList = '' } of metadata.snapshots) {
    if (!snapshots.has(snapshotId)) continue;
    files.add(manifestList);
    for (const manifest of readManifestList(readFileSync(manifestList), manifestList)) {
      files.add(manifest.manifestPath);
      const context = { specs: metadata.partitionSpecs, schemas: metadata.schemas };
      const entries: readonly ManifestEntry[] = readManifest(readFileSync(manifest.manifestPath), context, manifest);
      for (const { status, dataFile } of entries) if (status !== 'deleted') files.add(dataFile.filePath);
    }
  }
  return files;
}

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const setRef = (lab: MaintenanceLab, refName: string, ref: SnapshotRef): Promise<void> =>
  lab.update('ns.t', { action: 'set-snapshot-ref', refName, ref });

/** Sets the limits that are given as properties of the table. */
async function setLimits(lab: MaintenanceLab, limits: Partial<Omit<Limits, 'nowMs'>>): Promise<void> {
  const { ageDays, retainLast, refDays } = limits;
  const updates = new Map<string, string>();
  if (ageDays !== undefined) updates.set('history.expire.max-snapshot-age-ms', String(daysMs(ageDays)));
  if (retainLast !== undefined) updates.set('history.expire.min-snapshots-to-keep', String(retainLast));
  if (refDays !== undefined) updates.set('history.expire.max-ref-age-ms', String(daysMs(refDays)));
  if (updates.size > 0) await lab.update('ns.t', { action: 'set-properties', updates });
}

/** Adds a file to one of the branches besides `main`. */
async function commitToBranch(lab: MaintenanceLab, which: number): Promise<void> {
  const { refs } = (await lab.load('ns.t')).metadata;
  const main = refs.get(MAIN_BRANCH);
  const branches = [...refs].filter(([name, { type }]) => name !== MAIN_BRANCH && type === 'branch');
  const [name, branch] = branches[which % Math.max(1, branches.length)] ?? [];
  if (main === undefined || name === undefined || branch === undefined) return;
  await setRef(lab, MAIN_BRANCH, { ...main, snapshotId: branch.snapshotId });
  const { snapshotId } = await lab.append('ns.t');
  await setRef(lab, name, { ...branch, snapshotId });
  await setRef(lab, MAIN_BRANCH, main);
}

async function play(lab: MaintenanceLab, steps: readonly Step[]): Promise<void> {
  await lab.create('ns.t');
  let live: string[] = [];
  for (const [at, each] of steps.entries()) {
    lab.daysAgo = 29.5 - 2 * at;
    const table = await lab.load('ns.t');
    const main = table.metadata.refs.get(MAIN_BRANCH);
    const ids = table.metadata.snapshots.map(({ snapshotId }) => snapshotId);
    const snapshotId = 'snapshot' in each ? ids[each.snapshot % Math.max(1, ids.length)] : undefined;
    if (each.do === 'append') live.push((await lab.append('ns.t')).path);
    else if (each.do === 'replace' && live.length > 0) {
      const [removed = ''] = live.splice(each.file % live.length, 1);
      live.push((await lab.replace('ns.t', removed)).path);
    } else if (each.do === 'orphan') lab.place(table, `${each.folder}/orphan-${at}`, each.ageDays + 0.5);
    else if (each.do === 'settings-of-main' && main !== undefined)
      await setRef(lab, MAIN_BRANCH, branchRef(main.snapshotId, each.settings));
    else if (each.do === 'commit-to-branch') await commitToBranch(lab, each.branch);
    else if (snapshotId === undefined) continue;
    else if (each.do === 'tag') await setRef(lab, `tag-${at}`, tagRef(snapshotId, each.refDays));
    else if (each.do === 'branch') await setRef(lab, `branch-${at}`, branchRef(snapshotId, each.settings));
    else if (each.do === 'rollback') {
      await setRef(lab, MAIN_BRANCH, { ...main, type: 'branch', snapshotId });
      const files = reached((await lab.load('ns.t')).metadata, new Set([snapshotId]));
      live = [...files].filter((path) => path.endsWith('.parquet'));
    }
  }
  lab.daysAgo = 0;
}

const NO_SCHEMA = { schemaId: 0, identifierFieldIds: [], fields: [] };
const NOW_MS = 100 * DAY_MS;

/** Metadata alone: snapshots with a parent among those before them, about as far apart as the limits are, and refs of every kind. */
const refsOnly = fc.record({
  snapshots: fc.array(fc.record({ isChild: fc.nat(5), parent: index, hours: fc.integer({ min: 1, max: 90 }) }), {
    minLength: 1,
    maxLength: 14,
  }),
  main: fc.record({ at: index, settings: branchSettings }),
  branches: fc.array(fc.record({ at: fc.nat(13), settings: branchSettings }), { maxLength: 4 }),
  tags: fc.array(fc.record({ at: fc.nat(13), refDays: optionalDays }), { maxLength: 2 }),
  limits: fc.record({
    ageDays: fc.integer({ min: 1, max: 20 }),
    retainLast: fc.integer({ min: 1, max: 3 }),
    refDays: optionalDays,
  }),
});

type RefsOnly = typeof refsOnly extends fc.Arbitrary<infer T> ? T : never;

function metadataOf({ snapshots: steps, main, branches, tags, limits }: RefsOnly): TableMetadata {
  let ageHours = steps.reduce((sum, { hours }) => sum + hours, 0);
  const snapshots = steps.map(({ isChild, parent, hours }, at) => {
    ageHours -= hours;
    const parentId = isChild > 0 ? at : parent % (at + 1);
    return {
      snapshotId: BigInt(at + 1),
      ...(parentId === 0 ? {} : { parentSnapshotId: BigInt(parentId) }),
      sequenceNumber: BigInt(at + 1),
      timestampMs: BigInt(NOW_MS - ageHours * 3_600_000 - 1),
      summary: new Map(),
    };
  });
  const idAt = (at: number) => BigInt((at % snapshots.length) + 1);
  const currentSnapshotId = BigInt(Math.max(1, snapshots.length - main.at));
  const properties = new Map<string, string>();
  if (limits.refDays !== undefined) properties.set('history.expire.max-ref-age-ms', String(daysMs(limits.refDays)));
  return {
    ...newTableMetadata({ schema: NO_SCHEMA, location: '/t', tableUuid: '', nowMs: 0n }),
    properties,
    snapshots,
    currentSnapshotId,
    refs: new Map([
      [MAIN_BRANCH, branchRef(currentSnapshotId, main.settings)],
      ...branches.map(({ at, settings }, n) => [`branch-${n}`, branchRef(idAt(at), settings)] as const),
      ...tags.map(({ at, refDays }, n) => [`tag-${n}`, tagRef(idAt(at), refDays)] as const),
    ]),
  };
}

test('snapshots and refs expire by the settings of each branch and tag', () => {
  fc.assert(
    fc.property(refsOnly, (history) => {
      const metadata = metadataOf(history);
      const { ageDays, retainLast } = history.limits;
      const expected = toKeep(metadata, { nowMs: NOW_MS, ...history.limits });
      const plan = planExpiry(metadata, { olderThanMs: daysMs(ageDays), retainLast }, [], BigInt(NOW_MS));
      const all = metadata.snapshots.map(({ snapshotId }) => snapshotId);
      expect(new Set(plan.kept.keys())).toEqual(expected.ids);
      expect(new Set(plan.snapshotIds)).toEqual(new Set(all.filter((id) => !expected.ids.has(id))));
      expect(new Set(plan.refs)).toEqual(new Set([...metadata.refs.keys()].filter((name) => !expected.refs.has(name))));
    }),
    { numRuns: runs(2000) },
  );
});

test(
  'maintenance deletes exactly the files that are unreachable and old, and a dry run names them before',
  async () => {
    let [expired, orphans, kept] = [0, 0, 0];
    await fc.assert(
      fc.asyncProperty(history, async ({ steps, retainLast, ageDays, refDays, asProperties }) => {
        const lab = await MaintenanceLab.open();
        await play(lab, steps);
        await setLimits(lab, { refDays, ...(asProperties ? { ageDays, retainLast } : {}) });
        const { metadata, metadataLocation } = await lab.load('ns.t');
        const root = metadata.location;
        const { refs, ids: keep } = toKeep(metadata, { nowMs: Date.now(), ageDays, retainLast, refDays });
        const all = new Set(metadata.snapshots.map(({ snapshotId }) => snapshotId));
        const staying = reached(metadata, keep);
        const wasReached = reached(metadata, all);
        const listed = [metadataLocation, ...metadata.metadataLog.map(({ metadataFile }) => metadataFile)];
        const isOld = (path: string) => Date.now() - statSync(path).mtimeMs > 3 * DAY_MS;
        const before = filesIn(root);
        const mustGo = before.filter(
          (path) => !staying.has(path) && !listed.includes(path) && (wasReached.has(path) || isOld(path)),
        );
        const expiry = asProperties ? {} : { olderThanMs: daysMs(ageDays), retainLast };
        const verdicts = await foretold(lab.deps, 'ns.t', { expiry });
        const toGo = [...verdicts.values()].filter(({ action }) => action === 'delete').map(({ path }) => path);

        await expireOnce(lab.deps, 'ns.t', expiry);
        await sweepOrphans(lab.deps, 'ns.t', {});

        const after = (await lab.load('ns.t')).metadata;
        expect(new Set(after.snapshots.map(({ snapshotId }) => snapshotId))).toEqual(keep);
        expect(new Set(after.refs.keys())).toEqual(refs);
        expect(before.filter((path) => !existsSync(path)).toSorted()).toEqual(mustGo.toSorted());
        expect(toGo.toSorted()).toEqual(mustGo.toSorted());
        expired += all.size - keep.size;
        orphans += mustGo.filter((path) => !wasReached.has(path)).length;
        kept += keep.size;
      }),
      { numRuns: runs(25) },
    );
    // The histories were of the kind that this is about.
    expect(Math.min(expired, orphans, kept)).toBeGreaterThan(0);
  },
  timeLimit(60_000),
);
