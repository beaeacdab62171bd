import { MoraineError } from '../errors/index.js';
import type { TableUpdate } from '../iceberg/index.js';
import type { Project } from '../project/index.js';
import { commitUpdates } from '../tables/index.js';

/** A table's format version before and after. */
export interface UpgradedTable {
  readonly from: 1 | 2 | 3;
  readonly to: 1 | 2 | 3;
}

/**
 * Raises the format version of a table. Its files stay as they are: rows get their ids with the next commit, and position-delete files
 * hold until a deletion vector of their data file takes their place.
 *
 * @throws `INVALID_ARGUMENT` for a lower version than the table has; `TABLE_NOT_FOUND`, `COMMIT_CONFLICT`, `COMMIT_STATE_UNKNOWN`
 */
export async function upgradeTable(project: Project, name: string, formatVersion: 2 | 3): Promise<UpgradedTable> {
  const table = await project.loadTable(name);
  const updates = (current: 1 | 2 | 3): readonly TableUpdate[] | null => {
    if (current === formatVersion) return null;
    if (current < formatVersion) return [{ action: 'upgrade-format-version', formatVersion }];
    const message = `Table ${name} has format version ${current}; a table cannot go back to version ${formatVersion}.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  };
  const { metadata } = await commitUpdates(table, (base) => updates(base.formatVersion));
  return { from: table.metadata.formatVersion, to: metadata.formatVersion };
}
