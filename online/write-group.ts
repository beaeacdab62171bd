/** Batches of rows for one online table, which are written in one commit. */
import { randomUUID } from 'node:crypto';
import type { Connection } from '../engine/index.js';
import { type Definitions, type FeatureView, findFeatureView } from '../features/index.js';
import { currentSchema, type DataFile } from '../iceberg/index.js';
import { sizeOfFiles } from '../staging/index.js';
import {
  commitAppend,
  findIdempotencyKeys,
  type IdempotencyKey,
  IdempotencyKeysTaken,
  recordingKeys,
  type Table,
} from '../tables/index.js';
import { type OpenedBatches, onlineSelect, openBatches, type TimedRows } from './batch-rows.js';
import type { Outcome } from './group-commits.js';
import { knownBatches } from './keyed-batches.js';
import { currentSnapshotName, type SnapshotName, snapshotName } from './lineage.js';
import { requireSameColumns, stageOnlineRows } from './small-writes.js';
import { onlineColumns } from './stored-columns.js';
import { joinKeysOf } from './view-columns.js';
import { madeOnlineTable, type OnlineWriteDeps, onlineWriteTarget, requireOnline } from './write-target.js';

/** A batch of a group. */
export interface GroupedBatch extends TimedRows {
  /** A batch under a key is committed once within 24 hours. */
  readonly key?: IdempotencyKey | undefined;
}

/** Batches in the order that they arrived in. */
export interface OnlineGroup {
  readonly view: string;
  /** Whether the rows are the clients' own, which rebuilds from the source keep. */
  readonly pushed: boolean;
  readonly batches: readonly GroupedBatch[];
  readonly signal?: AbortSignal | undefined;
}

/** Result of a write. */
export interface OnlineWriteResult {
  readonly view: string;
  /** Null: there were no rows, and nothing was committed. */
  readonly snapshotId: bigint | null;
  /** What a read takes among its `minSnapshots` to have the rows: the snapshot, or if it has expired, a later one. */
  readonly minSnapshot: SnapshotName;
  /** `already-committed`: an earlier write under the same key has the rows; this one wrote none. */
  readonly outcome: 'committed' | 'already-committed' | 'nothing';
  /** Rows of the batch. */
  readonly rows: bigint;
  /** Files of the commit, which may have rows of other batches, too. */
  readonly files: number;
  readonly bytes: bigint;
}

/** A batch fails alone if its rows cannot be read. */
export type BatchOutcome = Outcome<OnlineWriteResult>;

export interface GroupResult {
  /** In the order of the batches. */
  readonly outcomes: readonly BatchOutcome[];
  /** The table with every commit that the outcomes name; null: they name none. */
  readonly table: Table | null;
}

/**
 * Writes batches in one commit. Rows win as if each batch had a commit of its own, in the order of the batches.
 * @throws what ends the whole group: as `writeOnlineBatch`
 */
export async function writeOnlineGroup(deps: OnlineWriteDeps, group: OnlineGroup): Promise<GroupResult> {
  const definitions = await deps.definitions();
  const view = findFeatureView(definitions, group.view);
  requireOnline(view);
  for (;;) {
    try {
      return await writeOnce(deps, { view, definitions, group, made: await madeOnlineTable(deps, view) });
    } catch (error) {
      // Who has them is found in the newer table.
      if (!(error instanceof IdempotencyKeysTaken)) throw error;
    }
  }
}

interface Write {
  readonly view: FeatureView;
  readonly definitions: Definitions;
  readonly group: OnlineGroup;
  /** Null: the table is not made yet. */
  readonly made: Table | null;
}

async function writeOnce(deps: OnlineWriteDeps, write: Write): Promise<GroupResult> {
  const { view, group, made } = write;
  const keys = group.batches.map(({ key }) => key);
  const named = keys.flatMap((key) => key?.key ?? []);
  const known = knownBatches(keys, made === null ? new Map() : await findIdempotencyKeys(made, named));
  const places = group.batches.flatMap((_, place) => (known.has(place) ? [] : [place]));
  const batches = places.flatMap((place) => group.batches[place] ?? []);
  const { written, table } = await commitBatches(deps, { ...write, group: { ...group, batches } });
  const outcomes = group.batches.map((_, place): BatchOutcome => {
    const found = known.get(place);
    if (found === undefined || 'sameAs' in found)
      return written[places.indexOf(found?.sameAs ?? place)] ?? { result: nothingOf(view.name) };
    if ('error' in found) return found;
    return { result: alreadyCommitted(view.name, found.snapshotId, made) };
  });
  const isNamed = outcomes.some((outcome) => 'result' in outcome && outcome.result.snapshotId !== null);
  return { outcomes, table: table ?? (isNamed ? made : null) };
}

/** Commits batches that no commit has. */
async function commitBatches(
  deps: OnlineWriteDeps,
  write: Write,
): Promise<{ readonly written: readonly BatchOutcome[]; readonly table: Table | null }> {
  const { view, group } = write;
  if (group.batches.length === 0) return { written: [], table: null };
  const { staged, opened } = await deps.engine.withConnection((connection) => stageGroup(connection, deps, write), {
    signal: group.signal,
  });
  if (staged === null) return { written: outcomesOf(opened, nothingOf(view.name)), table: null };
  const { table, files } = staged;
  const keys = group.batches.flatMap(({ key }, place) => {
    const isWritten = opened.errors[place] === undefined && opened.counts[place] !== 0n;
    return key === undefined || !isWritten ? [] : [key];
  });
  const recording = recordingKeys(table, keys);
  const { snapshotId, metadata, metadataLocation } = await commitAppend(table, {
    files,
    run: { key: randomUUID() },
    summary: new Map([['moraine.kind', 'online-write']]),
    // Rows fit the table whatever others have written: only the swap has to be tried again.
    isCostly: true,
    // A run may give the table other columns without a snapshot.
    requiresSchema: true,
    ...recording,
    validate: async (base) => {
      requireSameColumns(table, base);
      await recording.validate?.(base);
    },
  });
  const minSnapshot = snapshotName(metadata, snapshotId);
  const result = { view: view.name, snapshotId, minSnapshot, outcome: 'committed', ...sizeOfFiles(files) } as const;
  return { written: outcomesOf(opened, result), table: { ...table, metadata, metadataLocation } };
}

function nothingOf(view: string): OnlineWriteResult {
  return {
    view,
    snapshotId: null,
    minSnapshot: { snapshotId: null },
    outcome: 'nothing',
    rows: 0n,
    files: 0,
    bytes: 0n,
  };
}

/** @param made has the snapshot in its history */
function alreadyCommitted(view: string, snapshotId: bigint, made: Table | null): OnlineWriteResult {
  const name = made === null ? { snapshotId } : snapshotName(made.metadata, snapshotId);
  const minSnapshot = made === null || name.sequenceNumber !== undefined ? name : currentSnapshotName(made);
  return { ...nothingOf(view), snapshotId, minSnapshot, outcome: 'already-committed' };
}

function outcomesOf({ errors, counts }: OpenedBatches, result: OnlineWriteResult): readonly BatchOutcome[] {
  return errors.map((error, place) => {
    if (error !== undefined) return { error };
    const rows = counts[place] ?? result.rows;
    return { result: rows === 0n ? nothingOf(result.view) : { ...result, rows } };
  });
}

/** The batches, and files with their rows; null if there are no rows. */
interface StagedGroup {
  readonly opened: OpenedBatches;
  readonly staged: { readonly table: Table; readonly files: readonly DataFile[] } | null;
}

async function stageGroup(connection: Connection, deps: OnlineWriteDeps, write: Write): Promise<StagedGroup> {
  const { table, opened } = await openGroup(connection, deps, write);
  if (table === null) return { opened, staged: null };
  const { view, definitions, group } = write;
  const schema = currentSchema(table.metadata);
  const { keys, lookup, eventTimestamp } = onlineColumns(schema, joinKeysOf(view, definitions), view.name);
  const select = onlineSelect(schema, keys, opened, { view, pushed: group.pushed });
  const staged = await stageOnlineRows(connection, table, {
    select,
    columns: { keyId: lookup.id, eventTimeId: eventTimestamp.id },
    namePrefix: randomUUID(),
  });
  return { opened, staged: staged.files.length === 0 ? null : staged };
}

/** The table and the rows for it. It is made only for rows that fit it; null: there are none. */
async function openGroup(
  connection: Connection,
  deps: OnlineWriteDeps,
  write: Write,
): Promise<{ readonly table: Table | null; readonly opened: OpenedBatches }> {
  const { view, definitions, group, made } = write;
  const target = await onlineWriteTarget(deps, made, view, definitions);
  const opened = await openBatches(connection, target.columns, group.batches);
  const hasRows = async (): Promise<boolean> =>
    (await connection.rows(`SELECT 1 FROM (${opened.sql}) LIMIT 1`)).length > 0;
  return { table: made !== null || (await hasRows()) ? await target.table() : null, opened };
}
