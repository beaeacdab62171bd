/** Carrying deletes over: position deletes that arrived for rewritten files, as deletes of the rows' new places. */
import { randomUUID } from 'node:crypto';
import { writeDeletes } from '../../deletes/index.js';
import { type Connection, type Engine, readDeletedPositions } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import { type DataFile, type DeleteFile, NO_DELETES, nameMapping } from '../../iceberg/index.js';
import { comparableLocation } from '../../locations/index.js';
import { openablePath } from '../../scans/index.js';
import {
  type ArrivedDeletes,
  type CarriedDeletes,
  deleteFileKey,
  readManifestEntries,
  readStagedManifest,
  type Table,
} from '../../tables/index.js';
import { stagedPrefix } from './compact-lease.js';
import { type DeletedOfFile, newPlaces } from './new-places.js';
import type { StoredPlan } from './read-compaction-plan.js';

/** A rewritten group that is about to be committed. */
export interface StagedGroup {
  readonly group: number;
  readonly manifestLocation: string | null;
}

/**
 * The deletes of the new files of the groups, from what arrived for the old ones.
 * @param base the table that the commit builds on
 * @throws COMMIT_CONFLICT when rows that the rewrite dropped would have to come back: plan again
 */
export async function carryDeletes(
  engine: Engine,
  plan: StoredPlan,
  staged: readonly StagedGroup[],
  base: Table,
  arrived: readonly ArrivedDeletes[],
): Promise<CarriedDeletes> {
  return engine.withConnection(async (connection) => {
    const positions = await arrivedPositions(connection, base, arrived);
    const carried: GroupDeletes[] = [];
    for (const one of staged) {
      const ofGroup = plan.group(one.group).files.flatMap(({ path }, file): DeletedOfFile[] => {
        const found = positions.get(path);
        return found === undefined ? [] : [{ file, positions: found }];
      });
      if (ofGroup.length > 0) carried.push(await carryToGroup(connection, plan, one, base, ofGroup));
    }
    const partly = carried.flatMap((group) => group.partly);
    const attemptId = `${stagedPrefix(plan.head.planId)}-carried-${randomUUID().slice(0, 8)}`;
    return {
      deletes: partly.length === 0 ? [] : (await writeDeletes(base, connection, partly, attemptId)).files,
      emptied: carried.flatMap(({ emptied }) => emptied),
    };
  });
}

/** Deletes on the new files of one group. */
interface GroupDeletes {
  readonly partly: readonly LostPositions[];
  /** Locations of files that lose every row. */
  readonly emptied: readonly string[];
}

/** Rows that were folded into several partitions are in no order that tells their places. */
function foldedOver(): MoraineError {
  const message =
    'Rows of files that go into several partitions have been deleted since the compaction was planned: plan again.';
  return new MoraineError('COMMIT_CONFLICT', message);
}

async function carryToGroup(
  connection: Connection,
  plan: StoredPlan,
  one: StagedGroup,
  base: Table,
  deleted: readonly DeletedOfFile[],
): Promise<GroupDeletes> {
  if (plan.group(one.group).into !== undefined) throw foldedOver();
  const files = await newFiles(base, one);
  const gone = deleted.filter(({ positions }) => positions === 'every-row');
  if (gone.length === plan.group(one.group).files.length)
    return { partly: [], emptied: files.map(({ filePath }) => filePath) };
  const losing = atFiles(files, await newPlaces(connection, plan, one.group, deleted));
  const isEmptied = ({ dataFile, positions }: LostPositions) => BigInt(positions.length) === dataFile.recordCount;
  return {
    partly: losing.filter((file) => !isEmptied(file)),
    emptied: losing.filter(isEmptied).map(({ dataFile }) => dataFile.filePath),
  };
}

/** The rows that are deleted by now from each removed file, by its location. */
async function arrivedPositions(
  connection: Connection,
  { io, metadata }: Table,
  arrived: readonly ArrivedDeletes[],
): Promise<ReadonlyMap<string, DeletedOfFile['positions']>> {
  // A delete file that names rows of several data files is read once: as one entry.
  const known = new Map<string, DeleteFile>();
  const entryOf = (file: DataFile): DeleteFile => {
    const entry = known.get(deleteFileKey(file)) ?? { file, sequenceNumber: metadata.lastSequenceNumber };
    known.set(deleteFileKey(file), entry);
    return entry;
  };
  const files = arrived.flatMap(({ dataFile: file, deletes }) => {
    if (deletes === 'every-row') return [];
    const entries = deletes.map(entryOf);
    const vector = entries.find((entry) => entry.file.fileFormat === 'PUFFIN');
    const ofFile = { ...NO_DELETES, vector, positions: entries.filter((entry) => entry !== vector) };
    return [{ path: file.filePath, file, sequenceNumber: 0n, deletes: ofFile }];
  });
  const positions = await readDeletedPositions(connection, {
    files,
    schemas: metadata.schemas,
    nameMapping: nameMapping(metadata),
    resolve: (location) => openablePath(connection, io, location),
    normalize: comparableLocation,
  });
  const gone = arrived.filter(({ deletes }) => deletes === 'every-row');
  return new Map<string, DeletedOfFile['positions']>([
    ...positions,
    ...gone.map(({ dataFile }) => [dataFile.filePath, 'every-row'] as const),
  ]);
}

/** The new files of a group, in the order of their rows. */
async function newFiles(base: Table, { manifestLocation }: StagedGroup): Promise<readonly DataFile[]> {
  if (manifestLocation === null) return [];
  const manifest = await readStagedManifest(base, manifestLocation);
  const entries = await readManifestEntries(base.io, base.metadata, manifest);
  return entries.map(({ dataFile }) => dataFile);
}

interface LostPositions {
  readonly dataFile: DataFile;
  readonly positions: readonly bigint[];
}

/** Places among all rows as positions in their files. @param places ascending */
function atFiles(files: readonly DataFile[], places: readonly bigint[]): readonly LostPositions[] {
  let first = 0n;
  return files.flatMap((dataFile) => {
    const start = first;
    first += dataFile.recordCount;
    const positions = places.filter((place) => place >= start && place < first).map((place) => place - start);
    return positions.length === 0 ? [] : [{ dataFile, positions }];
  });
}
