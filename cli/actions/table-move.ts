import { formatTableName, parseTableName } from '../../catalogs/index.js';
import { moveTableTo } from '../../client/index.js';
import { countedText, countText, MoraineError, sizeText } from '../../errors/index.js';
import type { MovedTable, MoveProgress } from '../../maintenance/index.js';
import type { Project } from '../../project/index.js';
import { tableNames } from '../../project/index.js';
import { type CommandContext, printJson, throwIfCancelled, withProject } from '../context.js';
import { type ViewOfTable, viewsOfTables } from '../definitions/views-of-tables.js';
import { argumentLocation } from '../options/table-argument.js';
import { printable } from '../output/output.js';

interface TableMoveOptions {
  readonly to: string;
  readonly location?: string;
  readonly all?: boolean;
  readonly from?: string;
  readonly dropOld?: boolean;
  readonly json?: boolean;
}

/** Moves a table, or every table of a catalog, to another catalog. */
export async function tableMove(
  context: CommandContext,
  operands: readonly string[],
  options: TableMoveOptions,
): Promise<void> {
  const { to, location, dropOld = false, json = false } = options;
  await withProject(context, async (project) => {
    const views = await viewsToChange(context, project);
    for (const name of await namesToMove(project, operands[0], options)) {
      throwIfCancelled(context);
      const moved = await moveTableTo(project, name, {
        to,
        dropOld,
        ...(location === undefined ? {} : { location: argumentLocation(location) }),
        signal: context.signal,
        onProgress: (progress) => context.progress.update(`${printable(name)}: ${progressText(progress)}`),
      });
      context.progress.clear();
      const definitions = views.get(moved.from) ?? [];
      if (json) await printJson(context, { ...moved, definitions });
      else await context.stdout.write(text(moved) + definitions.map((view) => viewText(view, moved)).join(''));
      warn(context, moved);
    }
  });
}

/** The views by their tables. Definitions that cannot be read do not keep tables from moving. */
async function viewsToChange({ note }: CommandContext, project: Project) {
  try {
    return await viewsOfTables(project);
  } catch (error) {
    if (!(error instanceof MoraineError)) throw error;
    note(`warning: nothing is said of the definitions that name the moved tables: ${error.message}`);
    return new Map<string, readonly ViewOfTable[]>();
  }
}

/** A definition that means the old name. */
function viewText({ featureView, table, file }: ViewOfTable, { to }: MovedTable): string {
  const where = file === null ? 'registered' : file;
  const { catalog = '' } = parseTableName(to);
  const orElse = parseTableName(table).catalog === undefined ? `, or make ${catalog} the default catalog` : '';
  return `Feature view ${printable(featureView)} (${printable(where)}) reads ${printable(table)}: write ${printable(to)} there and apply${orElse}.\n`;
}

async function namesToMove(
  project: Project,
  name: string | undefined,
  { all = false, from, location }: TableMoveOptions,
): Promise<readonly string[]> {
  if (!all) {
    if (from !== undefined) throw new MoraineError('INVALID_ARGUMENT', '--from goes with --all.');
    if (name !== undefined) return [name];
    throw new MoraineError('INVALID_ARGUMENT', 'Name the table to move, or pass --all for every table of a catalog.');
  }
  if (name !== undefined || location !== undefined) {
    const message = 'With --all every table of a catalog moves: name no table, and no --location.';
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  const catalogName = from ?? project.config.defaultCatalog;
  await project.catalog(catalogName);
  const names: string[] = [];
  for await (const { catalog, identifier } of tableNames(project)) {
    if (catalog.name === catalogName) names.push(formatTableName(identifier, catalogName));
  }
  return names.sort();
}

function progressText({ manifests, manifestsCopied, files, bytesWritten }: MoveProgress): string {
  return `${countText(manifestsCopied)} of ${countedText(manifests, 'manifest')}, ${countedText(files, 'file')}, ${sizeText(bytesWritten)} written`;
}

function text(moved: MovedTable): string {
  const { from, to, location, outcome, files, reusedFiles, bytesWritten, formerLocation, isOldDropped } = moved;
  if (outcome === 'already-moved')
    return `${printable(from)} had moved to ${printable(to)} already.\n${formerText(moved)}`;
  const reused = reusedFiles === 0 ? '' : `, ${countText(reusedFiles)} of them and of the metadata were there already`;
  const copied = `${countedText(files, 'file')}${reused}, ${sizeText(bytesWritten)} written`;
  return `Moved ${printable(from)} to ${printable(to)} in ${printable(location)}: ${copied}.\n${formerText({ from, formerLocation, isOldDropped })}`;
}

function formerText({
  from,
  formerLocation,
  isOldDropped,
}: Pick<MovedTable, 'from' | 'formerLocation' | 'isOldDropped'>): string {
  const name = isOldDropped ? 'The old name is dropped.' : `${printable(from)} can still be read, and refuses writes.`;
  return `${name} Its files stay in ${printable(formerLocation)}; remove them by hand.\n`;
}

/** Commits of programs that do not know the mark. */
function warn({ note }: CommandContext, { from, to, lateSnapshotIds }: MovedTable): void {
  if (lateSnapshotIds.length === 0) return;
  const ids = lateSnapshotIds.map(String).join(', ');
  note(
    `warning: other programs have committed to ${printable(from)} after it was marked as moved: ${printable(to)} does not have the snapshots ${ids}. Append their rows there, and let nothing write to the old name.`,
  );
}
