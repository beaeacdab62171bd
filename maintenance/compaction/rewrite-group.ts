/** Rewriting one group: its live rows in new files, staged in one manifest that nobody can see yet. */
import { randomUUID } from 'node:crypto';
import { type Connection, type Engine, nameDamagedFile } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import type { DataFile } from '../../iceberg/index.js';
import { sizeOfFiles, stageInTurn, stageRows } from '../../staging/index.js';
import type { FileIO } from '../../storage/index.js';
import { stageManifest } from '../../tables/index.js';
import { viewWithChangedTies } from './changed-ties.js';
import { compactFaultPoint } from './compact-fault-points.js';
import { stagedPrefix } from './compact-lease.js';
import { type RewriteGroup, sizeOf } from './compact-plan.js';
import { type GroupRows, groupRows, writtenSql } from './compact-rows.js';
import { openGroup } from './open-group.js';
import { readCompactionPlan, type StoredPlan } from './read-compaction-plan.js';

/** Result of rewriting one group: a few hundred bytes. */
export interface RewrittenGroup {
  /** Its place in the plan. */
  readonly group: number;
  /** Null: no row is left, or the group was skipped. */
  readonly manifestLocation: string | null;
  readonly filesRemoved: number;
  readonly bytesRemoved: bigint;
  /** Rows of the new files. */
  readonly rows: bigint;
  readonly files: number;
  readonly bytes: bigint;
  /** Why the group was left as it is; null: it was not. */
  readonly skipped: string | null;
}

export interface RewriteOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Rewrites one group. May be repeated, killed and run twice at once: every attempt writes files of its own names.
 * @throws INVALID_ARGUMENT for a group that the plan does not have; DATA_FILE_CORRUPT, FILE_NOT_FOUND, DELETE_FILE_CORRUPT
 * naming the file; ENGINE_OUT_OF_MEMORY, STORAGE_UNAVAILABLE, CANCELLED
 */
export async function rewriteGroup(
  deps: { readonly io: FileIO; readonly engine: Engine },
  planLocation: string,
  index: number,
  { signal }: RewriteOptions = {},
): Promise<RewrittenGroup> {
  const plan = await readCompactionPlan(deps.io, planLocation);
  const group = plan.group(index);
  const attemptId = `${stagedPrefix(plan.head.planId)}-${index}-${randomUUID().slice(0, 8)}`;
  const written = await deps.engine.withConnection(
    (connection) => rewriteOn(connection, plan, { group, index, attemptId }),
    { signal },
  );
  const { files: filesRemoved, bytes: bytesRemoved } = sizeOf([group]);
  const nothing = { group: index, manifestLocation: null, filesRemoved, bytesRemoved, rows: 0n, files: 0, bytes: 0n };
  if (typeof written === 'string') return { ...nothing, skipped: written };
  compactFaultPoint('compact-after-data-files');
  if (written.length === 0) return { ...nothing, skipped: null };
  const manifest = await stageManifest(plan.table, written, attemptId);
  compactFaultPoint('compact-after-manifest-staged');
  return {
    ...nothing,
    manifestLocation: manifest.manifestPath,
    ...sizeOfFiles(written),
    skipped: null,
  };
}

interface GroupToWrite {
  readonly group: RewriteGroup;
  readonly index: number;
  readonly attemptId: string;
}

/** The new files, in the order of their rows; or why there are none. */
async function rewriteOn(
  connection: Connection,
  plan: StoredPlan,
  toWrite: GroupToWrite,
): Promise<readonly DataFile[] | string> {
  const open = await openGroup(connection, plan.table, plan.head, toWrite.group);
  const paths = open.scan.files.map(({ path }) => path);
  try {
    const view = await viewWithChangedTies(connection, plan, toWrite.index, open);
    if (view !== null) {
      return `rows of ${view} that tie in entity and event time would win or lose otherwise than before`;
    }
    const rows = await groupRows(connection, plan.head, open);
    compactFaultPoint('compact-before-data-file');
    const { into } = toWrite.group;
    if (into !== undefined) return await foldInto(into, connection, plan, rows, toWrite);
    return await writeFiles(connection, plan, rows, toWrite);
  } catch (error) {
    throw await nameDamagedFile(connection, paths, error);
  }
}

/** The rows in the partitions of a spec, a file in each, in the order of the table's keys. */
async function foldInto(
  specId: number,
  connection: Connection,
  { table, head }: StoredPlan,
  { relation, columns, schema }: GroupRows,
  { attemptId }: GroupToWrite,
): Promise<readonly DataFile[]> {
  const spec = table.metadata.partitionSpecs.find((one) => one.specId === specId);
  if (spec === undefined) throw new MoraineError('METADATA_CORRUPT', `The table has no partition spec ${specId}.`);
  const { online, order } = head;
  return await stageRows(connection, table, {
    select: `SELECT ${columns.join(', ')} FROM ${relation} WHERE m_kept`,
    schema,
    spec,
    namePrefix: attemptId,
    sortBy: online === null ? [] : [online.keyId],
    ...(order.kind === 'sort' && order.sortOrderId !== null ? { sortOrderId: order.sortOrderId } : {}),
  });
}

async function writeFiles(
  connection: Connection,
  { table, head }: StoredPlan,
  rows: GroupRows,
  { group, attemptId }: GroupToWrite,
): Promise<readonly DataFile[]> {
  const sortOrderId = head.order.kind === 'sort' ? head.order.sortOrderId : null;
  return await stageInTurn(connection, table, async (stage) => {
    const write = async (select: string, part: number): Promise<readonly DataFile[]> => {
      // The partition is known: written as one unpartitioned file, the rows keep their order.
      const files = await stage({
        select,
        schema: rows.schema,
        spec: { specId: group.specId, fields: [] },
        namePrefix: `${attemptId}-${part}`,
        sortBy: [],
        ...(sortOrderId === null ? {} : { sortOrderId }),
      });
      return files.map((file) => ({ ...file, partition: group.partition }));
    };
    if (group.outputs === 1) return write(writtenSql(rows), 0);
    return inParts(connection, writtenSql(rows), group.outputs, write);
  });
}

/** The rows in about equally many parts, in order, by way of a temporary table whose rows lie in the order they came in. */
async function inParts(
  connection: Connection,
  select: string,
  parts: number,
  write: (select: string, part: number) => Promise<readonly DataFile[]>,
): Promise<readonly DataFile[]> {
  const ordered = `moraine_ordered_${randomUUID().replaceAll('-', '')}`;
  await connection.run(`CREATE TEMPORARY TABLE ${ordered} AS ${select}`);
  try {
    const [[count] = []] = await connection.rows(`SELECT count(*) FROM ${ordered}`);
    const perFile = Math.max(1, Math.ceil(Number(count) / parts));
    const files: DataFile[] = [];
    for (let part = 0; part < parts; part++) {
      const range = `rowid >= ${part * perFile} AND rowid < ${(part + 1) * perFile}`;
      files.push(...(await write(`SELECT * FROM ${ordered} WHERE ${range}`, part)));
    }
    return files;
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${ordered}`);
  }
}
