/** The error for a table that does not exist, with the names that were probably meant. */
import { formatTableName } from '../catalogs/index.js';
import { didYouMean, MoraineError } from '../errors/index.js';
import { catalogTables } from './catalog-tables.js';
import type { ResolvedTableName } from './project.js';

/** Names that are compared at most: an error must not wait for the names of an endless catalog. */
const MAX_COMPARED = 10_000;

/**
 * The same error with the nearest names of the catalog in its message, as commands and requests take them.
 *
 * @param cause the catalog's own error, which is the answer if the catalog cannot list its tables
 */
export async function tableNotFound(
  { catalog, identifier }: ResolvedTableName,
  defaultCatalog: string,
  cause: MoraineError,
): Promise<MoraineError> {
  const prefix = catalog.name === defaultCatalog ? undefined : catalog.name;
  const known: string[] = [];
  try {
    for await (const table of catalogTables(catalog)) {
      known.push(formatTableName(table, prefix));
      if (known.length === MAX_COMPARED) break;
    }
  } catch {
    return cause;
  }
  const hint = didYouMean(formatTableName(identifier, prefix), known);
  return new MoraineError('TABLE_NOT_FOUND', `${cause.message} ${hint}`, { details: cause.details, cause });
}
