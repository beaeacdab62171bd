/** Carrying deletes over: position deletes that arrived for rewritten files, as deletes of the rows' new places. */
import { randomUUID } from 'node:crypto';
import { writeDeletes } from '../deletes/index.js';
import { type Connection, columnAlias, type Engine, readDeletedPositions } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { type DataFile, type DeleteFile, NO_DELETES, nameMapping } from '../iceberg/index.js';
import { comparableLocation, type FileIO } from '../storage/index.js';
import {
  type ArrivedDeletes,
  deleteFileKey,
  readManifestEntries,
  readStagedManifest,
  type Table,
} from '../tables/index.js';
import { stagedPrefix } from './compact-lease.js';
import { type GroupRows, groupRows, placesSql } from './compact-rows.js';
import { openGroup } from './open-group.js';
import type { StoredPlan } from './read-compaction-plan.js';

/** A rewritten group that is about to be committed. */
export interface StagedGroup {
  readonly group: number;
  readonly manifestLocation: string | null;
}

export interface CarryDeps {
  readonly io: FileIO;
  readonly engine: Engine;
}

/**
 * Delete files for the new files of the groups, from what arrived for the old ones.
 * @param base the table that the commit builds on
 * @throws COMMIT_CONFLICT when rows that the rewrite dropped would have to come back: plan again
 */
export async function carryDeletes(
  deps: CarryDeps,
  plan: StoredPlan,
  staged: readonly StagedGroup[],
  base: Table,
  arrived: readonly ArrivedDeletes[],
): Promise<readonly DataFile[]> {
  return deps.engine.withConnection(async (connection) => {
    const positions = await arrivedPositions(connection, base, arrived);
    const deleted: { dataFile: DataFile; positions: bigint[] }[] = [];
    for (const one of staged) {
      const ofGroup = plan.group(one.group).files.flatMap(({ path }, file) => {
        const found = positions.get(path);
        return found === undefined ? [] : [{ file, positions: found }];
      });
      if (ofGroup.length === 0) continue;
      const places = await newPlaces(connection, deps.io, plan, one, ofGroup);
      deleted.push(...atFiles(await newFiles(base, one), places));
    }
    if (deleted.length === 0) return [];
    const attemptId = `${stagedPrefix(plan.head.planId)}-carried-${randomUUID().slice(0, 8)}`;
    return (await writeDeletes(base, connection, deleted, attemptId)).files;
  });
}

/** What is deleted by now from each removed file, by its location. */
async function arrivedPositions(
  connection: Connection,
  { io, metadata }: Table,
  arrived: readonly ArrivedDeletes[],
): Promise<ReadonlyMap<string, readonly bigint[]>> {
  // A delete file that names rows of several data files is read once: as one entry.
  const known = new Map<string, DeleteFile>();
  const entryOf = (file: DataFile): DeleteFile => {
    const entry = known.get(deleteFileKey(file)) ?? { file, sequenceNumber: metadata.lastSequenceNumber };
    known.set(deleteFileKey(file), entry);
    return entry;
  };
  const files = arrived.map(({ dataFile: file, deletes }) => {
    const entries = deletes.map(entryOf);
    const vector = entries.find((entry) => entry.file.fileFormat === 'PUFFIN');
    const ofFile = { ...NO_DELETES, vector, positions: entries.filter((entry) => entry !== vector) };
    return { path: file.filePath, file, sequenceNumber: 0n, deletes: ofFile };
  });
  return readDeletedPositions(connection, {
    files,
    schemas: metadata.schemas,
    nameMapping: nameMapping(metadata),
    resolve: (location) => io.resolve(location),
    normalize: comparableLocation,
  });
}

/** Deleted rows of a group's file, which is told by its place in the group. */
interface DeletedOfFile {
  readonly file: number;
  readonly positions: readonly bigint[];
}

/** The places of the deleted rows among all rows of the group's new files. Rows that were not written have none. */
async function newPlaces(
  connection: Connection,
  io: FileIO,
  plan: StoredPlan,
  { group }: StagedGroup,
  deleted: readonly DeletedOfFile[],
): Promise<readonly bigint[]> {
  const open = await openGroup(connection, io, plan.table, plan.head, plan.group(group));
  const rows = await groupRows(connection, plan.head, open);
  const table = await deletedTable(connection, deleted);
  try {
    await refuseUncovered(connection, plan, rows, table);
    const found = await connection.rows(
      `SELECT m_place FROM (${placesSql(rows)}) JOIN ${table} USING (m_file, m_row) ORDER BY m_place`,
    );
    return found.map(([place]) => BigInt(String(place)));
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${table}`);
  }
}

const POSITIONS_PER_STATEMENT = 100_000;

async function deletedTable(connection: Connection, deleted: readonly DeletedOfFile[]): Promise<string> {
  const table = `moraine_deleted_${randomUUID().replaceAll('-', '')}`;
  await connection.run(`CREATE TEMPORARY TABLE ${table} (m_file BIGINT, m_row BIGINT)`);
  for (const { file, positions } of deleted) {
    for (let start = 0; start < positions.length; start += POSITIONS_PER_STATEMENT) {
      const some = positions.slice(start, start + POSITIONS_PER_STATEMENT).join(', ');
      await connection.run(`INSERT INTO ${table} SELECT ${file}, unnest([${some}]::BIGINT[])`);
    }
  }
  return table;
}

/** A row that was left out because of one that has been deleted since would be served in its place, had it not been left out. */
async function refuseUncovered(
  connection: Connection,
  plan: StoredPlan,
  rows: GroupRows,
  table: string,
): Promise<void> {
  const { online } = plan.head;
  if (online === null) return;
  const key = columnAlias(online.keyId);
  const marked = `SELECT ${key}, m_kept, d.m_row IS NOT NULL AS m_gone FROM ${rows.relation} AS r LEFT JOIN ${table} AS d USING (m_file, m_row)`;
  const [found] = await connection.rows(
    `SELECT 1 FROM (${marked}) GROUP BY ${key} HAVING bool_or(m_kept AND m_gone) AND bool_or(NOT m_kept AND NOT m_gone) LIMIT 1`,
  );
  if (found === undefined) return;
  throw new MoraineError(
    'COMMIT_CONFLICT',
    'A row has been deleted since the compaction was planned that took the place of older ones: plan again.',
  );
}

/** The new files of a group, in the order of their rows. */
async function newFiles(base: Table, { manifestLocation }: StagedGroup): Promise<readonly DataFile[]> {
  if (manifestLocation === null) return [];
  const manifest = await readStagedManifest(base, manifestLocation);
  const entries = await readManifestEntries(base.io, base.metadata, manifest);
  return entries.map(({ dataFile }) => dataFile);
}

/** Places among all rows as positions in their files. @param places ascending */
function atFiles(files: readonly DataFile[], places: readonly bigint[]) {
  let first = 0n;
  return files.flatMap((dataFile) => {
    const start = first;
    first += dataFile.recordCount;
    const positions = places.filter((place) => place >= start && place < first).map((place) => place - start);
    return positions.length === 0 ? [] : [{ dataFile, positions }];
  });
}
