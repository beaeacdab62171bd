import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { databaseFile, parseTableName } from '../../catalogs/index.js';
import type { CatalogConfig, MoraineConfig } from '../../config/index.js';
import { isMoraineError } from '../../errors/index.js';
import {
  type FeastImport,
  type Finding,
  importFeast,
  readFeastRepository,
  type TableSchema,
} from '../../feast/index.js';
import { currentSchema } from '../../iceberg/index.js';
import { openProject, type Project, tablesOfFiles } from '../../project/index.js';
import { type CommandContext, printJson } from '../context.js';
import { printable } from '../output/output.js';
import { writeNewFiles } from '../write-new-files.js';

interface ImportOptions {
  readonly out?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Makes a project from a Feast repository and lists what has no counterpart. */
export async function importFeastRepository(
  context: CommandContext,
  operands: readonly string[],
  options: ImportOptions,
): Promise<void> {
  const folder = resolve(options.out ?? '.');
  const dryRun = options.dryRun === true;
  const repository = readFeastRepository(operands[0] ?? '.');
  const result = await importFeast(repository, { folder, findTables, readSchemas });
  if (!dryRun)
    await writeNewFiles(folder, result.files, 'remove what is in the way, or name another folder with --out');
  if (options.json === true) await printJson(context, toJsonValue(result, folder, dryRun));
  else await context.stdout.write(dryRun ? shownFiles(result) + summary(result) : summary(result) + nextSteps(folder));
}

/** Looks through every table of the catalogs; these are not made if they are not there. */
async function findTables(config: MoraineConfig, folders: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const project = await openProject({ config: onlyPresent(config), createRoots: false });
  try {
    return await tablesOfFiles(project, folders);
  } finally {
    await project.close();
  }
}

/** A configuration without the catalogs whose SQLite file does not exist. */
function onlyPresent(config: MoraineConfig): MoraineConfig {
  const present = [...config.catalogs].filter(([, catalog]) => missingFile(catalog) === undefined);
  return { ...config, catalogs: new Map(present) };
}

/** Reads the tables where they are; the catalogs are not made if they are not there. */
async function readSchemas(
  config: MoraineConfig,
  tables: readonly string[],
): Promise<ReadonlyMap<string, TableSchema>> {
  const project = await openProject({ config, createRoots: false });
  try {
    const schemas = new Map<string, TableSchema>();
    for (const table of tables) schemas.set(table, await readSchema(project, table));
    return schemas;
  } finally {
    await project.close();
  }
}

/** The SQLite file of a catalog, if it does not exist. */
function missingFile(catalog: CatalogConfig): string | undefined {
  const file = catalog.type === 'sql' ? databaseFile(catalog.uri) : null;
  return file !== null && !existsSync(file) ? file : undefined;
}

async function readSchema(project: Project, table: string): Promise<TableSchema> {
  const name = parseTableName(table).catalog ?? project.config.defaultCatalog;
  const catalog = project.config.catalogs.get(name);
  const missing = catalog === undefined ? undefined : missingFile(catalog);
  if (missing !== undefined) return { reason: `its catalog ${missing} does not exist` };
  try {
    return currentSchema((await project.loadTable(table)).metadata);
  } catch (error) {
    if (isMoraineError(error))
      return { reason: `${error.message} [${error.code}]`, isSilent: error.code === 'CATALOG_UNAVAILABLE' };
    throw error;
  }
}

function toJsonValue({ files, definitions, findings }: FeastImport, folder: string, dryRun: boolean): unknown {
  const names = (items: readonly { readonly name: string }[]): readonly string[] => items.map((item) => item.name);
  return {
    written: !dryRun,
    files: [...files].map(([name, content]) => ({ path: join(folder, name), content })),
    entities: names(definitions.entities),
    featureViews: names(definitions.featureViews),
    featureServices: names(definitions.featureServices),
    findings,
  };
}

function shownFiles({ files }: FeastImport): string {
  return [...files].map(([name, content]) => `--- ${name}\n${content}\n`).join('');
}

function summary({ definitions, findings }: FeastImport): string {
  const { entities, featureViews, featureServices } = definitions;
  const counts = [
    count(entities.length, 'entity', 'entities'),
    count(featureViews.length, 'feature view', 'feature views'),
    count(featureServices.length, 'feature service', 'feature services'),
  ].join(', ');
  const section = (title: string, items: readonly Finding[]): string =>
    items.length === 0 ? '' : `\n${title}\n${items.map(formatFinding).join('')}`;
  return [
    `Imported ${counts}.\n`,
    section(
      'Not imported:',
      findings.filter((finding) => finding.outcome === 'left-out'),
    ),
    section(
      'Imported, with a difference:',
      findings.filter((finding) => finding.outcome === 'changed'),
    ),
  ].join('');
}

function formatFinding({ kind, name, reason, remedy }: Finding): string {
  return `- ${printable(`${kind} ${name}: ${reason}.`)}\n    ${printable(remedy)}\n`;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

function nextSteps(folder: string): string {
  const here = relative('.', folder);
  const enter = here === '' ? '' : `  cd ${/^[\w./-]+$/.test(here) ? here : `'${here.replaceAll("'", "'\\''")}'`}\n`;
  return `\nWrote moraine.yaml and features.yaml to ${folder}. Next:\n\n${enter}  npx moraine apply --dry-run\n  npx moraine apply\n`;
}
