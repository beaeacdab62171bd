/** Deletes that leave data files as they are: writing deletion vectors and position-delete files, deleting rows by a condition. */
export { type DeletedRows, type DeleteRowsRequest, deleteRows } from './delete-rows.js';
export type { DeletedPositions, WrittenDeletes } from './deleted-positions.js';
export { emptiedBy, type FoundRows, foundRows } from './found-rows.js';
export { writeDeletes } from './write-deletes.js';
export { writeDeletionVectors } from './write-deletion-vectors.js';
export { writePositionDeletes } from './write-position-deletes.js';
