/** Planning a compaction: the snapshot is pinned, the files are grouped, and the plan is stored. Nothing of the table is changed. */
import { randomUUID } from 'node:crypto';
import { metadataFolder } from '../../catalogs/index.js';
import { unwritableColumns } from '../../engine/index.js';
import { counted, MoraineError } from '../../errors/index.js';
import {
  bindExpression,
  currentSchema,
  currentSnapshot,
  type DataFile,
  parseExpression,
  partitionKey,
  partitionPath,
  type Snapshot,
} from '../../iceberg/index.js';
import { type PlannedFile, pinTable, planFiles, type Table } from '../../tables/index.js';
import type { CompactDeps } from './compact-deps.js';
import { compactFaultPoint } from './compact-fault-points.js';
import { chooseGroups, type FileGroup, fitText, type Grouping, withinBudget } from './compact-groups.js';
import { leaseForCompaction, stagedPrefix } from './compact-lease.js';
import { onlineRowsOf } from './compact-online.js';
import { rowOrder } from './compact-order.js';
import {
  type CompactionPlan,
  type FileToRewrite,
  type OnlineRows,
  type RewriteGroup,
  type RowOrder,
  sizeOf,
} from './compact-plan.js';
import { compactionPlanToText } from './compact-plan-json.js';
import { type CompactRequest, DEFAULT_TARGET_BYTES, invalid } from './compact-request.js';
import { tieViewsOf } from './compact-ties.js';
import { readCompactionPlan } from './read-compaction-plan.js';

/** Beside what is asked for: what tells runs and their passes apart. */
export interface PlanOptions {
  /** The same for all passes of a run: files that one of them wrote are not rewritten by another. */
  readonly runId?: string | undefined;
  /** Groups of an earlier pass that have to be planned again; only their partitions are looked at. */
  readonly again?: { readonly planLocation: string; readonly groups: readonly number[] } | undefined;
  /** Microseconds since the epoch; by default the time of this machine. */
  readonly nowUs?: bigint | undefined;
}

/** A group as people see it. */
export interface GroupSummary {
  /** As a folder, such as `day=2001-01-01`; empty without partitions. */
  readonly partition: string;
  readonly files: number;
  readonly bytes: bigint;
  readonly outputs: number;
}

/** Files that the plan leaves alone although they could be rewritten, and why. */
export interface SkippedFiles {
  readonly reason: string;
  readonly files: number;
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
  const found = await filesToCompact(deps, request, table, snapshot, online, { ...options, runId });
  const targetBytes = request.targetSizeBytes ?? DEFAULT_TARGET_BYTES;
  const grouping = groupingOf(request, order, online);
  const chosen = chooseGroups(found.files, grouping, targetBytes);
  const groups = withinBudget(chosen, request.maxBytes);
  const left = chosen.filter((group) => !groups.includes(group)).reduce((sum, { files }) => sum + files.length, 0);
  const skipped = [...found.skipped, ...(left === 0 ? [] : [{ reason: 'beyond the byte budget', files: left }])];
  const rewrites = groups.map(groupToRewrite);
  const preview = {
    table: request.table,
    groups: groups.map((group) => summaryOf(group, table)),
    ...sizeOf(rewrites),
    skipped,
    reason: groups.length > 0 ? null : whyNothing(found, chosen.length, request, grouping),
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

/** Why no files are rewritten, given how many groups of them would be without a budget. */
function whyNothing(
  { files, skipped }: FoundFiles,
  groups: number,
  { where, maxBytes }: CompactRequest,
  grouping: Grouping,
): string {
  if (groups > 0) return `the smallest work is beyond the byte budget of ${maxBytes}`;
  if (files.length > 0)
    return `${counted(files.length, 'data file')} left as ${files.length === 1 ? 'it is' : 'they are'}: ${fitText(grouping)}`;
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

interface FoundFiles {
  readonly files: readonly PlannedFile[];
  readonly skipped: readonly SkippedFiles[];
}

async function filesToCompact(
  deps: CompactDeps,
  request: CompactRequest,
  table: Table,
  snapshot: Snapshot | null,
  online: OnlineRows | null,
  { again, runId }: PlanOptions & { readonly runId: string },
): Promise<FoundFiles> {
  const schema = currentSchema(table.metadata);
  const scan = { snapshot, schema, appliesDeletes: true };
  const filter = request.where === undefined ? undefined : bindExpression(parseExpression(request.where), schema);
  const matching = (await planFiles(table, filter === undefined ? scan : { ...scan, filter })).files;
  const wanted = again === undefined ? undefined : await partitionsOf(deps, again);
  const inPartitions = (keys: ReadonlySet<string>) => (planned: PlannedFile) => keys.has(keyOf(planned));
  const asked = wanted === undefined ? matching : matching.filter(inPartitions(wanted));
  if (online === null) {
    const isOwn = ({ file }: PlannedFile): boolean => file.filePath.includes(`/${stagedPrefix(runId)}`);
    return withoutUnreadable(asked.filter((planned) => !isOwn(planned)));
  }
  const all = filter === undefined ? matching : (await planFiles(table, scan)).files;
  return onlineFiles(all, new Set(asked.map(keyOf)));
}

/** Whole buckets: a row that is left behind could win over one that is rewritten. */
function onlineFiles(all: readonly PlannedFile[], partitions: ReadonlySet<string>): FoundFiles {
  if (new Set(all.map(({ spec }) => spec.specId)).size > 1) {
    const reason = 'an entity may have rows in buckets of several partition specs: materialize the view first';
    return { files: [], skipped: [{ reason, files: all.length }] };
  }
  const unreadable = new Set(all.filter(({ file }) => !isReadable(file)).map(keyOf));
  const chosen = all.filter((planned) => partitions.has(keyOf(planned)));
  const files = chosen.filter((planned) => !unreadable.has(keyOf(planned)));
  const left = chosen.length - files.length;
  return { files, skipped: left === 0 ? [] : [{ reason: 'the bucket has files of other formats', files: left }] };
}

function withoutUnreadable(all: readonly PlannedFile[]): FoundFiles {
  const files = all.filter(({ file }) => isReadable(file));
  const left = all.length - files.length;
  return { files, skipped: left === 0 ? [] : [{ reason: 'neither Parquet nor Avro, or encrypted', files: left }] };
}

const isReadable = ({ fileFormat, keyMetadata }: DataFile): boolean =>
  keyMetadata === undefined && (fileFormat === 'PARQUET' || fileFormat === 'AVRO');

const keyOf = ({ file }: PlannedFile): string => partitionKey(file.specId, file.partition);

async function partitionsOf(
  { io }: CompactDeps,
  { planLocation, groups }: NonNullable<PlanOptions['again']>,
): Promise<ReadonlySet<string>> {
  const plan = await readCompactionPlan(io, planLocation);
  return new Set(
    groups.map((index) => {
      const { specId, partition } = plan.group(index);
      return partitionKey(specId, partition);
    }),
  );
}

/** In an online table of many small commits every bucket has many files: `latest` takes those with two or more. */
const ONLINE_MIN_FILES = { latest: 2, binpack: 5, sort: 5 } as const;

function groupingOf({ strategy, dropExpired }: CompactRequest, order: RowOrder, online: OnlineRows | null): Grouping {
  if (online !== null) {
    return { kind: 'partitions', minFiles: dropExpired === true ? 1 : ONLINE_MIN_FILES[strategy] };
  }
  if (order.kind === 'files') return { kind: 'bins' };
  const sortOrderId = order.kind === 'sort' ? order.sortOrderId : null;
  return { kind: 'sorted', isSorted: (file) => sortOrderId !== null && file.sortOrderId === sortOrderId };
}

async function expiredBefore(deps: CompactDeps, table: Table, nowUs: bigint): Promise<bigint | null> {
  const view = (await deps.definitions()).featureViews.get(table.identifier.name);
  if (view === undefined) {
    throw invalid(`There is no feature view '${table.identifier.name}', whose ttl says what has expired.`);
  }
  return view.ttlMs === null ? null : nowUs - view.ttlMs * 1000n;
}

function groupToRewrite({ files, outputs }: FileGroup): RewriteGroup {
  const [first] = files as [PlannedFile, ...PlannedFile[]];
  return { specId: first.spec.specId, partition: first.file.partition, outputs, files: files.map(fileToRewrite) };
}

function fileToRewrite({ file, sequenceNumber }: PlannedFile): FileToRewrite {
  const { filePath: path, recordCount, fileSizeInBytes, firstRowId } = file;
  const format = file.fileFormat === 'AVRO' ? 'AVRO' : 'PARQUET';
  return { path, recordCount, fileSizeInBytes, sequenceNumber, format, firstRowId };
}

function summaryOf({ files, outputs }: FileGroup, { metadata }: Table): GroupSummary {
  const [first] = files as [PlannedFile, ...PlannedFile[]];
  const partition = partitionPath(first.spec, currentSchema(metadata), first.file.partition);
  return {
    partition,
    files: files.length,
    outputs,
    bytes: files.reduce((sum, { file }) => sum + file.fileSizeInBytes, 0n),
  };
}
