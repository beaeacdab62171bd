/**
 * Whether a rewrite would change which of several tied rows a registered view serves. Rewritten files get the planning snapshot's
 * sequence number, so rows that theirs told apart are told apart by value afterwards, and win over rows of files that stay.
 */
import { type Connection, columnAlias, type Scan, scanSql } from '../engine/index.js';
import {
  currentSchema,
  type DataFile,
  deserializeValue,
  findField,
  isPrimitive,
  type Schema,
  snapshotById,
} from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { type PlannedFile, planFiles } from '../tables/index.js';
import type { FileToRewrite, TieView } from './compact-plan.js';
import { openGroup } from './open-group.js';
import type { StoredPlan } from './read-compaction-plan.js';

/** A live file beside the group. */
interface OtherFile {
  readonly planned: PlannedFile;
  /** Whether the plan rewrites it, too. */
  readonly isRewritten: boolean;
}

/** The name of the first view whose ties the rewrite of a group would change; null: none. */
export async function viewWithChangedTies(
  connection: Connection,
  io: FileIO,
  plan: StoredPlan,
  index: number,
): Promise<string | null> {
  if (plan.head.tieViews.length === 0) return null;
  const { table, head } = plan;
  const group = plan.group(index);
  const schema = currentSchema(table.metadata);
  const snapshot = snapshotById(table.metadata, head.snapshotId);
  const { files } = await planFiles(table, { snapshot, schema, appliesDeletes: true });
  const own = new Set(group.files.map(({ path }) => path));
  const ownFiles = files.filter(({ file }) => own.has(file.filePath));
  const others = otherFiles(plan, index, files, own);
  for (const view of head.tieViews) {
    const near = others.filter(({ planned }) => mayShareTimes(schema, view, ownFiles, planned.file));
    if (near.length === 0 && new Set(group.files.map(({ sequenceNumber }) => sequenceNumber)).size === 1) continue;
    const parts = [
      { files: group.files, specId: group.specId, partition: group.partition, classOf: rewrittenClass, isOwn: true },
      ...near.map(asPart),
    ];
    const scans: string[] = [];
    for (const part of parts) {
      const open = await openGroup(connection, io, table, head, part);
      scans.push(tiedFactsSql(view, { ...open.scan, schema }, part));
    }
    const [found] = await connection.rows(changedTiesSql(view, scans));
    if (found !== undefined) return view.name;
  }
  return null;
}

/** Of the files that stay only those matter whose rows win over older ones of the group; of those rewritten besides, all. */
function otherFiles(
  plan: StoredPlan,
  index: number,
  files: readonly PlannedFile[],
  own: ReadonlySet<string>,
): readonly OtherFile[] {
  const rewritten = new Set<string>();
  for (let other = 0; other < plan.groupCount; other++) {
    if (other !== index) for (const { path } of plan.group(other).files) rewritten.add(path);
  }
  const least = plan
    .group(index)
    .files.reduce((min, file) => (file.sequenceNumber < min ? file.sequenceNumber : min), plan.head.sequenceNumber);
  return files.flatMap((planned): OtherFile[] => {
    const isRewritten = rewritten.has(planned.file.filePath);
    const matters = !own.has(planned.file.filePath) && (isRewritten || planned.sequenceNumber >= least);
    return matters ? [{ planned, isRewritten }] : [];
  });
}

interface Part {
  readonly files: readonly FileToRewrite[];
  readonly specId: number;
  readonly partition: PlannedFile['file']['partition'];
  /** Rows of two classes are told apart otherwise after the rewrite. */
  readonly classOf: (sequence: string) => string;
  readonly isOwn: boolean;
}

const rewrittenClass = (sequence: string): string => `2 * ${sequence}`;
const stayingClass = (sequence: string): string => `2 * ${sequence} + 1`;

function asPart({ planned, isRewritten }: OtherFile): Part {
  const { file, sequenceNumber } = planned;
  const { filePath: path, recordCount, fileSizeInBytes } = file;
  const format = file.fileFormat === 'AVRO' ? 'AVRO' : 'PARQUET';
  return {
    files: [{ path, recordCount, fileSizeInBytes, sequenceNumber, format }],
    specId: file.specId,
    partition: file.partition,
    classOf: isRewritten ? rewrittenClass : stayingClass,
    isOwn: false,
  };
}

/** What ties a row has, its class, and a hash of everything that is served of it. */
function tiedFactsSql(view: TieView, scan: Scan, { classOf, isOwn }: Part): string {
  const ids = [
    ...new Set([
      ...view.keyIds,
      view.eventTimeId,
      ...(view.createdId === null ? [] : [view.createdId]),
      ...view.featureIds,
    ]),
  ];
  const rows = scanSql({ ...scan, columns: ids, naming: 'id', extras: { sequenceNumber: 'm_seq' } });
  const facts = view.featureIds.flatMap((id) => {
    const kind = findField(scan.schema, id)?.type.kind;
    const column = columnAlias(id);
    return kind === 'float' || kind === 'double' ? [column, `signbit(${column})`] : [column];
  });
  const tied = tiedColumns(view);
  const present = [...view.keyIds, view.eventTimeId].map((id) => `${columnAlias(id)} IS NOT NULL`).join(' AND ');
  return `SELECT ${tied.join(', ')}, ${classOf('m_seq')} AS class, hash(${['0', ...facts].join(', ')}) AS facts, ${isOwn} AS own FROM ${rows} WHERE ${present}`;
}

function changedTiesSql(view: TieView, scans: readonly string[]): string {
  const tied = tiedColumns(view).join(', ');
  const isChanged = 'bool_or(own) AND min(class) <> max(class) AND min(facts) <> max(facts)';
  return `SELECT 1 FROM (${scans.join(' UNION ALL ')}) GROUP BY ${tied} HAVING ${isChanged} LIMIT 1`;
}

function tiedColumns({ keyIds, eventTimeId, createdId }: TieView): readonly string[] {
  return [...new Set([...keyIds, eventTimeId, ...(createdId === null ? [] : [createdId])])].map(columnAlias);
}

/** Whether a file may have an event time that some file of the group has, by their bounds. */
function mayShareTimes(schema: Schema, view: TieView, own: readonly PlannedFile[], file: DataFile): boolean {
  const type = findField(schema, view.eventTimeId)?.type;
  if (type === undefined || !isPrimitive(type)) return true;
  const bound = (bounds: DataFile['lowerBounds']): bigint | null => {
    const bytes = bounds?.get(view.eventTimeId);
    return bytes?.length === 8 ? BigInt(deserializeValue(type, bytes) as bigint) : null;
  };
  const [lower, upper] = [bound(file.lowerBounds), bound(file.upperBounds)];
  if (lower === null || upper === null) return true;
  return own.some((planned) => {
    const [ownLower, ownUpper] = [bound(planned.file.lowerBounds), bound(planned.file.upperBounds)];
    return ownLower === null || ownUpper === null || (ownLower <= upper && lower <= ownUpper);
  });
}
