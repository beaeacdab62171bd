/**
 * Moves whose process dies, or whose catalogs answer late, twice or not at all, at every access; and writers beside a move. The catalogs check
 * the requirements of the REST specification and nothing else: they take a late commit on whatever the table is by then.
 */
import { describe, expect, test } from 'vitest';
import type { Catalog, Clock } from '../../../catalogs/index.js';
import { SYSTEM_CLOCK } from '../../../catalogs/index.js';
import { MemoryPointers, openMemoryCatalog } from '../../../catalogs/memory/memory-catalog.js';
import { MoraineError } from '../../../errors/index.js';
import { type MovedTable, moveTable } from '../../../maintenance/index.js';
import { commitAppend, commitUpdates, loadTable, MOVED_TO, type Table } from '../../../tables/index.js';
import { type Access, type Gate, OPEN_GATE } from '../../simulation/gate.js';
import { MemoryFileIO, MemoryStorage } from '../../simulation/memory-file-io.js';
import { RequirementsOnly } from '../../simulation/requirements-only.js';
import { allPoints, type CrashPoint, Killed, ProcessBoundary } from '../../support/crash-points.js';
import { DeleteWriter } from '../../support/delete-writer.js';
import { rejectionCode } from '../../support/error-code.js';
import { expectIntact } from '../../support/intact-table.js';
import { dataFile } from '../../support/table-fixture.js';

const HASTY_CLOCK: Clock = { ...SYSTEM_CLOCK, sleep: () => Promise.resolve() };
const ROOT = 'memory://store';
const IDENTIFIER = { namespace: ['ns'], name: 't' };
const SCHEMA = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [{ id: 1, name: 'id', required: true, type: { kind: 'long' as const } }],
};

/** The means of one process. */
interface Site {
  readonly io: MemoryFileIO;
  readonly old: Catalog;
  readonly target: Catalog;
  move(): Promise<MovedTable>;
}

/** Two catalogs on one storage; the old one has a table with two branches of history and a deletion vector. */
class World {
  readonly storage = new MemoryStorage(() => Date.now());
  readonly #servers: Readonly<Record<'old' | 'target', RequirementsOnly>>;
  #files = 0;

  private constructor() {
    const io = new MemoryFileIO(this.storage, [ROOT], OPEN_GATE);
    const server = (name: string) =>
      new RequirementsOnly(
        openMemoryCatalog({ name, pointers: new MemoryPointers(), io, warehouse: `${ROOT}/${name}`, reach: OPEN_GATE }),
      );
    this.#servers = { old: server('old'), target: server('target') };
  }

  static async make(): Promise<World> {
    const world = new World();
    const { old, io } = world.site();
    await old.createNamespace(['ns']);
    await old.createTable(IDENTIFIER, { schema: SCHEMA, formatVersion: 3 });
    const first = await world.append();
    await world.append();
    await world.tag('first', first.snapshotId);
    const deletes = new DeleteWriter({ io, catalog: old, engine: null as never }, IDENTIFIER);
    await deletes.commit(await deletes.vectors([{ path: first.path, positions: [1, 3] }]));
    return world;
  }

  site(gate: Gate = OPEN_GATE): Site {
    const io = new MemoryFileIO(this.storage, [ROOT], gate);
    const old = this.#servers.old.client(gate, HASTY_CLOCK);
    const target = this.#servers.target.client(gate, HASTY_CLOCK);
    const tables = async function* (): AsyncGenerator<Table> {
      for (const catalog of [old, target]) {
        if (!(await catalog.namespaceExists(['ns']))) continue;
        for (const identifier of await catalog.listTables(['ns'])) yield await loadTable(catalog, io, identifier);
      }
    };
    const deps = {
      target,
      tables,
      guardedPlaces: () => Promise.resolve([]),
      engine: () => Promise.reject(new Error('no engine is needed')),
    };
    return { io, old, target, move: async () => moveTable(deps, await loadTable(old, io, IDENTIFIER)) };
  }

  table(of: 'old' | 'target' = 'old', site = this.site()): Promise<Table> {
    return loadTable(site[of], site.io, IDENTIFIER);
  }

  async append(of: 'old' | 'target' = 'old', site = this.site()) {
    const table = await this.table(of, site);
    this.#files += 1;
    const path = `${table.metadata.location}/data/file-${this.#files}.parquet`;
    const content = Buffer.from(`file ${this.#files}`);
    await site.io.create(path, content);
    const file = dataFile([], { filePath: path, fileSizeInBytes: BigInt(content.length) });
    return { path, ...(await commitAppend(table, { files: [file] })) };
  }

  async tag(refName: string, snapshotId: bigint): Promise<void> {
    await commitUpdates(await this.table(), ({ refs }) =>
      refs.has(refName) ? null : [{ action: 'set-snapshot-ref', refName, ref: { type: 'tag', snapshotId } }],
    );
  }
}

const factsOf = ({ metadata }: Table) => ({
  uuid: metadata.tableUuid,
  snapshots: metadata.snapshots.map(({ snapshotId, sequenceNumber }) => [snapshotId, sequenceNumber]),
  refs: new Map([...metadata.refs].filter(([name]) => name !== 'moraine-moved')),
  nextRowId: metadata.nextRowId,
});

/** Moves through as many processes as it takes. */
async function moveWith(world: World, point: CrashPoint | null): Promise<readonly Access[]> {
  const first = new ProcessBoundary(point);
  try {
    await world.site(first.gate).move();
  } catch (error) {
    const isFault = error instanceof Killed || error instanceof MoraineError;
    if (point === null || !isFault) throw error;
    await expectOneWritable(world);
  }
  await first.late().catch(() => undefined);
  if (point !== null) await world.site().move();
  return first.accesses;
}

/** The new name is there only once the old one refuses writes. */
async function expectOneWritable(world: World): Promise<void> {
  const { target } = world.site();
  const isThere = (await target.namespaceExists(['ns'])) && (await target.tableExists(IDENTIFIER));
  if (isThere) expect((await world.table()).metadata.properties.has(MOVED_TO)).toBe(true);
}

async function expectMoved(world: World, before: ReturnType<typeof factsOf>): Promise<void> {
  const target = await world.table('target');
  expect(factsOf(target)).toEqual(before);
  expect(target.metadata.properties.has(MOVED_TO)).toBe(false);
  expect(target.metadata.refs.has('moraine-moved')).toBe(false);
  await expectIntact(target);
  const outside = [...world.storage.files]
    .filter(([path]) => path.startsWith(`${ROOT}/target/`))
    .filter(([, { content }]) => Buffer.from(content).includes(`${ROOT}/old/`));
  expect(outside.map(([path]) => path)).toEqual([]);
  expect(await rejectionCode(world.append('old'))).toBe('TABLE_MOVED');
  await world.append('target');
}

describe('a move', () => {
  test('keeps uuid, snapshots, sequence numbers, refs and row ids; the old name is read, and refuses writes', async () => {
    const world = await World.make();
    const before = factsOf(await world.table());
    const moved = await world.site().move();
    expect(moved).toMatchObject({ from: 'old/ns.t', to: 'target/ns.t', files: 3, reusedFiles: 0, lateSnapshotIds: [] });
    expect(moved.location).toBe(`${ROOT}/target/ns/t`);
    await expectMoved(world, before);
    const old = await world.table();
    expect(factsOf(old)).toEqual(before);
    await expectIntact(old);
    expect(await rejectionCode(world.tag('second', 1n))).toBe('TABLE_MOVED');
    expect(await world.site().move()).toMatchObject({ outcome: 'already-moved', files: 0 });
  });

  test('goes on after any fault at any access, and at no point takes both names writes', async () => {
    const accesses = await moveWith(await World.make(), null);
    const points = allPoints(accesses);
    expect(points.length).toBeGreaterThan(60);
    for (const point of points) {
      const world = await World.make();
      const before = factsOf(await world.table());
      await moveWith(world, point).catch((error: unknown) => {
        throw new Error(`${point.fault} at ${JSON.stringify(accesses[point.number - 1])}`, { cause: error });
      });
      await expectMoved(world, before);
    }
  });

  test('a second attempt copies no file again', async () => {
    const world = await World.make();
    const accesses = await moveWith(await World.make(), null);
    const lastChange = accesses.findLastIndex(({ operation }) => operation === 'change');
    await expect(
      world.site(new ProcessBoundary({ number: lastChange + 1, fault: 'killed before' }).gate).move(),
    ).rejects.toThrow(Killed);
    const again = await world.site().move();
    expect(again).toMatchObject({ outcome: 'moved', files: 3, bytesWritten: 0n });
  });
});

/** A gate whose changes of the old catalog wait for what happens meanwhile. */
function slowCommit(meanwhile: () => Promise<unknown>): Gate {
  let isFirst = true;
  return async (access, apply) => {
    if (access.target !== 'commitTable' || !isFirst) return await apply();
    isFirst = false;
    await meanwhile();
    return await apply();
  };
}

describe('a writer beside a move', () => {
  test('a commit that was on its way when the old name was marked is refused', async () => {
    const world = await World.make();
    const before = factsOf(await world.table());
    const writer = world.site(slowCommit(() => world.site().move()));
    expect(await rejectionCode(world.append('old', writer))).toBe('TABLE_MOVED');
    await expectMoved(world, before);
  });

  test('a commit that lands while files are copied moves, too', async () => {
    const world = await World.make();
    let appended: Awaited<ReturnType<World['append']>> | undefined;
    const mover = world.site(
      slowCommit(async () => {
        appended = await world.append();
      }),
    );
    await mover.move();
    const { metadata } = await world.table('target');
    expect(metadata.currentSnapshotId).toBe(appended?.snapshotId);
    await expectIntact(await world.table('target'));
  });

  test('files that expiry removes while they are copied are not missed', async () => {
    const world = await World.make();
    const { path } = await world.append();
    const doomed = (await world.table()).metadata.currentSnapshotId ?? 0n;
    await world.append();
    let isGone = false;
    const gate: Gate = async (access, apply) => {
      if (access.target === path && !isGone) {
        isGone = true;
        const { io, old } = world.site();
        const { metadata } = await world.table();
        const kept = metadata.snapshots.filter(({ snapshotId }) => snapshotId !== doomed).at(0)?.snapshotId ?? 0n;
        await old.commitTable(IDENTIFIER, {
          requirements: [],
          updates: [
            { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: kept } },
            {
              action: 'remove-snapshots',
              snapshotIds: metadata.snapshots.map((each) => each.snapshotId).filter((id) => id !== kept),
            },
          ],
        });
        await io.delete(path);
      }
      return await apply();
    };
    await world.site(gate).move();
    expect(isGone).toBe(true);
    expect((await world.table('target')).metadata.snapshots).toHaveLength(1);
    await expectIntact(await world.table('target'));
  });

  test('two moves to different catalogs: one is refused', async () => {
    const world = await World.make();
    const other = openMemoryCatalog({
      name: 'other',
      pointers: new MemoryPointers(),
      io: world.site().io,
      warehouse: `${ROOT}/other`,
      reach: OPEN_GATE,
    });
    const first = world.site(
      slowCommit(async () => {
        const { io, old } = world.site();
        const deps = {
          target: other,
          tables: async function* (): AsyncGenerator<Table> {},
          guardedPlaces: () => Promise.resolve([]),
          engine: () => Promise.reject(new Error('no engine is needed')),
        };
        await moveTable(deps, await loadTable(old, io, IDENTIFIER));
      }),
    );
    expect(await rejectionCode(first.move())).toBe('TABLE_MOVED');
    expect(await other.tableExists(IDENTIFIER)).toBe(true);
    expect(await first.target.tableExists(IDENTIFIER)).toBe(false);
  });

  test('a commit of a program that does not know the mark is told, and keeps the old name from being dropped', async () => {
    const world = await World.make();
    await world.site().move();
    const { old, io } = world.site();
    const { metadata, metadataLocation } = await world.table();
    const [first] = metadata.snapshots;
    if (first === undefined) throw new Error('the table has snapshots');
    const late = {
      ...first,
      snapshotId: 77n,
      sequenceNumber: metadata.lastSequenceNumber + 1n,
      timestampMs: metadata.lastUpdatedMs,
      firstRowId: metadata.nextRowId ?? 0n,
    };
    await old.commitTable(IDENTIFIER, {
      requirements: [],
      updates: [{ action: 'add-snapshot', snapshot: late }],
    });
    expect((await world.table()).metadataLocation).not.toBe(metadataLocation);
    const deps = {
      target: world.site().target,
      tables: async function* (): AsyncGenerator<Table> {},
      guardedPlaces: () => Promise.resolve([]),
      engine: () => Promise.reject(new Error('no engine is needed')),
    };
    const again = await moveTable(deps, await loadTable(old, io, IDENTIFIER), { dropOld: true });
    expect(again).toMatchObject({ outcome: 'already-moved', lateSnapshotIds: [77n], isOldDropped: false });
    expect(await old.tableExists(IDENTIFIER)).toBe(true);
  });
});
