/** The rows of a batch once more, as new versions of rows that the table has. Source: Apache Iceberg specification, "Row Lineage". */
import { type Connection, columnAlias, LAST_UPDATED, ROW_ID, readableScanSql } from '../../engine/index.js';
import { currentSchema } from '../../iceberg/index.js';
import { fileToOpen, openFiles } from '../../scans/index.js';
import { stageRows } from '../../staging/index.js';
import type { PlannedFile, RewrittenFiles, Table } from '../../tables/index.js';
import { stageListed } from '../batches/stage-listed.js';

/**
 * Writes rows of staged files anew, each with the id of the row that it replaces. The sequence numbers stay null: they are those of the commit.
 * @param kept a statement that gives the rows to write: the number of the file in the list `file`, position `pos`, and row id `id`, null for a new row
 * @returns no manifest if no row is kept
 * @throws as {@link stageRows}
 */
export async function stageReplacing(
  connection: Connection,
  base: Table,
  staged: readonly PlannedFile[],
  kept: string,
  attemptId: string,
): Promise<RewrittenFiles> {
  const schema = currentSchema(base.metadata);
  const open = await openFiles(connection, base, staged.map(fileToOpen));
  const extras = { fileNumber: 'm_file', rowNumber: 'm_row' };
  const rows = await readableScanSql(connection, { ...open, schema, naming: 'id', extras });
  const columns = schema.fields.map(({ id }) => columnAlias(id)).join(', ');
  const files = await stageRows(connection, base, {
    select: `SELECT ${columns}, id, NULL::BIGINT FROM ${rows} JOIN (${kept}) ON file = m_file AND pos = m_row`,
    schema: { ...schema, fields: [...schema.fields, ROW_ID, LAST_UPDATED] },
    namePrefix: attemptId,
  });
  if (files.length === 0) return { manifests: [], locations: [] };
  const { manifest, files: locations } = await stageListed(base, files, attemptId);
  return { manifests: [manifest], locations };
}
