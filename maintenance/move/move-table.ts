/**
 * Moving a table to another catalog: its files are copied, every location in them is the new one, and the new name is registered. The old
 * name stays, can be read, and refuses writes. See docs/adr/0034-table-move.md.
 *
 * 1. Copy, while others go on writing.
 * 2. Mark the old name: from here on nothing is committed there.
 * 3. Copy what has come since, write the metadata, register the new name.
 *
 * Killed anywhere, the move goes on when it is asked for again: files that are there are known by their locations.
 */
import type { Catalog } from '../../catalogs/index.js';
import type { Engine } from '../../engine/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { type Location, Relocation } from '../../locations/index.js';
import {
  commitUntilNone,
  loadTable,
  type MovedTo,
  markMoved,
  movedTo,
  reachFaultPoint,
  requireUnmoved,
  sequenceNumberOfMark,
  type Table,
} from '../../tables/index.js';
import { tableName } from '../table-name.js';
import { type MoveProgress, TableCopy } from './copy-table.js';
import { checkCatalogs, checkFolder, type MoveNeighbours, placeOf } from './move-target.js';
import { findMoved, registerMoved } from './register-table.js';
import { TargetFolder } from './target-folder.js';

/** Steps after which a process may die, as tests name them. */
export const MOVE_FAULT_POINTS = ['move-copied', 'move-marked', 'move-registered'] as const;

/** How often newer states are copied at most. */
const MAX_PASSES = 20;
/** Passes beside writers: the second one is short, and what comes during it shorter still. */
const PASSES_BESIDE_WRITERS = 2;

export interface MoveDeps extends MoveNeighbours {
  /** The catalog that the table goes to. */
  readonly target: Catalog;
  engine(): Promise<Engine>;
}

export interface MoveOptions {
  /** The new folder; by default where the catalog puts tables of the name. */
  readonly location?: Location;
  /** Whether the old name is dropped at the end. Its files stay. */
  readonly dropOld?: boolean;
  readonly onProgress?: (progress: MoveProgress) => void;
  readonly signal?: AbortSignal;
}

export interface MovedTable {
  /** Names, `CATALOG/NAMESPACE.TABLE`. */
  readonly from: string;
  readonly to: string;
  readonly formerLocation: Location;
  readonly location: Location;
  /** Of the new name, when it was registered. */
  readonly snapshotId: bigint | null;
  /** `already-moved`: an earlier attempt had registered the new name; nothing was copied. */
  readonly outcome: 'moved' | 'already-moved';
  readonly files: number;
  readonly reusedFiles: number;
  readonly bytesWritten: bigint;
  /** Snapshots that programs which do not know the mark have committed to the old name since: the new name does not have them. */
  readonly lateSnapshotIds: readonly bigint[];
  readonly isOldDropped: boolean;
}

/**
 * Moves a table. Its uuid, snapshots, sequence numbers, refs, schemas and properties stay.
 * @param source the table as it is now
 * @throws MoraineError `INVALID_ARGUMENT`, `UNSUPPORTED_FEATURE`, `TABLE_ALREADY_EXISTS`, `FOLDER_SHARED`, `FILE_ALREADY_EXISTS`,
 *   `LOCATION_REFUSED`; `TABLE_MOVED` for one that moves elsewhere; `FILE_NOT_FOUND` and so on naming the file; `COMMIT_STATE_UNKNOWN`
 */
export async function moveTable(deps: MoveDeps, source: Table, options: MoveOptions = {}): Promise<MovedTable> {
  const { target } = deps;
  const { signal, onProgress, dropOld = false } = options;
  checkCatalogs(source, target);
  const to = await placeOf(source, target, options.location);
  const found = await findMoved(source, target);
  if (found !== null) {
    const copied = { files: 0, reusedFiles: 0, bytesWritten: 0n };
    return await finish(source, { ...to, ...copied, outcome: 'already-moved', registered: found }, dropOld);
  }
  const relocation = new Relocation(source.metadata.location, to.location);
  await checkFolder(deps, source, target, relocation);
  const { io } = source;
  const folder = await TargetFolder.open(io, to.location, signal);
  const copy = new TableCopy({ io, engine: () => deps.engine(), relocation, target: folder, signal }, onProgress);
  const copied = await copyNewest(source, copy, PASSES_BESIDE_WRITERS);
  reachFaultPoint('move-copied');
  signal?.throwIfAborted();
  const marked = await copyMarked(await mark(copied.table, to), copy);
  reachFaultPoint('move-marked');
  const registered = await registerMoved(marked, target, relocation);
  reachFaultPoint('move-registered');
  const { files, reusedFiles, bytesWritten } = copy.progress;
  const done = { ...to, files, reusedFiles, bytesWritten, outcome: 'moved' as const, registered };
  return await finish(marked, done, dropOld, marked);
}

/**
 * Copies the newest state, and what came while it was copied. Files that expiry removes meanwhile are not asked for again.
 * @param passes after so many, newer commits are left to whoever copies next
 * @returns a state of which everything is copied, and whether it is still the newest
 */
async function copyNewest(table: Table, copy: TableCopy, passes: number): Promise<{ table: Table; isNewest: boolean }> {
  let current = table;
  for (let pass = 1; ; pass++) {
    const missing = await missingOf(copy.copy(current));
    const newest = await reloaded(current);
    const isNewest = newest.metadataLocation === current.metadataLocation;
    if (missing !== null && (isNewest || pass >= MAX_PASSES)) throw missing;
    if (missing === null && (isNewest || pass >= passes)) return { table: current, isNewest };
    current = newest;
  }
}

/** The failure of a copy that has not found a file; null: it has found all. */
async function missingOf(copy: Promise<void>): Promise<MoraineError | null> {
  try {
    await copy;
    return null;
  } catch (error) {
    if (isMoraineError(error, 'FILE_NOT_FOUND')) return error;
    throw error;
  }
}

/** Copies the last state of the old name. @throws MoraineError `COMMIT_CONFLICT` if programs that do not know the mark go on writing there */
async function copyMarked(marked: Table, copy: TableCopy): Promise<Table> {
  const { table, isNewest } = await copyNewest(marked, copy, MAX_PASSES);
  if (isNewest) return table;
  const message = `Other programs go on writing to table ${tableName(marked)}, which has been marked as moved. Stop them, then repeat the move.`;
  throw new MoraineError('COMMIT_CONFLICT', message);
}

async function reloaded(table: Table): Promise<Table> {
  const { catalog, io, identifier, metadata } = table;
  if (catalog === undefined)
    throw new MoraineError('INVALID_ARGUMENT', 'A table that was opened by location cannot move.');
  const newest = await loadTable(catalog, io, identifier);
  if (newest.metadata.tableUuid === metadata.tableUuid) return newest;
  const message = `Table ${tableName(table)} was dropped and created again while it was copied.`;
  throw new MoraineError('TABLE_REPLACED', message);
}

/** Marks the old name, unless this move has done so before. */
function mark(table: Table, to: MovedTo): Promise<Table> {
  return commitUntilNone(table, (base) => {
    const moved = movedTo(base.metadata);
    if (moved?.table === to.table && moved.location === to.location) return null;
    requireUnmoved(base);
    return markMoved(base.metadata, to);
  });
}

type Registered = MovedTo &
  Pick<MovedTable, 'outcome' | 'files' | 'reusedFiles' | 'bytesWritten'> & {
    readonly registered: Pick<Table, 'metadata'>;
  };

/** @param copied the state of the old name that the new one was made from; of an earlier attempt it is not known */
async function finish(
  source: Table,
  { table: to, location, registered, ...done }: Registered,
  dropOld: boolean,
  copied?: Table,
): Promise<MovedTable> {
  const { metadata } = await reloaded(source);
  const known = new Set([registered, ...(copied === undefined ? [] : [copied])].flatMap(snapshotIdsOf));
  const since = copied === undefined ? sequenceNumberOfMark(metadata) : -1n;
  const late = metadata.snapshots.filter((each) => each.sequenceNumber > since && !known.has(each.snapshotId));
  const isOldDropped = dropOld && late.length === 0;
  if (isOldDropped) await source.catalog?.dropTable(source.identifier);
  return {
    ...done,
    from: tableName(source),
    to,
    formerLocation: source.metadata.location,
    location,
    snapshotId: registered.metadata.currentSnapshotId,
    lateSnapshotIds: late.map(({ snapshotId }) => snapshotId),
    isOldDropped,
  };
}

const snapshotIdsOf = ({ metadata }: Pick<Table, 'metadata'>): readonly bigint[] =>
  metadata.snapshots.map(({ snapshotId }) => snapshotId);
