/** Planning a compaction: the snapshot is pinned, the files are grouped, and the plan is stored. Nothing of the table is changed. */
import { randomUUID } from 'node:crypto';
import { metadataFolder } from '../../catalogs/index.js';
import { unwritableColumns } from '../../engine/index.js';
import { counted, MoraineError } from '../../errors/index.js';
import {
  currentSchema,
  currentSnapshot,
  isUnpartitioned,
  type PartitionSpec,
  type PartitionTuple,
  partitionPath,
} from '../../iceberg/index.js';
import { type PlannedFile, pinTable, type Table } from '../../tables/index.js';
import { type ChosenFiles, chooseFiles, type PlanOptions, type SkippedFiles } from './choose-files.js';
import type { CompactDeps } from './compact-deps.js';
import { compactFaultPoint } from './compact-fault-points.js';
import { type FileGroup, withinBudget } from './compact-groups.js';
import { leaseForCompaction, stagedPrefix } from './compact-lease.js';
import { onlineRowsOf } from './compact-online.js';
import { rowOrder } from './compact-order.js';
import { type CompactionPlan, type FileToRewrite, type OnlineRows, type RewriteGroup, sizeOf } from './compact-plan.js';
import { compactionPlanToText } from './compact-plan-json.js';
import { type CompactRequest, invalid } from './compact-request.js';
import { tieViewsOf } from './compact-ties.js';

/** A group as people see it. */
export interface GroupSummary {
  /** As a folder, such as `day=2001-01-01`; empty without partitions, and for files of several. */
  readonly partition: string;
  readonly files: number;
  readonly bytes: bigint;
  readonly outputs: number;
}

/** Summary of a planned compaction. */
export interface CompactionPreview {
  readonly table: string;
  readonly plan: CompactionPlan | null;
  readonly groups: readonly GroupSummary[];
  readonly files: number;
  readonly rows: bigint;
  readonly bytes: bigint;
  readonly skipped: readonly SkippedFiles[];
  /** Why there is nothing to do; null if there is something. */
  readonly reason: string | null;
}

/** A stored plan, by reference. */
export interface CompactionReference extends Omit<CompactionPreview, 'plan' | 'groups'> {
  /** Null: there is nothing to do. */
  readonly planLocation: string | null;
  readonly groups: number;
  /** Groups that are committed together. */
  readonly groupsPerCommit: number;
}

/** A commit takes so much at least, and a plan so many commits at most. */
const BYTES_PER_COMMIT = 2 ** 30;
const COMMITS_PER_PLAN = 10;
/** The manifests of a commit travel as one list. */
const GROUPS_PER_COMMIT = 100;

/**
 * Plans and stores the plan beside the table's metadata.
 * @throws INVALID_ARGUMENT for what the table cannot be compacted by; TABLE_NOT_FOUND, METADATA_CORRUPT, EXPRESSION_INVALID,
 * COLUMN_NOT_FOUND, UNSUPPORTED_FEATURE for a column that cannot be written, FORMAT_VERSION_UNSUPPORTED
 */
export async function planCompaction(
  deps: CompactDeps,
  request: CompactRequest,
  options: PlanOptions = {},
): Promise<CompactionReference> {
  const table = await deps.loadTable(request.table);
  const runId = options.runId ?? randomUUID();
  const { plan, groups, ...preview } = await previewOf(deps, request, table, { ...options, runId });
  const groupsPerCommit = request.partialProgress ?? defaultGroupsPerCommit(groups.length, Number(preview.bytes));
  const reference = { ...preview, groups: groups.length, groupsPerCommit };
  if (plan === null) return { ...reference, planLocation: null };
  const planLocation = `${metadataFolder(table.metadata)}/${stagedPrefix(plan.planId)}-plan.jsonl`;
  await leaseForCompaction(table, runId, plan.snapshotId);
  await deps.io.create(planLocation, Buffer.from(compactionPlanToText(plan, table.metadata)));
  compactFaultPoint('compact-plan-written');
  return { ...reference, planLocation };
}

/** Plans and stores nothing. The errors are those of {@link planCompaction}. */
export async function previewCompaction(
  deps: CompactDeps,
  request: CompactRequest,
  options: PlanOptions = {},
): Promise<CompactionPreview> {
  return previewOf(deps, request, await deps.loadTable(request.table), options);
}

/** Every commit is another snapshot, and what is not committed yet is lost with its run: few for little, more for much. */
function defaultGroupsPerCommit(groups: number, bytes: number): number {
  const commits = Math.min(COMMITS_PER_PLAN, Math.max(1, Math.ceil(bytes / BYTES_PER_COMMIT)));
  return Math.min(GROUPS_PER_COMMIT, Math.max(1, Math.ceil(groups / commits)));
}

async function previewOf(
  deps: CompactDeps,
  request: CompactRequest,
  table: Table,
  options: PlanOptions,
): Promise<CompactionPreview> {
  const { metadata } = table;
  const runId = options.runId ?? randomUUID();
  const online = onlineRowsOf(metadata, table.identifier.name);
  refuseUnfit(request, table, online);
  const order = rowOrder(request, metadata, online !== null);
  const snapshot = currentSnapshot(metadata);
  const found = await chooseFiles(deps, request, table, { snapshot, order, online }, { ...options, runId });
  const chosen = found.groups;
  const groups = withinBudget(chosen, request.maxBytes);
  const left = chosen.filter((group) => !groups.includes(group)).reduce((sum, { files }) => sum + files.length, 0);
  const skipped = [...found.skipped, ...(left === 0 ? [] : [{ reason: 'beyond the byte budget', files: left }])];
  const rewrites = groups.map(groupToRewrite);
  const preview = {
    table: request.table,
    groups: groups.map((group) => summaryOf(group, table)),
    ...sizeOf(rewrites),
    skipped,
    reason: groups.length > 0 ? null : whyNothing(found, request),
  };
  if (snapshot === null || rewrites.length === 0) return { ...preview, plan: null };
  const nowUs = options.nowUs ?? BigInt(Date.now()) * 1000n;
  const hasLineage = metadata.formatVersion >= 3;
  const mayChangeTies = hasLineage || online !== null || request.allowTieChange === true;
  const plan: CompactionPlan = {
    planId: `${runId}-${randomUUID().slice(0, 8)}`,
    table: request.table,
    tableUuid: metadata.tableUuid,
    ...pinTable(table),
    snapshotId: snapshot.snapshotId,
    sequenceNumber: snapshot.sequenceNumber,
    strategy: request.strategy,
    nowUs,
    expiredBeforeUs: request.dropExpired === true ? await expiredBefore(deps, table, nowUs) : null,
    order,
    online,
    tieViews: mayChangeTies ? [] : await tieViewsOf(deps, table),
    hasLineage,
    groups: rewrites,
  };
  return { ...preview, plan };
}

/** Why no files are rewritten. */
function whyNothing(
  { groups, files, skipped, leftText }: ChosenFiles,
  { where, maxBytes }: Pick<CompactRequest, 'where' | 'maxBytes'>,
): string {
  if (groups.length > 0) return `the smallest work is beyond the byte budget of ${maxBytes}`;
  if (files > 0) return `${counted(files, 'data file')} left as ${files === 1 ? 'it is' : 'they are'}: ${leftText}`;
  if (skipped.length > 0) return 'no data file can be rewritten';
  return where === undefined ? 'the table has no data files' : 'no data file can have rows that meet the condition';
}

function refuseUnfit(request: CompactRequest, { metadata }: Table, online: OnlineRows | null): void {
  if (request.strategy === 'latest' && online === null) {
    throw invalid(
      `${request.table} is not an online table: latest keeps one row of each entity, which only those have.`,
    );
  }
  if (metadata.formatVersion < 2) {
    const message = `Table ${request.table} has format version ${metadata.formatVersion}, which is not written: upgrade it first.`;
    throw new MoraineError('FORMAT_VERSION_UNSUPPORTED', message);
  }
  const [column] = unwritableColumns(currentSchema(metadata));
  if (column === undefined) return;
  const message = `${request.table} cannot be rewritten because of its column ${JSON.stringify(column.path)} of type ${column.type.kind}: ${column.remedy}.`;
  throw new MoraineError('UNSUPPORTED_FEATURE', message, { details: { column: column.path } });
}

async function expiredBefore(deps: CompactDeps, table: Table, nowUs: bigint): Promise<bigint | null> {
  const view = (await deps.definitions()).featureViews.get(table.identifier.name);
  if (view === undefined) {
    throw invalid(`There is no feature view '${table.identifier.name}', whose ttl says what has expired.`);
  }
  return view.ttlMs === null ? null : nowUs - view.ttlMs * 1000n;
}

function groupToRewrite(group: FileGroup): RewriteGroup {
  const { files, outputs, into, sequenceNumber } = group;
  const { spec, partition } = placeOf(group);
  return {
    specId: spec.specId,
    partition,
    outputs,
    files: files.map(fileToRewrite),
    ...(into === undefined ? {} : { into: into.specId }),
    ...(sequenceNumber === undefined ? {} : { sequenceNumber }),
  };
}

/** The partition that a group counts for: none if its files are folded. */
function placeOf({ files, into }: FileGroup): { readonly spec: PartitionSpec; readonly partition: PartitionTuple } {
  const [oldest] = files as [PlannedFile, ...PlannedFile[]];
  const first = into === undefined ? oldest : (files.find(({ spec }) => isUnpartitioned(spec)) ?? oldest);
  return { spec: first.spec, partition: first.file.partition };
}

function fileToRewrite({ file, sequenceNumber }: PlannedFile): FileToRewrite {
  const { filePath: path, recordCount, fileSizeInBytes, firstRowId } = file;
  const format = file.fileFormat === 'AVRO' ? 'AVRO' : 'PARQUET';
  return { path, recordCount, fileSizeInBytes, sequenceNumber, format, firstRowId };
}

function summaryOf(group: FileGroup, { metadata }: Table): GroupSummary {
  const { files, outputs, into } = group;
  const place = placeOf(group);
  const partition = into === undefined ? partitionPath(place.spec, currentSchema(metadata), place.partition) : '';
  return {
    partition,
    files: files.length,
    outputs,
    bytes: files.reduce((sum, { file }) => sum + file.fileSizeInBytes, 0n),
  };
}
