/** Online tables of renamed views: they follow to the new name, so that it serves at once what the old one served. */
import type { Catalog, TableIdentifier } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { DEFAULT_ONLINE_SETTINGS, type OnlineSettings } from './online-layout.js';

/** A view that had other names before. */
export interface RenamedView {
  readonly name: string;
  /** Newest first. */
  readonly formerNames: readonly string[];
}

/** What makes online tables, and knows the names that views had before. */
export interface RenameDeps {
  readonly catalog: Catalog;
  readonly settings?: OnlineSettings;
  /** The names that a registered view had before, newest first; absent: views are never renamed. */
  formerNames?(view: string): Promise<readonly string[]>;
}

/**
 * Lets the table of a view follow before somebody makes another one under the new name, which would leave all rows behind: an `apply` renames tables after it
 * has registered the views, and may be cut short in between.
 * @returns whether the view had other names, so that its table may be there now, whoever renamed it
 */
export async function followRename({ catalog, settings, ...deps }: RenameDeps, view: string): Promise<boolean> {
  const formerNames = (await deps.formerNames?.(view)) ?? [];
  if (formerNames.length === 0) return false;
  try {
    await renameOnlineTables(catalog, [{ name: view, formerNames }], settings);
  } catch (error) {
    // A catalog that cannot rename: the view gets a table of its own.
    if (!isMoraineError(error, 'UNSUPPORTED_FEATURE')) throw error;
    return false;
  }
  return true;
}

/** The outcome of a table's renaming. */
export interface RenamedOnlineTable {
  readonly from: TableIdentifier;
  readonly to: TableIdentifier;
}

/**
 * Holds a rename to the catalog before it is registered.
 * @throws TABLE_ALREADY_EXISTS if the new name is taken by an online table that some earlier view left behind
 */
export async function requireFreeName(
  catalog: Catalog,
  { name, formerNames }: RenamedView,
  settings: OnlineSettings = DEFAULT_ONLINE_SETTINGS,
): Promise<void> {
  const { namespace } = settings;
  if (!(await catalog.tableExists({ namespace, name }))) return;
  const [former] = formerNames;
  if (former === undefined || !(await catalog.tableExists({ namespace, name: former }))) return;
  throw new MoraineError(
    'TABLE_ALREADY_EXISTS',
    `The feature view '${former}' cannot be renamed to '${name}': the online table ${[...namespace, name].join('.')} exists, of an earlier view. Drop that table, or choose another name.`,
  );
}

/**
 * Renames the online table of each view that is still called as the view was. May be repeated and cut short anywhere: a table
 * that has the new name already stays, whoever gave or made it.
 * @returns the tables that were renamed
 * @throws what the catalog throws
 */
export async function renameOnlineTables(
  catalog: Catalog,
  views: readonly RenamedView[],
  { namespace }: OnlineSettings = DEFAULT_ONLINE_SETTINGS,
): Promise<readonly RenamedOnlineTable[]> {
  const renamed: RenamedOnlineTable[] = [];
  for (const { name, formerNames } of views) {
    const to = { namespace, name };
    if (await catalog.tableExists(to)) continue;
    for (const former of formerNames) {
      const from = { namespace, name: former };
      if (!(await catalog.tableExists(from)) || !(await rename(catalog, from, to))) continue;
      renamed.push({ from, to });
      break;
    }
  }
  return renamed;
}

/** False: another process was first. */
async function rename(catalog: Catalog, from: TableIdentifier, to: TableIdentifier): Promise<boolean> {
  try {
    await catalog.renameTable(from, to);
    return true;
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND', 'TABLE_ALREADY_EXISTS')) return false;
    throw error;
  }
}
