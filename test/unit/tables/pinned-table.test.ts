/** Steps that run, or are repeated, long after their plan: the metadata file that was current then is gone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commitCompaction, planCompaction, rewriteGroup } from '../../../maintenance/index.js';
import { commitMaterialization, extractShard, planMaterialization } from '../../../materialization/index.js';
import { getOnlineFeatures } from '../../../online/index.js';
import type { Table } from '../../../tables/index.js';
import { compactDeps, liveRows } from '../../support/compaction-lab.js';
import { DeleteWriter } from '../../support/delete-writer.js';
import { Lab, SOURCE } from '../../support/materialization-lab.js';
import { isStored } from '../../support/test-store.js';

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
});
afterEach(() => lab.close());

const pathOf = (table: Table): string => table.metadataLocation.replace(/^file:\/\//, '');

/** Commits to a table that keeps a single old metadata file. */
async function commitOften({ identifier }: Table, commits = 20): Promise<void> {
  const few: [string, string][] = [
    ['write.metadata.delete-after-commit.enabled', 'true'],
    ['write.metadata.previous-versions-max', '1'],
  ];
  for (let commit = 0; commit < commits; commit++) {
    const properties = new Map([...few, ['tick', String(commit)]]);
    await lab.catalog.commitTable(identifier, {
      requirements: [],
      updates: [{ action: 'set-properties', updates: properties }],
    });
  }
}

/** A source of three files, of which rows were deleted by position: key 1 counts with v = 1, key 2 with v = 2, key 3 is gone. */
async function sourceWithDeletes(): Promise<void> {
  await lab.append([
    { k: 1, at: 10, v: 1 },
    { k: 3, at: 10, v: 3 },
  ]);
  await lab.append([{ k: 1, at: 20, v: 9 }]);
  await lab.append([{ k: 2, at: 20, v: 2 }]);
  await deleteValues('9', '3');
}

/** Deletes rows of the source by position, given their values. */
async function deleteValues(...values: readonly string[]): Promise<void> {
  const rows = await liveRows(lab, await lab.source(), { select: 'v, file, row' });
  const places = rows.flatMap((row) => {
    const [v = '', path = '', position] = row.split('|');
    return values.includes(v) ? [{ path, position: Number(position) }] : [];
  });
  const writer = new DeleteWriter(lab, { namespace: ['demo'], name: 'source' });
  await writer.commit([await writer.positions(places)]);
}

const planned = () => planMaterialization(lab.deps, { view: 'readings', attemptId: 'pinned' });

/** Makes a plan what version 0.1 wrote: without a copy of the metadata. */
function asVersion01(planLocation: string): void {
  const path = planLocation.replace(/^file:\/\//, '');
  const [head = '', ...groups] = readFileSync(path, 'utf8').split('\n');
  const plan = JSON.parse(head) as {
    metadata?: string;
    source?: { metadata?: string };
    online?: { metadata?: string };
  };
  for (const part of [plan, plan.source, plan.online]) delete part?.metadata;
  writeFileSync(path, [JSON.stringify(plan), ...groups].join('\n'));
}

it('a shard that is extracted many commits after its plan reads the planned rows, those deleted since included', async () => {
  await sourceWithDeletes();
  const plan = await planned();
  const [source, online] = [await lab.source(), await lab.online()];
  await deleteValues('2');
  await lab.append([{ k: 1, at: 30, v: 7 }]);
  for (const table of [source, online]) await commitOften(table);
  expect([source, online].map((table) => isStored(pathOf(table)))).toEqual([false, false]);
  const extracted = await extractShard(lab.deps, plan.planLocation ?? '', 0);
  expect(extracted.rows).toBe(2n);
  await commitMaterialization(lab.deps, plan.planLocation ?? '', [extracted.manifestLocation ?? '']);
  const { rows } = await getOnlineFeatures(lab.deps, {
    view: 'readings',
    entities: [{ k: 1 }, { k: 2 }, { k: 3 }],
    nowUs: 1_000_000_000_000n,
    readTimeoutMs: 60_000,
  });
  expect(rows.map(([value]) => value?.value ?? null)).toEqual([1, 2, null]);
});

it('a group that is rewritten and committed many commits after its plan loses no row and brings back no deleted one', async () => {
  await sourceWithDeletes();
  const deps = compactDeps(lab);
  const strategy = { strategy: 'sort', columns: ['k'] } as const;
  const { planLocation } = await planCompaction(deps, { table: SOURCE, ...strategy });
  const source = await lab.source();
  await lab.append([{ k: 4, at: 40, v: 4 }]);
  await commitOften(source);
  expect(isStored(pathOf(source))).toBe(false);
  const { manifestLocation } = await rewriteGroup(deps, planLocation ?? '', 0);
  const { committed } = await commitCompaction(deps, planLocation ?? '', [{ group: 0, manifestLocation }]);
  expect(committed).toEqual([0]);
  expect(await liveRows(lab, await lab.source(), { select: 'k, v' })).toEqual(['1|1', '2|2', '4|4']);
});

it('a plan of version 0.1 is read through its metadata file, and is stale once that is gone', async () => {
  await sourceWithDeletes();
  const { planLocation } = await planned();
  asVersion01(planLocation ?? '');
  const source = await lab.source();
  expect((await extractShard(lab.deps, planLocation ?? '', 0)).rows).toBe(2n);
  await commitOften(source, 3);
  await expect(extractShard(lab.deps, planLocation ?? '', 0)).rejects.toMatchObject({
    code: 'PLAN_STALE',
    message: expect.stringContaining(source.metadataLocation) as string,
  });
  const compaction = await planCompaction(compactDeps(lab), { table: SOURCE, strategy: 'sort', columns: ['k'] });
  asVersion01(compaction.planLocation ?? '');
  expect((await rewriteGroup(lab, compaction.planLocation ?? '', 0)).rows).toBe(2n);
  await commitOften(await lab.source(), 3);
  await expect(rewriteGroup(lab, compaction.planLocation ?? '', 0)).rejects.toMatchObject({ code: 'PLAN_STALE' });
});
