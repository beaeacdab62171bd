/** Those who keep the table in shape, and those who read it. None of them changes a row, but for rollbacks. */
import type { TableIdentifier } from '../../catalogs/index.js';
import { isMoraineError } from '../../errors/index.js';
import type { TableMetadata } from '../../iceberg/index.js';
import type { MaintenanceDeps } from '../../maintenance/deps.js';
import { commitExpiry, deleteExpiredFiles, stageExpiry } from '../../maintenance/expiry/expire.js';
import { sweepOrphans } from '../../maintenance/sweep/orphans.js';
import {
  type ArrivedDeletes,
  type CarriedDeletes,
  commitProtection,
  commitRewrite,
  commitRewriteManifests,
  commitUpdates,
  type PlannedFile,
  planFiles,
  releaseLease,
  selectSnapshot,
  type Table,
  takeLease,
} from '../../tables/index.js';
import { Violation } from './model.js';
import { asListed, withoutLeases } from './planted-bugs.js';
import { readLiveRows, readPositions, writePositions, writeRows } from './row-files.js';
import { type Client, GRACE_MS, IDENTIFIER, type Role, readSnapshot, type World } from './world.js';

const EXPIRY = { olderThanMs: 5_000n, retainLast: 1 };

/** Errors that end an attempt and nothing else. */
const PASSING = new Set([
  'COMMIT_CONFLICT',
  'SNAPSHOT_NOT_FOUND',
  'COMMIT_STATE_UNKNOWN',
  'STORAGE_UNAVAILABLE',
  'CATALOG_UNAVAILABLE',
]);

/** Does something a few times, with pauses; an error that passes ends one time. */
function repeatedly(times: number, longestPauseMs: number, work: (client: Client) => Promise<void>): Role {
  let left = times;
  return async (client) => {
    while (left > 0) {
      await client.worker.clock.sleep(client.random.int(0, longestPauseMs));
      try {
        await work(client);
      } catch (error) {
        if (!isMoraineError(error) || !PASSING.has(error.code)) throw error;
      }
      left -= 1;
    }
  };
}

/** @param leavesBehind the planted bugs: whether deletes that arrive during a rewrite are forgotten */
export function compactor(times: number, leavesBehind: (arrived: ArrivedDeletes) => boolean = () => false): Role {
  let rewrites = 0;
  return repeatedly(times, 1_500, async (client) => {
    const table = await client.load();
    const { snapshot, schema } = selectSnapshot(table.metadata);
    if (snapshot === null) return;
    if (client.random.chance(0.1)) {
      await commitRewriteManifests(table, {});
      return;
    }
    const { files } = await planFiles(table, { schema, snapshot, appliesDeletes: true });
    const p = client.random.int(0, 1);
    const group = files.filter(({ file }) => file.partition[0] === p);
    if (group.length < 2 && !group.some(({ deletes }) => deletes !== undefined)) return;
    rewrites += 1;
    const name = `rewrite-${client.worker.name.replace('#', '-')}-${rewrites}`;
    const rewritten = await rewriteGroup(table, name, p, group);
    await client.worker.clock.sleep(client.random.int(0, 3_000));
    await commitRewrite(table, {
      plannedOn: snapshot.snapshotId,
      removeFiles: group.map(({ file }) => file.filePath),
      files: rewritten.files,
      rebaseDeletes: (base, arrived) =>
        rewritten.rebase(
          base,
          arrived.filter((one) => !leavesBehind(one)),
        ),
    });
  });
}

/** One new file for a group, and how deletes of the old ones become deletes of the new. */
async function rewriteGroup(table: Table, name: string, p: number, group: readonly PlannedFile[]) {
  const placed = await Promise.all(
    group.map(async (planned) =>
      (await readLiveRows(table.io, planned)).map((row) => ({ row, path: planned.file.filePath })),
    ),
  );
  const rows = placed.flat();
  if (rows.length === 0) return { files: [], rebase: () => Promise.resolve({ deletes: [], emptied: [] }) };
  const file = await writeRows(
    table,
    name,
    p,
    rows.map(({ row: { id, k } }) => ({ id, k, p })),
  );
  let bases = 0;
  const rebase = async (base: Table, arrived: readonly ArrivedDeletes[]): Promise<CarriedDeletes> => {
    const gone = new Map<string, readonly number[] | 'every-row'>();
    for (const { dataFile, deletes } of arrived) {
      gone.set(dataFile.filePath, deletes === 'every-row' ? deletes : await readPositions(base.io, deletes));
    }
    const moved = rows.flatMap(({ row, path }, index) => {
      const ofFile = gone.get(path) ?? [];
      return ofFile === 'every-row' || ofFile.includes(row.position) ? [index] : [];
    });
    if (moved.length === rows.length) return { deletes: [], emptied: [file.filePath] };
    bases += 1;
    return {
      deletes: moved.length === 0 ? [] : [await writePositions(base, `${name}-${bases}`, file, moved)],
      emptied: [],
    };
  };
  return { files: [file], rebase };
}

function depsOf(
  client: Client,
  identifier: TableIdentifier,
  seen: (table: Table) => Table | Promise<Table> = (table) => table,
): MaintenanceDeps {
  const load = async () => await seen(await client.load(identifier));
  return {
    loadTable: load,
    tables: async function* () {
      yield await load();
    },
    registry: () =>
      Promise.resolve({
        snapshotId: null,
        definitions: { entities: new Map(), featureViews: new Map(), featureServices: new Map() },
        versions: new Map(),
        formerNames: new Map(),
      }),
    onlineTable: () => Promise.resolve(null),
    isConfigured: () => Promise.resolve(true),
    guardedPlaces: () => Promise.resolve([]),
    datasets: () => Promise.resolve([]),
    nowMs: () => BigInt(client.worker.clock.nowMs()),
  };
}

const nameOf = ({ namespace, name }: TableIdentifier): string => ['simulated', ...namespace, name].join('.');

/** @param identifier the table that the world is about, unless given */
export function expirer(times: number, identifier: TableIdentifier = IDENTIFIER): Role {
  return repeatedly(times, 8_000, async (client) => {
    const [deps, name] = [depsOf(client, identifier), nameOf(identifier)];
    const { planLocation } = await stageExpiry(deps, name, EXPIRY);
    if (planLocation === null) return;
    await commitExpiry(deps, name, planLocation);
    await deleteExpiredFiles(deps, name, planLocation);
  });
}

/** The planted bugs of sweeps. */
interface SweeperBugs {
  /** What is not visible is an orphan, whoever is working on it. */
  readonly ignoresLeases?: boolean;
  /** The newest state of the table is the newest one that a list shows. */
  readonly sweepsByLists?: boolean;
}

/** @param identifier the table that the world is about, unless given */
export function sweeper(
  world: World,
  times: number,
  { ignoresLeases, sweepsByLists }: SweeperBugs = {},
  identifier: TableIdentifier = IDENTIFIER,
): Role {
  const seen = ignoresLeases === true ? withoutLeases : sweepsByLists === true ? asListed : undefined;
  return repeatedly(times, 120_000, async (client) => {
    const deps = depsOf(client, identifier, seen);
    world.sweepers.add(client.worker);
    await sweepOrphans(deps, nameOf(identifier), { olderThanMs: BigInt(GRACE_MS), allowYoung: true });
  });
}

/**
 * Sets a table back to one of its older snapshots.
 * @param history ids of the snapshots that it has, the current one first
 * @param table the one that the world is about, unless given
 */
export function rollbacker(
  history: (metadata: TableMetadata) => readonly bigint[],
  times: number,
  table: TableIdentifier = IDENTIFIER,
): Role {
  return repeatedly(times, 5_000, async (client) => {
    const { metadata, identifier } = await client.load(table);
    const { currentSnapshotId } = metadata;
    const older = history(metadata)
      .slice(1, 4)
      .filter((id) => metadata.snapshots.some(({ snapshotId }) => snapshotId === id));
    if (currentSnapshotId === null || older.length === 0) return;
    const snapshotId = client.random.pick(older);
    await client.catalog.commitTable(identifier, {
      requirements: [
        { type: 'assert-table-uuid', uuid: metadata.tableUuid },
        { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: currentSnapshotId },
      ],
      updates: [{ action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId } }],
    });
  });
}

/** How a reader makes sure that what it reads stays. */
const PINS = ['none', 'tag', 'lease'] as const;

export function reader(world: World, times: number): Role {
  return repeatedly(times, 4_000, async (client) => {
    const table = await client.load();
    if (table.metadata.snapshots.length === 0) return;
    const { snapshotId } = client.random.pick(table.metadata.snapshots);
    const pin = client.random.pick(PINS);
    const name = client.worker.name.replace('#', '-');
    const pinned = await pinSnapshot(client, table, snapshotId, pin, name);
    if (pinned === null) return;
    const rows = await readAll(world, pinned, snapshotId, pin !== 'none');
    if (rows !== null) world.model.check(snapshotId, rows);
    if (pin === 'tag')
      await commitUpdates(pinned, ({ refs }) =>
        refs.has(name) ? [{ action: 'remove-snapshot-ref', refName: name }] : null,
      );
    if (pin === 'lease') await releaseLease(pinned, name);
  });
}

/** Null: the snapshot had gone before it was pinned. */
async function pinSnapshot(
  client: Client,
  table: Table,
  snapshotId: bigint,
  pin: (typeof PINS)[number],
  name: string,
): Promise<Table | null> {
  if (pin === 'none') return table;
  if (pin === 'lease') {
    const nowMs = BigInt(client.worker.clock.nowMs());
    const lease = {
      id: name,
      kind: 'read',
      snapshotIds: [snapshotId],
      filePrefixes: [],
      expiresAtMs: nowMs + 100_000n,
    };
    const leased = await takeLease(table, lease, nowMs);
    return leased.metadata.snapshots.some((snapshot) => snapshot.snapshotId === snapshotId) ? leased : null;
  }
  return tagSnapshot(table, snapshotId, name, commitProtection);
}

async function tagSnapshot(
  table: Table,
  snapshotId: bigint,
  name: string,
  commit: typeof commitProtection,
): Promise<Table | null> {
  const tagged = await commit(table, ({ refs, snapshots }) => {
    if (refs.get(name)?.snapshotId === snapshotId) return null;
    if (!snapshots.some((snapshot) => snapshot.snapshotId === snapshotId)) return null;
    return [{ action: 'set-snapshot-ref', refName: name, ref: { type: 'tag', snapshotId } }];
  });
  return tagged.metadata.refs.get(name)?.snapshotId === snapshotId ? tagged : null;
}

/**
 * Tags one snapshot after the other, and sees that every tag stays.
 * @param withoutFences the planted bug: an expiry that has not seen a tag may still land
 */
export function tagger(times: number, withoutFences = false): Role {
  const tags = new Map<string, bigint>();
  let tried = 0;
  return repeatedly(times, 1_500, async (client) => {
    const known = [...tags];
    const table = await client.load();
    const { refs, snapshots } = table.metadata;
    for (const [name, snapshotId] of known) {
      if (refs.get(name)?.snapshotId !== snapshotId) throw new Violation(`the tag ${name} of ${snapshotId} is gone`);
    }
    if (snapshots.length === 0) return;
    const { snapshotId } = client.random.pick(snapshots);
    tried += 1;
    const name = `${client.worker.name.replace('#', '-')}-${tried}`;
    const commit = withoutFences ? commitUpdates : commitProtection;
    if ((await tagSnapshot(table, snapshotId, name, commit)) !== null) tags.set(name, snapshotId);
  });
}

/** Null: it was expired under the reader, which heard so; never for a pinned one. */
async function readAll(world: World, table: Table, snapshotId: bigint, isPinned: boolean) {
  try {
    return await readSnapshot(table, snapshotId);
  } catch (error) {
    if (!isMoraineError(error, 'FILE_NOT_FOUND')) throw error;
    if (isPinned || world.model.has(snapshotId))
      throw new Violation(`a file of snapshot ${snapshotId} is gone: ${error.message}`);
    return null;
  }
}
