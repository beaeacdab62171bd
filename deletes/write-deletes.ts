import type { Connection } from '../engine/index.js';
import type { Table } from '../tables/index.js';
import type { DeletedPositions, WrittenDeletes } from './deleted-positions.js';
import { writeDeletionVectors } from './write-deletion-vectors.js';
import { writePositionDeletes } from './write-position-deletes.js';

/** Writes deletes of positions as the table's version has them: vectors from version 3 on, position-delete files before. */
export function writeDeletes(
  table: Table,
  connection: Connection,
  deleted: readonly DeletedPositions[],
  attemptId: string,
): Promise<WrittenDeletes> {
  const write = table.metadata.formatVersion === 3 ? writeDeletionVectors : writePositionDeletes;
  return write(table, connection, deleted, attemptId);
}
