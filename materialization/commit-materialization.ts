/** The commit of a run: all staged manifests in one snapshot, with the run's key and the progress it makes. */
import { createHash } from 'node:crypto';
import type { Catalog } from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import { PROGRESS_PROPERTY, PROGRESS_SUMMARY } from '../online/index.js';
import type { FileIO } from '../storage/index.js';
import {
  type CommitOptions,
  type CommitResult,
  commitAppend,
  commitOverwrite,
  findRun,
  loadTable,
  readStagedManifest,
  type Table,
} from '../tables/index.js';
import type { MaterializationDeps } from './deps.js';
import { faultPoint } from './fault-point.js';
import type { MaterializationPlan } from './plan.js';
import { effectiveProgress, type Progress, progressToText } from './progress.js';
import { onNewestProgress, requireProgress } from './progress-guard.js';
import { readPlan } from './read-plan.js';
import { rebasePlan } from './rebase-plan.js';
import { replacedFiles } from './replaced-files.js';
import { sourceState } from './source-state.js';

/** The result of a run: a few hundred bytes. */
export interface MaterializationCommit {
  readonly view: string;
  readonly kind: MaterializationPlan['kind'];
  readonly reason: string;
  readonly snapshotId: bigint;
  readonly outcome: CommitResult['outcome'];
  readonly sourceSnapshotId: bigint;
  readonly rows: bigint;
  readonly files: number;
}

/**
 * Commits a run. Looks for the run's own key first, so that it may be repeated after any failure.
 * @param manifestLocations of all shards; those without rows have none
 * @throws COMMIT_CONFLICT if the view's progress or a rebuilt bucket changed since the plan (plan again), TABLE_REPLACED if
 * the source or the online table is another one now, COMMIT_STATE_UNKNOWN
 */
export async function commitMaterialization(
  deps: Pick<MaterializationDeps, 'catalog' | 'io' | 'engine' | 'loadSource'>,
  planLocation: string,
  manifestLocations: readonly string[],
): Promise<MaterializationCommit> {
  const plan = await readPlan(deps.io, planLocation);
  return onNewestProgress(deps.catalog, () => commitOnce(deps, plan, manifestLocations));
}

async function commitOnce(
  deps: Pick<MaterializationDeps, 'catalog' | 'io' | 'engine' | 'loadSource'>,
  plan: MaterializationPlan,
  manifestLocations: readonly string[],
): Promise<MaterializationCommit> {
  const online = await loadPlannedTable(deps.catalog, deps.io, plan);
  const known = findRun(online.metadata, { key: plan.runKey });
  if (known !== null) return alreadyCommitted(plan, online.metadata, known);
  faultPoint('before-commit');
  const manifests = await Promise.all(manifestLocations.map((location) => readStagedManifest(online, location)));
  const rows = manifests.reduce((sum, manifest) => sum + (manifest.addedRowsCount ?? 0n), 0n);
  const files = manifests.reduce((sum, manifest) => sum + (manifest.addedFilesCount ?? 0), 0);
  const options = await commitOptions(deps, plan, online);
  const result =
    plan.rebuild === null
      ? await commitAppend(online, { manifests, ...options })
      : await commitOverwrite(online, {
          manifests,
          ...(await replacedFiles(deps.engine, online, plan)),
          ...options,
        });
  faultPoint('after-swap');
  if (result.outcome === 'already-committed') return alreadyCommitted(plan, result.metadata, result.snapshotId);
  return { ...commitFacts(plan), snapshotId: result.snapshotId, outcome: result.outcome, rows, files };
}

async function loadPlannedTable(catalog: Catalog, io: FileIO, plan: MaterializationPlan): Promise<Table> {
  const table = await loadTable(catalog, io, plan.online.identifier);
  if (table.metadata.tableUuid !== plan.online.tableUuid) {
    throw new MoraineError(
      'TABLE_REPLACED',
      `The online table of '${plan.view.name}' was dropped and created again since the run was planned. Run it again.`,
    );
  }
  return table;
}

/** The record of the snapshot, computed from the table's progress: it is committed on no other. */
async function commitOptions(
  deps: Pick<MaterializationDeps, 'loadSource'>,
  plan: MaterializationPlan,
  online: Table,
): Promise<CommitOptions> {
  const { token, progress } = effectiveProgress(online.metadata);
  const isPlanned = createHash('sha256').update(token).digest('hex') === plan.online.progressToken;
  const progressAfter = isPlanned ? plan.progressAfter : await rebasedProgress(deps, plan, progress);
  return {
    run: { key: plan.runKey },
    summary: new Map([
      ['moraine.kind', plan.kind],
      ['moraine.source-table', plan.source.table],
      ['moraine.source-table-uuid', plan.source.tableUuid],
      ['moraine.source-snapshot-id', String(plan.source.snapshotId)],
      ['moraine.window-start-us', plan.interval.startUs === null ? '' : String(plan.interval.startUs)],
      ['moraine.window-end-us', plan.interval.endUs === null ? '' : String(plan.interval.endUs)],
      [PROGRESS_SUMMARY, progressToText(progressAfter)],
    ]),
    properties: (base, snapshotId) =>
      new Map([
        [
          PROGRESS_PROPERTY,
          progressToText(progressAfter, { snapshotId, sequenceNumber: base.lastSequenceNumber + 1n }),
        ],
      ]),
    validate: async (base) => {
      requireProgress(base, token, plan.view.name);
      requireSameVersion(online.metadata, base, plan.view.name);
      await requirePlannedSource(deps, plan);
    },
  };
}

/** Windows of a backfill that were committed meanwhile do not send a run back: see `rebase.ts`. */
async function rebasedProgress(
  deps: Pick<MaterializationDeps, 'loadSource'>,
  plan: MaterializationPlan,
  base: Progress | null,
): Promise<Progress> {
  const { table } = plan.source;
  const source = sourceState(table, (await deps.loadSource(table)).metadata);
  const rebased = rebasePlan(plan, base, source);
  if (rebased.kind === 'commit') return rebased.progressAfter;
  const reason = rebased.kind === 'stale' ? rebased.reason : 'another run has read all of the window';
  throw new MoraineError('COMMIT_CONFLICT', `The run of '${plan.view.name}' has to be planned again: ${reason}.`);
}

/** Rows of files that stay are deleted as the table's version has it. */
function requireSameVersion(loaded: TableMetadata, base: TableMetadata, view: string): void {
  if (base.formatVersion === loaded.formatVersion) return;
  const message = `The online table of '${view}' was upgraded to format version ${base.formatVersion} during the commit.`;
  throw new MoraineError('COMMIT_CONFLICT', message);
}

async function requirePlannedSource(
  deps: Pick<MaterializationDeps, 'loadSource'>,
  plan: MaterializationPlan,
): Promise<void> {
  const source = await deps.loadSource(plan.source.table);
  if (source.metadata.tableUuid === plan.source.tableUuid) return;
  throw new MoraineError(
    'TABLE_REPLACED',
    `The source table ${plan.source.table} was dropped and created again since the run was planned. Run it again.`,
  );
}

function commitFacts(plan: MaterializationPlan) {
  return {
    view: plan.view.name,
    kind: plan.kind,
    reason: plan.reason,
    sourceSnapshotId: plan.source.snapshotId,
  };
}

/** The result of an earlier attempt, from its snapshot's own summary (zero if that has expired). */
function alreadyCommitted(
  plan: MaterializationPlan,
  metadata: TableMetadata,
  snapshotId: bigint,
): MaterializationCommit {
  const summary = metadata.snapshots.find((snapshot) => snapshot.snapshotId === snapshotId)?.summary;
  return {
    ...commitFacts(plan),
    snapshotId,
    outcome: 'already-committed',
    rows: BigInt(summary?.get('added-records') ?? '0'),
    files: Number(summary?.get('added-data-files') ?? '0'),
  };
}
