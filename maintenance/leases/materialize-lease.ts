/**
 * The leases of a materialization that takes long: of its staged files in the online table, and of the snapshots that it reads in the
 * source. A short run makes no commit for them; what protects it is the age below which sweeps leave files alone.
 */
import { afterOutcome } from '../../catalogs/index.js';
import { type MaterializationDeps, readPlan } from '../../materialization/index.js';
import { type Lease, leasesOf, loadTable, releaseLease, type Table, takeLease } from '../../tables/index.js';

/** A run takes leases once its plan is as old as this. */
const LONG_RUN_MS = 60_000;
const LOOK_EVERY_MS = 20_000;
const LEASE_MS = 3_600_000n;

type LeaseDeps = Pick<MaterializationDeps, 'io' | 'catalog' | 'loadSource'>;
type Plan = Awaited<ReturnType<typeof readPlan>>;

/**
 * Runs a step of a materialization, and keeps its leases while the step lasts, from the time on when the run has become a long one.
 * A lease that cannot be had stops nobody: the source may be read-only.
 * @param longRunMs after this time a run is long
 */
export async function whileLeased<T>(
  deps: LeaseDeps,
  planLocation: string,
  work: () => Promise<T>,
  longRunMs: number = LONG_RUN_MS,
): Promise<T> {
  let looking: Promise<void> = Promise.resolve();
  const look = (): void => {
    looking = looking.then(() => keepLeases(deps, planLocation, longRunMs)).catch(() => undefined);
  };
  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await looking;
  }
}

/** Gives the leases of a run back, if it was long enough to take any. Those that cannot be given back end by themselves. */
export function endMaterialization(
  deps: LeaseDeps,
  planLocation: string,
  longRunMs: number = LONG_RUN_MS,
): Promise<void> {
  return afterOutcome(async () => {
    if (!(await isLong(deps, planLocation, longRunMs))) return;
    const plan = await readPlan(deps.io, planLocation);
    for (const table of await tablesOf(deps, plan)) await releaseLease(table, leaseId(plan));
  });
}

async function keepLeases(deps: LeaseDeps, planLocation: string, longRunMs: number): Promise<void> {
  if (!(await isLong(deps, planLocation, longRunMs))) return;
  const plan = await readPlan(deps.io, planLocation);
  const [online, source] = await tablesOf(deps, plan);
  const nowMs = BigInt(Date.now());
  const lease = { id: leaseId(plan), kind: 'materialize', expiresAtMs: nowMs + LEASE_MS };
  const prefixes = [`${leaseId(plan)}-`, `moraine-plan-${leaseId(plan)}-`];
  if (online !== undefined) await takeIfNeeded(online, { ...lease, snapshotIds: [], filePrefixes: prefixes }, nowMs);
  if (source !== undefined)
    await takeIfNeeded(source, { ...lease, snapshotIds: snapshotsOf(plan), filePrefixes: [] }, nowMs);
}

/** By the storage's clock alone: the plan was stored when the run began. */
async function isLong({ io }: LeaseDeps, planLocation: string, longRunMs: number): Promise<boolean> {
  const { modifiedMs } = await io.stat(planLocation);
  return Date.now() - modifiedMs >= longRunMs;
}

/** Half-way through its time a lease is taken anew; shards that run at once find it taken, also when they lose the race for it. */
async function takeIfNeeded(table: Table, lease: Lease, nowMs: bigint): Promise<void> {
  const keptUntilMs = nowMs + LEASE_MS / 2n;
  const taken = leasesOf(table.metadata).find(({ id }) => id === lease.id);
  if (taken !== undefined && taken.expiresAtMs > keptUntilMs) return;
  await takeLease(table, lease, nowMs, keptUntilMs).catch(() => undefined);
}

/** The beginning of the names of all files that the run stages. */
const leaseId = (plan: Plan): string => plan.runKey.slice(0, 12);

async function tablesOf(deps: LeaseDeps, plan: Plan): Promise<readonly Table[]> {
  return [await loadTable(deps.catalog, deps.io, plan.online.identifier), await deps.loadSource(plan.source.table)];
}

function snapshotsOf({ source, appendReads, rebuild }: Plan): readonly bigint[] {
  const reads = [...appendReads, ...(rebuild?.reads ?? [])].flatMap(({ snapshotId }) => snapshotId ?? []);
  return [...new Set([source.snapshotId, ...reads])];
}
