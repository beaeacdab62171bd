/** Random histories of a table: what maintenance deletes is exactly what an independent reading of the table cannot reach and is old. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  MAIN_BRANCH,
  type ManifestEntry,
  readManifest,
  readManifestList,
  type TableMetadata,
} from '../../iceberg/index.js';
import {
  commitExpiry,
  deleteExpiredFiles,
  dryRunMaintenance,
  stageExpiry,
  sweepOrphans,
} from '../../maintenance/index.js';
import { DAY_MS, MaintenanceLab } from '../support/maintenance-lab.js';
import { runs, timeLimit } from '../support/property-runs.js';

const index = fc.nat(7);
const step = fc.oneof(
  fc.record({ do: fc.constant('append' as const) }),
  fc.record({ do: fc.constant('replace' as const), file: index }),
  fc.record({ do: fc.constant('tag' as const), snapshot: index }),
  fc.record({ do: fc.constant('branch' as const), snapshot: index, keep: fc.integer({ min: 2, max: 4 }) }),
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
});

/** The snapshots to keep, by the rules of the specification written down once more, in the plainest way. */
function snapshotsToKeep(metadata: TableMetadata, ageDays: number, retainLast: number): Set<bigint> {
  const byId = new Map(metadata.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
  const old = (id: bigint) => Date.now() - Number(byId.get(id)?.timestampMs) > ageDays * DAY_MS;
  const keep = new Set<bigint>();
  const referenced = new Set<bigint>();
  for (const ref of metadata.refs.values()) {
    if (ref.type === 'tag') {
      keep.add(ref.snapshotId);
      referenced.add(ref.snapshotId);
      continue;
    }
    const line: bigint[] = [];
    for (
      let id: bigint | undefined = ref.snapshotId;
      id !== undefined && byId.has(id);
      id = byId.get(id)?.parentSnapshotId
    )
      line.push(id);
    for (const id of line) referenced.add(id);
    const firstOld = line.findIndex((id, position) => position >= (ref.minSnapshotsToKeep ?? retainLast) && old(id));
    for (const id of firstOld < 0 ? line : line.slice(0, firstOld)) keep.add(id);
  }
  for (const { snapshotId } of metadata.snapshots)
    if (!referenced.has(snapshotId) && !old(snapshotId)) keep.add(snapshotId);
  return keep;
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

async function play(lab: MaintenanceLab, steps: readonly Step[]): Promise<void> {
  await lab.create('ns.t');
  let live: string[] = [];
  for (const [at, each] of steps.entries()) {
    lab.daysAgo = 29 - 2 * at;
    const table = await lab.load('ns.t');
    const ids = table.metadata.snapshots.map(({ snapshotId }) => snapshotId);
    const snapshotId = 'snapshot' in each ? ids[each.snapshot % Math.max(1, ids.length)] : undefined;
    if (each.do === 'append') live.push((await lab.append('ns.t')).path);
    else if (each.do === 'replace' && live.length > 0) {
      const [removed = ''] = live.splice(each.file % live.length, 1);
      live.push((await lab.replace('ns.t', removed)).path);
    } else if (each.do === 'orphan') lab.place(table, `${each.folder}/orphan-${at}`, each.ageDays + 0.5);
    else if (snapshotId === undefined) continue;
    else if (each.do === 'tag') await lab.tag('ns.t', `tag-${at}`, snapshotId);
    else if (each.do === 'branch') {
      const ref = { type: 'branch' as const, snapshotId, minSnapshotsToKeep: each.keep };
      await lab.update('ns.t', { action: 'set-snapshot-ref', refName: `branch-${at}`, ref });
    } else if (each.do === 'rollback') {
      await lab.update('ns.t', {
        action: 'set-snapshot-ref',
        refName: MAIN_BRANCH,
        ref: { type: 'branch', snapshotId },
      });
      const files = reached((await lab.load('ns.t')).metadata, new Set([snapshotId]));
      live = [...files].filter((path) => path.endsWith('.parquet'));
    }
  }
  lab.daysAgo = 0;
}

test(
  'maintenance deletes exactly the files that are unreachable and old, and a dry run names them before',
  async () => {
    let [expired, orphans, kept] = [0, 0, 0];
    await fc.assert(
      fc.asyncProperty(history, async ({ steps, retainLast, ageDays }) => {
        const lab = await MaintenanceLab.open();
        await play(lab, steps);
        const { metadata, metadataLocation } = await lab.load('ns.t');
        const root = metadata.location;
        const keep = snapshotsToKeep(metadata, ageDays, retainLast);
        const all = new Set(metadata.snapshots.map(({ snapshotId }) => snapshotId));
        const staying = reached(metadata, keep);
        const wasReached = reached(metadata, all);
        const listed = [metadataLocation, ...metadata.metadataLog.map(({ metadataFile }) => metadataFile)];
        const isOld = (path: string) => Date.now() - statSync(path).mtimeMs > 3 * DAY_MS;
        const before = filesIn(root);
        const mustGo = before.filter(
          (path) => !staying.has(path) && !listed.includes(path) && (wasReached.has(path) || isOld(path)),
        );
        const expiry = { olderThanMs: BigInt(ageDays * DAY_MS), retainLast };
        const foretold: string[] = [];
        const dryRun = await dryRunMaintenance(lab.deps, 'ns.t', { expiry, orphans: {} });
        for await (const file of dryRun.files) if (file.action === 'delete') foretold.push(file.path);

        const { planLocation } = await stageExpiry(lab.deps, 'ns.t', expiry);
        if (planLocation !== null) {
          await commitExpiry(lab.deps, 'ns.t', planLocation);
          await deleteExpiredFiles(lab.deps, 'ns.t', planLocation);
        }
        await sweepOrphans(lab.deps, 'ns.t', {});

        const after = (await lab.load('ns.t')).metadata;
        expect(new Set(after.snapshots.map(({ snapshotId }) => snapshotId))).toEqual(keep);
        expect(before.filter((path) => !existsSync(path)).toSorted()).toEqual(mustGo.toSorted());
        expect(foretold.toSorted()).toEqual(mustGo.toSorted());
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
