/** The commit of many windows in one snapshot: their staged manifests, the key of each, and the coverage they make together. */
import { createHash } from 'node:crypto';
import { MoraineError } from '../errors/index.js';
import { PROGRESS_PROPERTY, PROGRESS_SUMMARY } from '../online/index.js';
import {
  commitAppend,
  findRun,
  loadTable,
  readStagedManifest,
  type Table,
  WINDOW_KEYS,
  windowKeysText,
} from '../tables/index.js';
import type { MaterializationDeps } from './deps.js';
import { faultPoint } from './fault-point.js';
import { type MaterializationPlan, planSize } from './plan.js';
import { type EffectiveProgress, effectiveProgress, type Progress, progressToText } from './progress.js';
import { onNewestProgress, requireProgress } from './progress-guard.js';
import { readPlan } from './read-plan.js';
import { rebasePlan } from './rebase-plan.js';
import { sourceState } from './source-state.js';

/** A window that is planned and extracted. */
export interface StagedWindow {
  readonly planLocation: string;
  readonly manifestLocations: readonly string[];
  /** How long planning and extraction took; for estimates of later backfills. */
  readonly workMs: number;
}

/** `covered`: somebody else has read the window since, at its source snapshot or a later one. `stale`: it has to be planned again. */
export type WindowOutcome = 'committed' | 'already-committed' | 'covered' | 'stale';

export interface WindowsCommit {
  /** Null: there was nothing to commit. */
  readonly snapshotId: bigint | null;
  /** One for each window, in their order. */
  readonly outcomes: readonly WindowOutcome[];
}

type Deps = Pick<MaterializationDeps, 'catalog' | 'io' | 'loadSource'>;
type PlannedWindow = StagedWindow & { readonly plan: MaterializationPlan };

/**
 * Commits windows of one view. What is committed already is left out, so that it may be repeated after any failure, with the same
 * windows or others beside them. A run that commits meanwhile does not take their work away: progress and coverage are
 * computed anew on the newer table as long as the windows' reads are right.
 * @throws TABLE_REPLACED, COMMIT_CONFLICT if other runs commit without end, COMMIT_STATE_UNKNOWN; INVALID_ARGUMENT for a plan that rebuilds
 */
export async function commitWindows(deps: Deps, staged: readonly StagedWindow[]): Promise<WindowsCommit> {
  const windows = await Promise.all(
    staged.map(async (window) => ({ ...window, plan: await readPlan(deps.io, window.planLocation) })),
  );
  const [first] = windows;
  if (first === undefined) return { snapshotId: null, outcomes: [] };
  requireCommittable(first.plan, windows);
  return onNewestProgress(deps.catalog, () => commitOnce(deps, first.plan, windows));
}

function requireCommittable(first: MaterializationPlan, windows: readonly PlannedWindow[]): void {
  for (const { plan, planLocation } of windows) {
    if (plan.rebuild === null && plan.online.tableUuid === first.online.tableUuid) continue;
    const message = `The plan ${planLocation} cannot be committed with others: it rebuilds, or is of another online table.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
}

async function commitOnce(
  deps: Deps,
  first: MaterializationPlan,
  windows: readonly PlannedWindow[],
): Promise<WindowsCommit> {
  const online = await loadTable(deps.catalog, deps.io, first.online.identifier);
  requireSameTable(first, online);
  const effective = effectiveProgress(online.metadata);
  const { progress, outcomes } = await rebaseAll(deps, windows, effective, online);
  const chosen = windows.filter((_, index) => outcomes[index] === 'committed');
  if (progress === null || chosen.length === 0) return { snapshotId: null, outcomes };
  faultPoint('before-commit');
  const locations = chosen.flatMap(({ manifestLocations }) => manifestLocations);
  const manifests = await Promise.all(locations.map((location) => readStagedManifest(online, location)));
  const keys = chosen.map(({ plan }) => plan.runKey);
  const read = chosen.map(({ plan, workMs }) => ({ rows: planSize(plan).rows, workMs }));
  const { snapshotId } = await commitAppend(online, {
    manifests,
    run: { key: groupKey(keys, effective), windowKeys: keys },
    summary: groupSummary(read, keys, [PROGRESS_SUMMARY, progressToText(progress)]),
    properties: (base, id) =>
      new Map([
        [PROGRESS_PROPERTY, progressToText(progress, { snapshotId: id, sequenceNumber: base.lastSequenceNumber + 1n })],
      ]),
    validate: (base) => requireProgress(base, effective.token, first.view.name),
  });
  faultPoint('after-swap');
  return { snapshotId, outcomes };
}

/** The progress with the windows that may be committed, one after the other. */
async function rebaseAll(
  deps: Deps,
  windows: readonly PlannedWindow[],
  effective: EffectiveProgress,
  online: Table,
): Promise<{ readonly progress: Progress | null; readonly outcomes: readonly WindowOutcome[] }> {
  let { progress } = effective;
  const standings = new Map<string, ReturnType<typeof sourceState>>();
  const outcomes: WindowOutcome[] = [];
  for (const { plan } of windows) {
    const { table, tableUuid } = plan.source;
    const source = standings.get(table) ?? sourceState(table, (await deps.loadSource(table)).metadata);
    standings.set(table, source);
    if (source.tableUuid !== tableUuid) throw sourceReplaced(table);
    const rebased = rebasePlan(plan, progress, source);
    if (rebased.kind === 'commit') progress = rebased.progressAfter;
    const isOurs = rebased.kind === 'covered' && findRun(online.metadata, { key: plan.runKey }) !== null;
    outcomes.push(rebased.kind === 'commit' ? 'committed' : isOurs ? 'already-committed' : rebased.kind);
  }
  return { progress, outcomes };
}

/**
 * The same windows on the same progress are one commit. On another progress they are not: after a roll-back the same work is done again.
 */
export function groupKey(windowKeys: readonly string[], { token }: Pick<EffectiveProgress, 'token'>): string {
  return createHash('sha256')
    .update(JSON.stringify([windowKeys, token]))
    .digest('hex');
}

/**
 * The summary of the snapshot of a group, which estimates of later backfills read.
 * @param progress name and text
 */
export function groupSummary(
  windows: readonly { readonly rows: bigint; readonly workMs: number }[],
  windowKeys: readonly string[],
  progress: readonly [string, string],
): ReadonlyMap<string, string> {
  const rows = windows.reduce((sum, window) => sum + window.rows, 0n);
  const workMs = windows.reduce((sum, window) => sum + window.workMs, 0);
  return new Map([
    ['moraine.kind', 'backfill'],
    ['moraine.windows', String(windows.length)],
    ['moraine.read-rows', String(rows)],
    ['moraine.work-ms', String(Math.round(workMs))],
    [WINDOW_KEYS, windowKeysText(windowKeys)],
    progress,
  ]);
}

function requireSameTable({ online, view }: MaterializationPlan, { metadata }: Table): void {
  if (metadata.tableUuid === online.tableUuid) return;
  const message = `The online table of '${view.name}' was dropped and created again since the windows were planned.`;
  throw new MoraineError('TABLE_REPLACED', message);
}

function sourceReplaced(table: string): MoraineError {
  const message = `The source table ${table} was dropped and created again since the windows were planned.`;
  return new MoraineError('TABLE_REPLACED', message);
}
