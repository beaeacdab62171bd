/**
 * Expiring snapshots in three steps, each of which may be killed and repeated: the plan is stored, the metadata forgets the snapshots,
 * and then the files go that only they reached. What the last step cannot learn any more is left to the orphan sweep.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { metadataFolder } from '../../catalogs/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import {
  type JsonValue,
  parseJson,
  parseSnapshot,
  type Snapshot,
  snapshotToJson,
  stringifyJson,
  type TableMetadata,
  type TableUpdate,
} from '../../iceberg/index.js';
import { keptAnchors } from '../../sink/index.js';
import { commitExpiryBehindFence, reachFaultPoint, type Table, withoutEndedLeases } from '../../tables/index.js';
import type { MaintenanceDeps } from '../deps.js';
import { CanonicalPaths } from '../sweep/canonical-paths.js';
import { deleteFiles } from '../sweep/delete-files.js';
import { keepFilesOfOthers, ownPlaces } from '../sweep/other-tables.js';
import { requireOwnFolders } from '../sweep/own-folders.js';
import { safeNowMs } from '../sweep/storage-clock.js';
import { filesOfMetadata, filesOfSnapshots, statisticsFiles, type TableFile } from '../sweep/table-files.js';
import { type ExpirySettings, planExpiry, surplusMetadata } from './expiry-plan.js';
import { leaseRoots, snapshotRoots } from './roots.js';

const MAX_PLAN_BYTES = 256 * 2 ** 20;

/** A stored plan. */
export interface StagedExpiry {
  /** Null: nothing has had its time. */
  readonly planLocation: string | null;
  readonly snapshots: number;
  readonly refs: readonly string[];
  /** Metadata files that leave the table's log. */
  readonly metadataFiles: number;
}

/** Result of an expiry. */
export interface ExpiredFiles {
  readonly deletedFiles: number;
  /** Manifests and manifest lists that could not be read: the files they list are left to the orphan sweep. */
  readonly unreadable: readonly string[];
}

interface StoredPlan {
  readonly table: string;
  readonly tableUuid: string;
  readonly settings: ExpirySettings;
  /** The present that ages were counted from, in milliseconds since the epoch. */
  readonly nowMs: bigint;
  readonly snapshots: readonly Snapshot[];
  readonly refs: readonly string[];
  /** Statistics files of these snapshots. */
  readonly statistics: readonly string[];
}

/**
 * Plans which snapshots and refs go, and stores it beside the table's metadata. None go where the catalog owns the files.
 * @param name the table, `[CATALOG/]NS.TABLE`
 * @throws MoraineError `FOLDER_SHARED` for a table whose folders are not its own; as {@link planExpiry}
 */
export async function stageExpiry(
  deps: MaintenanceDeps,
  name: string,
  settings: ExpirySettings,
): Promise<StagedExpiry> {
  const table = await deps.loadTable(name);
  if (table.catalog?.fileOwner !== undefined) return { planLocation: null, snapshots: 0, refs: [], metadataFiles: 0 };
  const { metadata } = table;
  // Before anything is forgotten: whose files cannot be deleted would leave them behind.
  await requireOwnFolders(deps, table);
  const nowMs = await safeNowMs(table, deps.nowMs());
  const { snapshotIds, refs } = planExpiry(metadata, settings, await snapshotRoots(deps, table, nowMs), nowMs);
  const metadataFiles = surplusMetadata(metadata, settings).length;
  if (snapshotIds.length === 0 && refs.length === 0 && metadataFiles === 0) {
    return { planLocation: null, snapshots: 0, refs, metadataFiles };
  }
  const ids = new Set(snapshotIds);
  const planLocation = `${metadataFolder(metadata)}/moraine-expiry-${randomUUID()}.json`;
  const plan: StoredPlan = {
    table: name,
    tableUuid: metadata.tableUuid,
    settings,
    nowMs,
    snapshots: metadata.snapshots.filter(({ snapshotId }) => ids.has(snapshotId)),
    refs,
    statistics: [...statisticsFiles(metadata)]
      .filter((file) => ids.has(file.snapshotId))
      .map(({ location }) => location),
  };
  await table.io.create(planLocation, Buffer.from(planToText(plan)));
  return { planLocation, snapshots: ids.size, refs, metadataFiles };
}

/**
 * Takes the planned snapshots and refs out of the table's metadata, as far as nothing has come to need them since. Leases that have
 * ended go in the same commit.
 * @returns how many snapshots of the plan the table no longer has; 0 if the plan has gone, which is done then
 */
export async function commitExpiry(deps: MaintenanceDeps, name: string, planLocation: string): Promise<number> {
  const table = await deps.loadTable(name);
  const plan = await readPlanIfThere(table, planLocation);
  if (plan === null) return 0;
  const roots = await snapshotRoots(deps, table, plan.nowMs);
  const shorterLog = logShortener(plan.settings);
  const { metadata } = await commitExpiryBehindFence(table, (base) => {
    const now = planExpiry(base, plan.settings, [...roots, ...leaseRoots({ metadata: base }, plan.nowMs)], plan.nowMs);
    return expiryUpdates(plan, base, now, [...withoutEndedLeases(base, plan.nowMs), ...shorterLog(base)]);
  });
  reachFaultPoint('maintain-expired');
  const kept = new Set(metadata.snapshots.map(({ snapshotId }) => snapshotId));
  return plan.snapshots.filter(({ snapshotId }) => !kept.has(snapshotId)).length;
}

function expiryUpdates(
  plan: StoredPlan,
  base: TableMetadata,
  now: { readonly snapshotIds: readonly bigint[]; readonly refs: readonly string[] },
  others: readonly TableUpdate[],
): readonly TableUpdate[] | null {
  const planned = new Set(plan.snapshots.map(({ snapshotId }) => snapshotId));
  const snapshotIds = now.snapshotIds.filter((id) => planned.has(id));
  const updates: TableUpdate[] = [
    ...now.refs
      .filter((name) => plan.refs.includes(name))
      .map((refName) => ({ action: 'remove-snapshot-ref' as const, refName })),
    ...removalOf(base, snapshotIds),
    ...others,
  ];
  return updates.length === 0 ? null : updates;
}

/** Sinks find their positions by the way to the root of the history: what leaves it is told by anchors. */
function removalOf(base: TableMetadata, snapshotIds: readonly bigint[]): readonly TableUpdate[] {
  if (snapshotIds.length === 0) return [];
  const anchors = keptAnchors(base, new Set(snapshotIds));
  return [
    { action: 'remove-snapshots', snapshotIds },
    ...(anchors.size === 0 ? [] : [{ action: 'set-properties' as const, updates: anchors }]),
  ];
}

const LOG_LENGTH = 'write.metadata.previous-versions-max';

/**
 * No commit of its own can shorten a log: the table's property says how long the log is after any commit, whoever makes it. It is asked for
 * until it is there, and no more: a server may keep a log as long as it likes.
 */
function logShortener(settings: ExpirySettings): (base: TableMetadata) => readonly TableUpdate[] {
  const length = String(settings.metadataVersions);
  let isAsked = false;
  return (base) => {
    if (surplusMetadata(base, settings).length === 0) return [];
    if (isAsked && base.properties.get(LOG_LENGTH) === length) return [];
    isAsked = true;
    return [{ action: 'set-properties', updates: new Map([[LOG_LENGTH, length]]) }];
  };
}

/**
 * Deletes the files that only snapshots of the plan reached, and then the plan. Those that the table still has or that a lease names are
 * left alone, as is what any other table of the catalogs has, and what lies outside the table's folders unless the plan says otherwise.
 * @throws MoraineError `MANIFEST_CORRUPT`, `FILE_NOT_FOUND` for a manifest of a snapshot that stays; `LOCATION_REFUSED` for files that
 *   cannot be compared; `FOLDER_SHARED`; nothing is deleted then
 */
export async function deleteExpiredFiles(
  deps: Pick<MaintenanceDeps, 'loadTable' | 'tables' | 'datasets' | 'isConfigured' | 'guardedPlaces'>,
  name: string,
  planLocation: string,
  signal?: AbortSignal,
): Promise<ExpiredFiles> {
  const table = await deps.loadTable(name);
  const plan = await readPlanIfThere(table, planLocation);
  if (plan === null) return { deletedFiles: 0, unreadable: [] };
  const unreadable: string[] = [];
  const needed = new Set([
    ...table.metadata.snapshots.map(({ snapshotId }) => snapshotId),
    ...leaseRoots(table, plan.nowMs).flatMap(({ snapshotIds }) => snapshotIds),
  ]);
  const expired = plan.snapshots.filter(({ snapshotId }) => !needed.has(snapshotId));
  const files = await filesOnlyIn(deps, table, { expired, statistics: plan.statistics }, (location) =>
    unreadable.push(location),
  );
  const deleted = [...files].filter(([, { isOwn }]) => isOwn || plan.settings.deleteOutside === true);
  const deletedFiles = await deleteFiles(
    table.io,
    deleted.map(([path]) => path),
    signal,
  );
  await table.io.delete(planLocation);
  return { deletedFiles, unreadable };
}

/** Snapshots that have gone, or are taken to have, and the statistics files that were of them. */
export interface ExpiredContent {
  readonly expired: readonly Snapshot[];
  readonly statistics: readonly string[];
}

/** A file that only expired snapshots reach. */
export interface ExpiredFile {
  readonly reason: string;
  /** Whether it lies in a folder of the table. */
  readonly isOwn: boolean;
}

/**
 * The files that only expired snapshots reach, by canonical path. Manifests come after the files they list and
 * manifest lists after both, so that an interrupted deletion can be repeated.
 * @param onUnreadable told of manifests and lists of expired snapshots that cannot be read: the files that they list are not given
 */
export async function filesOnlyIn(
  deps: Pick<MaintenanceDeps, 'tables' | 'datasets' | 'isConfigured' | 'guardedPlaces'>,
  table: Table,
  { expired, statistics }: ExpiredContent,
  onUnreadable: (location: string) => void,
): Promise<ReadonlyMap<string, ExpiredFile>> {
  const own = await requireOwnFolders(deps, table);
  const paths = new CanonicalPaths(table.io);
  const ids = new Set(expired.map(({ snapshotId }) => snapshotId));
  const files = new Map<string, ExpiredFile>();
  const add = async (location: string, what: string): Promise<void> => {
    // The target of a symbolic link has a place of its own: if nothing else reaches it, it is an orphan once the link has gone.
    const [path = location] = await ownPlaces(table, paths, location);
    files.set(path, { reason: `only expired snapshots reach it: ${what}`, isOwn: own.hold(path) });
  };
  const keep = async ({ location }: TableFile): Promise<void> => {
    for (const path of await ownPlaces(table, paths, location)) files.delete(path);
  };
  for (const location of statistics) await add(location, 'statistics');
  const onMissing = (location: string, error: unknown): void => {
    // It went with an attempt before, and what it listed with it.
    if (!isMoraineError(error, 'FILE_NOT_FOUND')) onUnreadable(location);
  };
  for await (const { location, reason } of filesOfSnapshots(table, expired, onMissing)) {
    await add(location, reason);
  }
  if (files.size === 0) return files;
  const staying = table.metadata.snapshots.filter(({ snapshotId }) => !ids.has(snapshotId));
  for (const file of filesOfMetadata(table, ids)) await keep(file);
  for await (const file of filesOfSnapshots(table, staying)) await keep(file);
  await keepFilesOfOthers(table, deps, paths, (path) => files.delete(path));
  return files;
}

function planToText({ snapshots, nowMs, settings, ...plan }: StoredPlan): string {
  const { olderThanMs, retainLast, deleteOutside, metadataVersions } = settings;
  return stringifyJson({
    version: 1,
    ...plan,
    'now-ms': String(nowMs),
    settings: {
      ...(olderThanMs === undefined ? {} : { 'older-than-ms': String(olderThanMs) }),
      ...(retainLast === undefined ? {} : { 'retain-last': retainLast }),
      ...(deleteOutside === undefined ? {} : { 'delete-outside': deleteOutside }),
      ...(metadataVersions === undefined ? {} : { 'metadata-versions': metadataVersions }),
    },
    snapshots: snapshots.map((snapshot) => snapshotToJson(snapshot, 3)),
  });
}

/** Null: an attempt before has done the plan's work and deleted it. */
async function readPlanIfThere(table: Table, location: string): Promise<StoredPlan | null> {
  try {
    return await readPlan(table, location);
  } catch (error) {
    if (isMoraineError(error, 'FILE_NOT_FOUND')) return null;
    throw error;
  }
}

async function readPlan({ io, metadata }: Table, location: string): Promise<StoredPlan> {
  const plan = parsePlan(location, new TextDecoder().decode(await io.read(location, { maxBytes: MAX_PLAN_BYTES })));
  if (plan.tableUuid === metadata.tableUuid) return plan;
  throw new MoraineError(
    'TABLE_REPLACED',
    `Table ${plan.table} was dropped and created again since its expiry was planned.`,
  );
}

const planSchema = z.object({
  version: z.literal(1),
  table: z.string(),
  tableUuid: z.string(),
  'now-ms': z.string(),
  settings: z.object({
    'older-than-ms': z.string().optional(),
    'retain-last': z.int().optional(),
    'delete-outside': z.boolean().optional(),
    'metadata-versions': z.int().optional(),
  }),
  snapshots: z.array(z.custom<JsonValue>()),
  refs: z.array(z.string()),
  statistics: z.array(z.string()),
});

function parsePlan(location: string, text: string): StoredPlan {
  try {
    const {
      settings,
      snapshots,
      'now-ms': nowMs,
      table,
      tableUuid,
      refs,
      statistics,
    } = planSchema.parse(parseJson(text));
    const { 'older-than-ms': age, 'retain-last': retainLast, 'delete-outside': deleteOutside } = settings;
    const { 'metadata-versions': metadataVersions } = settings;
    return {
      table,
      tableUuid,
      refs,
      statistics,
      nowMs: BigInt(nowMs),
      settings: {
        ...(age === undefined ? {} : { olderThanMs: BigInt(age) }),
        ...(retainLast === undefined ? {} : { retainLast }),
        ...(deleteOutside === undefined ? {} : { deleteOutside }),
        ...(metadataVersions === undefined ? {} : { metadataVersions }),
      },
      snapshots: snapshots.map(parseSnapshot),
    };
  } catch (cause) {
    throw new MoraineError('METADATA_CORRUPT', `${location} is not a plan of an expiry.`, { cause });
  }
}
