/**
 * Expiring snapshots in three steps, each of which may be killed and repeated: the plan is stored, the metadata forgets the snapshots,
 * and then the files go that only they reached. What the last step cannot learn any more is left to the orphan sweep.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { metadataFolder } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import {
  type JsonValue,
  parseJson,
  parseSnapshot,
  type Snapshot,
  snapshotToJson,
  stringifyJson,
  type TableUpdate,
} from '../iceberg/index.js';
import { commitUpdates, reachFaultPoint, type Table } from '../tables/index.js';
import { CanonicalPaths } from './canonical-paths.js';
import { deleteFiles } from './delete-files.js';
import type { MaintenanceDeps } from './deps.js';
import { type ExpirySettings, planExpiry } from './expiry-plan.js';
import { withoutEndedLeases } from './leases.js';
import { keepFilesOfOthers, ownPath } from './other-tables.js';
import { leaseRoots, snapshotRoots } from './roots.js';
import { safeNowMs } from './storage-clock.js';
import { filesOfMetadata, filesOfSnapshots, statisticsFiles } from './table-files.js';

const MAX_PLAN_BYTES = 256 * 2 ** 20;

/** A stored plan. */
export interface StagedExpiry {
  /** Null: nothing has had its time. */
  readonly planLocation: string | null;
  readonly snapshots: number;
  readonly refs: readonly string[];
}

/** What an expiry deleted. */
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
 * Plans which snapshots and refs go, and stores it beside the table's metadata.
 * @param name the table, `[CATALOG/]NS.TABLE`
 */
export async function stageExpiry(
  deps: MaintenanceDeps,
  name: string,
  settings: ExpirySettings,
): Promise<StagedExpiry> {
  const table = await deps.loadTable(name);
  const { metadata } = table;
  const nowMs = await safeNowMs(table, deps.nowMs());
  const { snapshotIds, refs } = planExpiry(metadata, settings, await snapshotRoots(deps, table, nowMs), nowMs);
  if (snapshotIds.length === 0 && refs.length === 0) return { planLocation: null, snapshots: 0, refs };
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
  return { planLocation, snapshots: ids.size, refs };
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
  const { metadata } = await commitUpdates(table, (base) => {
    const now = planExpiry(base, plan.settings, [...roots, ...leaseRoots({ metadata: base }, plan.nowMs)], plan.nowMs);
    return expiryUpdates(plan, now, withoutEndedLeases(base, plan.nowMs));
  });
  reachFaultPoint('maintain-expired');
  const kept = new Set(metadata.snapshots.map(({ snapshotId }) => snapshotId));
  return plan.snapshots.filter(({ snapshotId }) => !kept.has(snapshotId)).length;
}

function expiryUpdates(
  plan: StoredPlan,
  now: { readonly snapshotIds: readonly bigint[]; readonly refs: readonly string[] },
  leases: readonly TableUpdate[] | null,
): readonly TableUpdate[] | null {
  const planned = new Set(plan.snapshots.map(({ snapshotId }) => snapshotId));
  const snapshotIds = now.snapshotIds.filter((id) => planned.has(id));
  const updates: TableUpdate[] = [
    ...now.refs
      .filter((name) => plan.refs.includes(name))
      .map((refName) => ({ action: 'remove-snapshot-ref' as const, refName })),
    ...(snapshotIds.length === 0 ? [] : [{ action: 'remove-snapshots' as const, snapshotIds }]),
    ...(leases ?? []),
  ];
  return updates.length === 0 ? null : updates;
}

/**
 * Deletes the files that only snapshots of the plan reached, and then the plan. Those that the table still has, or has again, are
 * left alone, as is what any other table of the catalogs has.
 * @throws MoraineError `MANIFEST_CORRUPT`, `FILE_NOT_FOUND` for a manifest of a snapshot that stays; `LOCATION_REFUSED` for files that
 *   cannot be compared; nothing is deleted then
 */
export async function deleteExpiredFiles(
  deps: Pick<MaintenanceDeps, 'loadTable' | 'tables'>,
  name: string,
  planLocation: string,
  signal?: AbortSignal,
): Promise<ExpiredFiles> {
  const table = await deps.loadTable(name);
  const plan = await readPlanIfThere(table, planLocation);
  if (plan === null) return { deletedFiles: 0, unreadable: [] };
  const unreadable: string[] = [];
  const has = new Set(table.metadata.snapshots.map(({ snapshotId }) => snapshotId));
  const expired = plan.snapshots.filter(({ snapshotId }) => !has.has(snapshotId));
  const files = await filesOnlyIn(deps, table, { expired, statistics: plan.statistics }, (location) =>
    unreadable.push(location),
  );
  const deletedFiles = await deleteFiles(table.io, files.keys(), signal);
  await table.io.delete(planLocation);
  return { deletedFiles, unreadable };
}

/** Snapshots that have gone, or are taken to have, and the statistics files that were of them. */
export interface ExpiredContent {
  readonly expired: readonly Snapshot[];
  readonly statistics: readonly string[];
}

/**
 * The files that only expired snapshots reach, by canonical path, with the reason. Manifests come after the files they list and
 * manifest lists after both, so that an interrupted deletion can be repeated.
 * @param onUnreadable told of manifests and lists of expired snapshots that cannot be read: the files that they list are not given
 */
export async function filesOnlyIn(
  deps: Pick<MaintenanceDeps, 'tables'>,
  table: Table,
  { expired, statistics }: ExpiredContent,
  onUnreadable: (location: string) => void,
): Promise<ReadonlyMap<string, string>> {
  const paths = new CanonicalPaths(table.io);
  const ids = new Set(expired.map(({ snapshotId }) => snapshotId));
  const files = new Map<string, string>();
  for (const location of statistics) {
    files.set(await ownPath(table, paths, location), 'only expired snapshots reach it: statistics');
  }
  const onMissing = (location: string, error: unknown): void => {
    // It went with an attempt before, and what it listed with it.
    if (!isMoraineError(error, 'FILE_NOT_FOUND')) onUnreadable(location);
  };
  for await (const { location, reason } of filesOfSnapshots(table, expired, onMissing)) {
    files.set(await ownPath(table, paths, location), `only expired snapshots reach it: ${reason}`);
  }
  if (files.size === 0) return files;
  const staying = table.metadata.snapshots.filter(({ snapshotId }) => !ids.has(snapshotId));
  for (const { location } of filesOfMetadata(table, ids)) files.delete(await ownPath(table, paths, location));
  for await (const { location } of filesOfSnapshots(table, staying))
    files.delete(await ownPath(table, paths, location));
  await keepFilesOfOthers(table, deps.tables, paths, (path) => files.delete(path));
  return files;
}

function planToText({ snapshots, nowMs, settings, ...plan }: StoredPlan): string {
  const { olderThanMs, retainLast } = settings;
  return stringifyJson({
    version: 1,
    ...plan,
    'now-ms': String(nowMs),
    settings: {
      ...(olderThanMs === undefined ? {} : { 'older-than-ms': String(olderThanMs) }),
      ...(retainLast === undefined ? {} : { 'retain-last': retainLast }),
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
  settings: z.object({ 'older-than-ms': z.string().optional(), 'retain-last': z.int().optional() }),
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
    const { 'older-than-ms': age, 'retain-last': retainLast } = settings;
    return {
      table,
      tableUuid,
      refs,
      statistics,
      nowMs: BigInt(nowMs),
      settings: {
        ...(age === undefined ? {} : { olderThanMs: BigInt(age) }),
        ...(retainLast === undefined ? {} : { retainLast }),
      },
      snapshots: snapshots.map(parseSnapshot),
    };
  } catch (cause) {
    throw new MoraineError('METADATA_CORRUPT', `${location} is no plan of an expiry.`, { cause });
  }
}
