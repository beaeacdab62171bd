/**
 * Everything after the swap of a commit fails for real: the moment the catalog has changed, the folder of all tables is gone, moved, or
 * a link without end. The commit has landed, and is reported so.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { createMoraine, type Moraine } from '../../index.js';
import {
  commitCompaction,
  commitExpiry,
  endCompaction,
  planCompaction,
  rewriteGroup,
  stageExpiry,
  tidyManifests,
} from '../../maintenance/index.js';
import {
  commitMaterialization,
  commitWindows,
  extractShard,
  planMaterialization,
  type StagedWindow,
} from '../../materialization/index.js';
import { compactDeps, maintenanceDeps, materializationDeps } from '../../project/index.js';
import {
  commitAppend,
  commitOverwrite,
  leasesOf,
  planFiles,
  releaseLease,
  selectSnapshot,
  type Table,
  takeLease,
} from '../../tables/index.js';
import { SmallProject } from '../support/small-project.js';

/** Damages to the warehouse after the swap. */
const DAMAGES: Readonly<Record<string, (warehouse: string) => void>> = {
  'a link without end': (warehouse) => symlinkSync('warehouse', warehouse),
  'a link to elsewhere': (warehouse) => symlinkSync('/', warehouse),
  'a file': (warehouse) => writeFileSync(warehouse, ''),
  gone: () => undefined,
};

interface Statement {
  run(...parameters: readonly unknown[]): { readonly changes: number };
}

/** The connections of every catalog. */
const connections = Database.prototype as unknown as { prepare: (this: unknown, sql: string) => Statement };
const { prepare: realPrepare } = connections;
afterEach(() => {
  connections.prepare = realPrepare;
});

/** Damages the warehouse right after the next change of the rows of `iceberg_tables`, or a later one. Returns what repairs it. */
function damageAfterSwap(small: SmallProject, damage: (warehouse: string) => void, swaps = 1): () => void {
  const warehouse = join(small.folder, 'warehouse');
  let isDone = false;
  let left = swaps;
  connections.prepare = function (sql) {
    const statement = realPrepare.call(this, sql);
    if (isDone || !/^\s*(UPDATE|INSERT INTO|DELETE FROM) iceberg_tables/.test(sql)) return statement;
    const run = statement.run.bind(statement);
    statement.run = (...parameters) => {
      const result = run(...parameters);
      if (result.changes === 1) left -= 1;
      if (result.changes === 1 && left === 0) {
        isDone = true;
        renameSync(warehouse, `${warehouse}.away`);
        damage(warehouse);
      }
      return result;
    };
    return statement;
  };
  return () => {
    expect(isDone).toBe(true);
    connections.prepare = realPrepare;
    rmSync(warehouse, { force: true });
    renameSync(`${warehouse}.away`, warehouse);
  };
}

interface World {
  readonly small: SmallProject;
  readonly moraine: Moraine;
}

async function openWorld(): Promise<World> {
  const small = await SmallProject.create();
  await small.append(100);
  await small.append(100, 100);
  const moraine = await createMoraine({ cwd: small.folder, fileFolders: [small.folder] });
  onTestFinished(() => moraine.close());
  return { small, moraine };
}

const source = { namespace: ['demo'], name: 'readings' };
const snapshotCount = async ({ small }: World): Promise<number> => (await small.source()).metadata.snapshots.length;

/** Work whose last change of a catalog lands: how it is prepared and done, and what shows that it landed once. */
interface Work {
  readonly name: string;
  /** Swaps until the commit has landed; 1 unless given. */
  readonly swaps?: number;
  readonly prepare: (world: World) => Promise<() => Promise<unknown>>;
  readonly expectLanded: (world: World) => Promise<void>;
}

const files = async (table: Table) => (await planFiles(table, selectSnapshot(table.metadata))).files;

const WORKS: readonly Work[] = [
  {
    name: 'an append from a file',
    prepare: async ({ small, moraine }) => {
      const file = join(small.folder, 'rows.csv');
      writeFileSync(file, 'sensor,event_ts,reading\n1,2026-01-01T00:00:00Z,5\n');
      return async () => expect((await moraine.appendFile('demo.readings', file)).rows).toBe(1n);
    },
    expectLanded: async (world) => expect(await snapshotCount(world)).toBe(3),
  },
  {
    name: 'a delete of rows',
    prepare:
      async ({ moraine }) =>
      async () =>
        expect((await moraine.deleteRows('demo.readings', 'reading < 10')).rows).toBe(10n),
    expectLanded: async (world) => expect(await snapshotCount(world)).toBe(3),
  },
  {
    name: 'an overwrite',
    prepare: async ({ small }) => {
      const table = await small.source();
      const [first] = await files(table);
      const removeFiles = [first?.file.filePath ?? ''];
      return async () => expect((await commitOverwrite(table, { files: [], removeFiles })).outcome).toBe('committed');
    },
    expectLanded: async (world) => {
      expect(await files(await world.small.source())).toHaveLength(1);
      expect(await snapshotCount(world)).toBe(3);
    },
  },
  {
    name: 'an upgrade of the format',
    prepare:
      async ({ moraine }) =>
      async () =>
        expect((await moraine.upgradeTable('demo.readings', 3)).to).toBe(3),
    expectLanded: async ({ small }) => expect((await small.source()).metadata.formatVersion).toBe(3),
  },
  {
    name: 'a lease that is taken',
    prepare: async ({ small }) => {
      const table = await small.source();
      const expiresAtMs = BigInt(Date.now() + 60_000);
      return () => takeLease(table, { id: 'r', kind: 'compact', snapshotIds: [], filePrefixes: [], expiresAtMs });
    },
    expectLanded: async ({ small }) => {
      const table = await small.source();
      expect(leasesOf(table.metadata).map(({ id }) => id)).toEqual(['r']);
      await releaseLease(table, 'r');
    },
  },
  {
    name: 'metadata files that fall out of the log and are deleted',
    prepare: async ({ small, moraine }) => {
      const catalog = await small.project.catalog();
      const properties = new Map([
        ['write.metadata.previous-versions-max', '1'],
        ['write.metadata.delete-after-commit.enabled', 'true'],
      ]);
      const updates = [{ action: 'set-properties' as const, updates: properties }];
      await catalog.commitTable(source, { requirements: [], updates });
      return async () => expect((await moraine.upgradeTable('demo.readings', 3)).to).toBe(3);
    },
    expectLanded: async ({ small }) => expect((await small.source()).metadata.formatVersion).toBe(3),
  },
  {
    name: 'an expiry of snapshots',
    swaps: 2,
    prepare: async ({ small }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const deps = maintenanceDeps(small.project);
      const { planLocation } = await stageExpiry(deps, small.table, { olderThanMs: 0n });
      return async () => expect(await commitExpiry(deps, small.table, planLocation ?? '')).toBe(1);
    },
    expectLanded: async (world) => expect(await snapshotCount(world)).toBe(1),
  },
  {
    name: 'manifests that are repacked',
    prepare:
      async ({ small }) =>
      async () =>
        expect(await tidyManifests(maintenanceDeps(small.project), small.table)).toMatchObject({
          manifestsBefore: 2,
          manifestsAfter: 1,
        }),
    expectLanded: async (world) => expect(await snapshotCount(world)).toBe(3),
  },
  {
    name: 'a table that is created',
    prepare:
      async ({ moraine }) =>
      () =>
        moraine.createTable('demo.made', { schema: { schemaId: 0, identifierFieldIds: [], fields: [] } }),
    expectLanded: async ({ small }) =>
      expect((await small.project.loadTable('demo.made')).metadata.snapshots).toEqual([]),
  },
  {
    name: 'a table that is dropped',
    prepare:
      async ({ small }) =>
      async () =>
        (await small.project.catalog()).dropTable(source),
    expectLanded: async ({ small }) => expect(await (await small.project.catalog()).listTables(['demo'])).toEqual([]),
  },
  {
    name: 'a table that is renamed',
    prepare:
      async ({ small }) =>
      async () =>
        (await small.project.catalog()).renameTable(source, { namespace: ['demo'], name: 'moved' }),
    expectLanded: async ({ small }) =>
      expect((await small.project.loadTable('demo.moved')).metadata.snapshots).toHaveLength(2),
  },
  {
    name: 'definitions that are applied',
    prepare: async ({ small }) => {
      const registry = await small.project.registry();
      const { definitions } = await registry.read();
      const entities = new Map([...definitions.entities, ['added', { name: 'added', joinKeys: ['sensor'] }] as const]);
      return () => registry.apply({ ...definitions, entities });
    },
    expectLanded: async ({ small }) => {
      const { definitions } = await (await small.project.registry()).read();
      expect([...definitions.entities.keys()].toSorted()).toEqual(['added', 'sensor']);
    },
  },
  {
    name: 'the commit of a materialization',
    prepare: async ({ small }) => {
      const deps = await materializationDeps(small.project);
      const plan = await planMaterialization(deps, { view: small.view, attemptId: randomUUID(), shards: 1 });
      const planLocation = plan.planLocation ?? '';
      const { manifestLocation } = await extractShard(deps, planLocation, 0);
      return async () => {
        const commit = await commitMaterialization(deps, planLocation, [manifestLocation ?? '']);
        expect(commit).toMatchObject({ outcome: 'committed', rows: 100n });
      };
    },
    expectLanded: async ({ small }) => expect(await small.onlineRows()).toEqual(await small.recomputed()),
  },
  {
    name: 'the commit of windows of a backfill',
    prepare: async ({ small }) => {
      const deps = await materializationDeps(small.project);
      const staged: StagedWindow[] = [];
      for (const startUs of [0n, 100_000_000n]) {
        const request = { view: small.view, attemptId: randomUUID(), shards: 1, isBackfill: true };
        const plan = await planMaterialization(deps, { ...request, startUs, endUs: startUs + 100_000_000n });
        const planLocation = plan.planLocation ?? '';
        const { manifestLocation } = await extractShard(deps, planLocation, 0);
        staged.push({ planLocation, manifestLocations: [manifestLocation ?? ''], workMs: 1 });
      }
      return async () => expect((await commitWindows(deps, staged)).outcomes).toEqual(['committed', 'committed']);
    },
    expectLanded: async ({ small }) => {
      const { metadata } = await small.online();
      expect(metadata.snapshots.map(({ summary }) => summary.get('moraine.windows'))).toEqual(['2']);
    },
  },
  {
    name: 'the commit of a compaction, and its end',
    prepare: async ({ small }) => {
      for (const second of [200, 300, 400]) await small.append(10, second);
      const deps = await compactDeps(small.project);
      const runId = randomUUID();
      const request = { table: small.table, strategy: 'binpack' as const, allowTieChange: true };
      const { planLocation } = await planCompaction(deps, request, { runId });
      const { manifestLocation } = await rewriteGroup(deps, planLocation ?? '', 0);
      return async () => {
        const done = await commitCompaction(deps, planLocation ?? '', [{ group: 0, manifestLocation }]);
        expect(done).toMatchObject({ committed: [0], conflicts: [] });
        await endCompaction(deps, small.table, runId);
      };
    },
    expectLanded: async (world) => {
      expect(await files(await world.small.source())).toHaveLength(1);
      expect(await snapshotCount(world)).toBe(6);
    },
  },
];

test.each(WORKS)('faults 81: $name is reported as landed', async ({ prepare, expectLanded, swaps }) => {
  const world = await openWorld();
  const work = await prepare(world);
  const repair = damageAfterSwap(world.small, DAMAGES['a link without end'] ?? (() => undefined), swaps);
  try {
    await work();
  } finally {
    repair();
  }
  await expectLanded(world);
});

test.each(Object.keys(DAMAGES))('faults 81: an append has landed though the warehouse is %s', async (kind) => {
  const { small } = await openWorld();
  const table = await small.source();
  const [first] = await files(table);
  const repair = damageAfterSwap(small, DAMAGES[kind] ?? (() => undefined));
  const { outcome, attempts } = await commitAppend(table, { files: first === undefined ? [] : [first.file] }).finally(
    repair,
  );
  expect([outcome, attempts]).toEqual(['committed', 1]);
  expect((await small.source()).metadata.snapshots).toHaveLength(3);
});

test('faults 81: a temporary folder that cannot be removed fails no project that is closed', async () => {
  const { small, moraine } = await openWorld();
  await moraine.project.engine();
  const temporary = join(small.folder, 'tmp');
  renameSync(temporary, `${temporary}.away`);
  writeFileSync(temporary, '');
  await moraine.close();
  rmSync(temporary);
  mkdirSync(temporary);
});
