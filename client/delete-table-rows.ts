import { type DeletedRows, deleteRows } from '../deletes/index.js';
import { bindExpression, currentSchema, parseExpression } from '../iceberg/index.js';
import type { Project } from '../project/index.js';

export interface DeleteOptions {
  /** Counts the rows and changes nothing. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Deletes the rows of a table for which a condition is true: by deletion vectors in version 3, by position-delete files in version 2.
 *
 * @param where such as `total < 0 AND origin IN ('SFO', 'JFK')`; rows for which it is null stay
 * @throws `TABLE_NOT_FOUND`, `EXPRESSION_INVALID`, `COLUMN_NOT_FOUND`, `COMMIT_CONFLICT`, `COMMIT_STATE_UNKNOWN`
 */
export async function deleteTableRows(
  project: Project,
  name: string,
  where: string,
  options: DeleteOptions = {},
): Promise<DeletedRows> {
  const table = await project.loadTable(name);
  const filter = bindExpression(parseExpression(where), currentSchema(table.metadata));
  const engine = await project.engine();
  const request = { filter, dryRun: options.dryRun === true };
  return engine.withConnection((connection) => deleteRows(table, connection, request), { signal: options.signal });
}
