/** The files that a compaction could rewrite, and the groups of them that it does. */
import {
  bindExpression,
  currentSchema,
  type DataFile,
  parseExpression,
  partitionKey,
  type Snapshot,
} from '../../iceberg/index.js';
import { hasOtherColumns, onlineSpecOf } from '../../online/index.js';
import { type PlannedFile, planFiles, type Table } from '../../tables/index.js';
import type { CompactDeps } from './compact-deps.js';
import { chooseGroups, type FileGroup, fitText, type Grouping } from './compact-groups.js';
import { stagedPrefix } from './compact-lease.js';
import type { OnlineRows, RowOrder } from './compact-plan.js';
import { type CompactRequest, DEFAULT_TARGET_BYTES } from './compact-request.js';
import { groupingText, type OnlineGrouping, onlineGrouping, onlineGroups, SEVERAL_SPECS } from './online-groups.js';
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

/** Files that the plan leaves alone although they could be rewritten, and why. */
export interface SkippedFiles {
  readonly reason: string;
  readonly files: number;
}

export interface ChosenFiles {
  /** Those that gain most for their bytes first. */
  readonly groups: readonly FileGroup[];
  /** How many files could be rewritten. */
  readonly files: number;
  readonly skipped: readonly SkippedFiles[];
  /** Why files that could be rewritten are in no group, as a clause. */
  readonly leftText: string;
}

/** The state of the table that is compacted. */
interface State {
  readonly snapshot: Snapshot | null;
  readonly order: RowOrder;
  /** Null: it is not an online table. */
  readonly online: OnlineRows | null;
}

/** @throws EXPRESSION_INVALID, COLUMN_NOT_FOUND for a condition; METADATA_CORRUPT */
export async function chooseFiles(
  deps: CompactDeps,
  request: CompactRequest,
  table: Table,
  { snapshot, order, online }: State,
  { again, runId }: PlanOptions & { readonly runId: string },
): Promise<ChosenFiles> {
  const schema = currentSchema(table.metadata);
  const scan = { snapshot, schema, appliesDeletes: true };
  const filter = request.where === undefined ? undefined : bindExpression(parseExpression(request.where), schema);
  const matching = (await planFiles(table, filter === undefined ? scan : { ...scan, filter })).files;
  const wanted = again === undefined ? undefined : await partitionsOf(deps, again, matching);
  const asked = wanted === undefined ? matching : matching.filter((planned) => wanted.has(keyOf(planned)));
  if (online === null) {
    const isOwn = ({ file }: PlannedFile): boolean => file.filePath.includes(`/${stagedPrefix(runId)}`);
    return chooseAny(
      asked.filter((planned) => !isOwn(planned)),
      groupingOf(order),
      request.targetSizeBytes ?? DEFAULT_TARGET_BYTES,
    );
  }
  const all = filter === undefined ? matching : (await planFiles(table, scan)).files;
  if (hasOtherColumns(table.metadata)) return noneOf(all, OTHER_COLUMNS);
  const grouping = onlineGrouping(request, onlineSpecOf(table.metadata, online), online);
  return chooseOnline(all, new Set(asked.map(keyOf)), grouping);
}

/** Why no files of an online table are rewritten whose columns a run has changed, and that has rows of before. */
const OTHER_COLUMNS = 'the table has got other columns since its rows were written: materialize the view first';

function noneOf({ length: files }: readonly PlannedFile[], reason: string): ChosenFiles {
  return { groups: [], files: 0, skipped: files === 0 ? [] : [{ reason, files }], leftText: '' };
}

function chooseAny(all: readonly PlannedFile[], grouping: Grouping, targetBytes: number): ChosenFiles {
  const files = all.filter(({ file }) => isReadable(file));
  const left = all.length - files.length;
  return {
    groups: chooseGroups(files, grouping, targetBytes),
    files: files.length,
    skipped: left === 0 ? [] : [{ reason: UNREADABLE, files: left }],
    leftText: fitText(grouping),
  };
}

function groupingOf(order: RowOrder): Grouping {
  if (order.kind === 'files') return { kind: 'bins' };
  const sortOrderId = order.kind === 'sort' ? order.sortOrderId : null;
  return { kind: 'sorted', isSorted: (file) => sortOrderId !== null && file.sortOrderId === sortOrderId };
}

/** Whole buckets, but for rows that are younger than all that is rewritten: a row that is left behind could win over one that is rewritten. */
function chooseOnline(
  all: readonly PlannedFile[],
  partitions: ReadonlySet<string>,
  grouping: OnlineGrouping,
): ChosenFiles {
  const leftText = groupingText(grouping);
  const unreadable = new Set(all.filter(({ file }) => !isReadable(file)).map(keyOf));
  const chosen = all.filter((planned) => partitions.has(keyOf(planned)));
  const isAsked = (planned: PlannedFile): boolean => partitions.has(keyOf(planned)) && !unreadable.has(keyOf(planned));
  const groups = onlineGroups(all, isAsked, grouping);
  if (groups === SEVERAL_SPECS) return noneOf(all, SEVERAL_SPECS);
  const readable = groups.filter(({ files }) => files.every(({ file }) => isReadable(file)));
  const files = chosen.filter(isAsked).length;
  const left = chosen.length - files;
  return {
    groups: readable,
    files,
    skipped: left === 0 ? [] : [{ reason: 'the bucket has files of other formats', files: left }],
    leftText,
  };
}

/** Why files of any table are left alone. */
const UNREADABLE = 'neither Parquet nor Avro, encrypted, or of partitions that metadata does not tell the types of';

const isReadable = ({ fileFormat, keyMetadata, partition, partitionTypes }: DataFile): boolean =>
  keyMetadata === undefined &&
  (fileFormat === 'PARQUET' || fileFormat === 'AVRO') &&
  partition.every((value, index) => value === null || (partitionTypes?.[index]?.kind ?? 'unknown') === 'unknown');

const keyOf = ({ file }: PlannedFile): string => partitionKey(file.specId, file.partition);

/** The partitions of earlier groups: the one that each counts for, and of files of several partitions those that are still there. */
async function partitionsOf(
  { io }: CompactDeps,
  { planLocation, groups }: NonNullable<PlanOptions['again']>,
  live: readonly PlannedFile[],
): Promise<ReadonlySet<string>> {
  const plan = await readCompactionPlan(io, planLocation);
  const earlier = groups.map((index) => plan.group(index));
  const paths = new Set(
    earlier.flatMap(({ into, files }) => (into === undefined ? [] : files.map(({ path }) => path))),
  );
  return new Set([
    ...earlier.map(({ specId, partition }) => partitionKey(specId, partition)),
    ...live.filter(({ file }) => paths.has(file.filePath)).map(keyOf),
  ]);
}
