import { type ListedTable, listTables } from '../../client/index.js';
import { formatTimeUs } from '../../config/index.js';
import { countText, MoraineError, sizeText } from '../../errors/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { formatColumns, printable } from '../output/output.js';

const HEADINGS = ['table', { number: 'rows' }, { number: 'files' }, { number: 'size' }, 'format', 'last commit'];

/** Lists the tables and views of every configured catalog. */
export async function tableList(
  context: CommandContext,
  _operands: readonly string[],
  { json }: { readonly json?: boolean },
): Promise<void> {
  const silent = new Map<string, MoraineError>();
  const { tables, catalogs } = await withProject(context, async (project) => ({
    tables: await listTables(project, (name, error) => silent.set(name, silent.get(name) ?? error)),
    catalogs: project.config.catalogs.size,
  }));
  if (json === true) for (const table of tables) await printJson(context, asJson(table));
  else if (tables.length === 0 && silent.size === 0) await context.stdout.write('There are no tables.\n');
  else if (tables.length > 0) await context.stdout.write(formatColumns(HEADINGS, tables.map(rowOf)));
  if (json !== true)
    for (const { name, problem } of tables)
      if (problem !== null) context.note(`warning: table ${printable(name)} cannot be read: ${printable(problem)}`);
  refuseSilent(silent, catalogs);
}

/** What could be listed is printed by now. */
function refuseSilent(silent: ReadonlyMap<string, MoraineError>, catalogs: number): void {
  const [first] = silent.values();
  if (first === undefined) return;
  const reasons = [...silent].map(([name, { message }]) => `${name}: ${message}`).join('\n');
  const message = `${silent.size} of ${catalogs} catalogs could not be listed:\n${reasons}`;
  throw new MoraineError(first.code, message, { details: { catalogs: [...silent.keys()] }, cause: first });
}

function asJson({ kind, name, catalog, summary, problem }: ListedTable): object {
  const committedAtUs = summary?.committedAtUs ?? null;
  return {
    name,
    kind,
    catalog,
    formatVersion: summary?.formatVersion ?? null,
    snapshotId: summary?.snapshotId ?? null,
    committedAt: committedAtUs === null ? null : formatTimeUs(committedAtUs),
    rows: summary?.rows ?? null,
    dataFiles: summary?.dataFiles ?? null,
    deleteFiles: summary?.deleteFiles ?? null,
    sizeBytes: summary?.sizeBytes ?? null,
    problem,
  };
}

function rowOf({ kind, name, summary }: ListedTable): readonly string[] {
  if (kind === 'view') return [name, '-', '-', '-', 'view', '-'];
  if (summary === null) return [name, '-', '-', '-', '-', '-'];
  const { rows, dataFiles, deleteFiles, sizeBytes, formatVersion, committedAtUs } = summary;
  const files = dataFiles === null || deleteFiles === null ? null : dataFiles + deleteFiles;
  return [
    name,
    rowsText(rows, deleteFiles),
    files === null ? '-' : countText(files),
    sizeBytes === null ? '-' : sizeText(sizeBytes),
    `v${formatVersion}`,
    committedAtUs === null ? '-' : formatTimeUs(committedAtUs),
  ];
}

/** Rows that delete files delete are counted with the others. */
export function rowsText(rows: bigint | null, deleteFiles: bigint | null): string {
  if (rows === null) return '-';
  return deleteFiles === 0n ? countText(rows) : `up to ${countText(rows)}`;
}
