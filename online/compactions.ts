/** What compactions did to an online table between two snapshots, as far as it is known which rows they left. */
import { type PlannedFile, type SnapshotChange, snapshotChanges, type Table } from '../tables/index.js';
import type { FileIndex } from './file-index.js';

/**
 * Summary property of a compaction of an online table that left the newest row of each entity, and all later ones: up to which time it took the newest, in
 * microseconds since the epoch. Compactions of other engines lack it: of rows that tie another one may win after them.
 */
export const NEWEST_ROWS_AS_OF = 'moraine.newest-rows-as-of-us';

/** Files whose rows were written anew. */
export interface Compaction {
  readonly removed: ReadonlySet<string>;
  /** Locations, which are all of one partition spec. */
  readonly added: ReadonlySet<string>;
  readonly specId: number;
  /** Data sequence number of the new files, and so of their rows. */
  readonly sequenceNumber: bigint;
  /** At this time and later the newest row of each entity is the one that it was. */
  readonly asOfUs: bigint;
}

/**
 * The compactions between two snapshots, if all else in between were appends.
 * @returns none also where something else happened, a file was written anew twice, or a row may have a sequence number that is not its file's (format
 * version 3)
 */
export async function compactionsBetween(
  before: FileIndex,
  next: FileIndex,
  table: Table,
): Promise<readonly Compaction[]> {
  if (table.metadata.formatVersion > 2 || before.snapshot === null || next.snapshot === null) return [];
  const between = await snapshotChanges(table, before.snapshot.snapshotId, next.snapshot.snapshotId);
  if ('gap' in between) return [];
  const known = locationsOf(before.planned);
  const undeleted = locationsOf(next.planned.filter(({ deletes }) => deletes === undefined));
  const compactions: Compaction[] = [];
  for (const change of between.snapshots) {
    const { operation, added, removed, addedDeleteFiles } = change;
    if (addedDeleteFiles || (operation !== 'append' && operation !== 'replace')) return [];
    if (removed.length === 0 && (operation === 'append' || added.length === 0)) continue;
    const compaction = operation === 'replace' ? compactionOf(change) : null;
    const isWhole =
      removed.every(({ file }) => known.has(file.filePath)) && added.every(({ file }) => undeleted.has(file.filePath));
    if (compaction === null || !isWhole) return [];
    compactions.push(compaction);
  }
  return compactions;
}

function compactionOf({ snapshot, added, removed }: SnapshotChange): Compaction | null {
  const asOf = snapshot.summary.get(NEWEST_ROWS_AS_OF);
  const [first] = added;
  if (asOf === undefined || first === undefined) return null;
  const isAlike = ({ spec, sequenceNumber }: PlannedFile): boolean =>
    spec.specId === first.spec.specId && sequenceNumber === first.sequenceNumber;
  if (!added.every(isAlike)) return null;
  const { spec, sequenceNumber } = first;
  return {
    removed: locationsOf(removed),
    added: locationsOf(added),
    specId: spec.specId,
    sequenceNumber,
    asOfUs: BigInt(asOf),
  };
}

function locationsOf(files: readonly PlannedFile[]): ReadonlySet<string> {
  return new Set(files.map(({ file }) => file.filePath));
}
