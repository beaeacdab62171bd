/** Checks of `moraine doctor`. They change nothing, apart from probe files that they remove. */

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { promisify } from 'node:util';
import { formatTableName, gluePlace, shownDatabase } from '../catalogs/index.js';
import type { CatalogConfig } from '../config/index.js';
import { countedText, type ErrorCode, isMoraineError, MoraineError } from '../errors/index.js';
import { type Definitions, NO_DEFINITIONS } from '../features/index.js';
import { currentSnapshot } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import { findMovedLocations, type Project, tableNames } from '../project/index.js';
import { hasCredentials, namesBuckets, storeOptionsAt } from '../storage/index.js';
import { type CommandContext, withProject } from './context.js';
import type { Finding } from './finding.js';
import { asMoraineError } from './output/render-error.js';
import { checkTemporal } from './temporal-check.js';
import { trinoChecks } from './trino-check.js';

/** Result of a check. */
export interface CheckResult {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** The remedy, if it is not ok. */
  readonly remedy?: string;
  /** The error behind a failure. */
  readonly code?: ErrorCode;
}

const NODE_FLOOR = [20, 19] as const;
const LOW_DISK_BYTES = 2 * 2 ** 30;

/** Runs every check that the machine and the project allow. */
export async function runChecks(context: CommandContext): Promise<readonly CheckResult[]> {
  const results = [await check('Node.js', checkNode), await check('Python', checkPython)];
  try {
    await withProject(context, async (project) => {
      results.push({ name: 'configuration', status: 'ok', detail: project.config.configFile ?? 'given as a value' });
      results.push(...(await checkProject(project)));
    });
  } catch (error) {
    const known = asMoraineError(error);
    if (known.code === 'CONFIG_NOT_FOUND' && context.globals.config === undefined) {
      results.push({ name: 'configuration', status: 'warn', detail: known.message, remedy: known.remedy });
    } else results.push(failure('configuration', error));
  }
  return results;
}

/** The checks of every catalog, and of every storage root. */
export async function checkPlaces(project: Project): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const name of project.config.catalogs.keys()) {
    results.push(await check(`catalog ${name}`, () => checkCatalog(project, name)));
  }
  for (const root of project.config.storage.roots) {
    results.push(await check(`storage ${root}`, () => checkStorage(project, root)));
  }
  return results;
}

async function checkProject(project: Project): Promise<readonly CheckResult[]> {
  const results = [...(await checkPlaces(project))];
  const isReadable = results.every(({ name, status }) => status !== 'fail' || !name.startsWith('catalog '));
  if (isReadable) results.push(await check('locations', () => checkLocations(project)));
  results.push(await check('DuckDB', () => checkEngine(project)));
  const definitions = isReadable ? await registered(project) : NO_DEFINITIONS;
  for (const found of trinoChecks(project, definitions)) results.push(await check(found.name, () => found.look()));
  results.push(await check('Temporal', () => checkTemporal(project.config)));
  return results;
}

/** What is registered, as far as that can be read: the catalog has a check of its own. */
async function registered(project: Project): Promise<Definitions> {
  try {
    return (await (await project.registry()).read()).definitions;
  } catch {
    return NO_DEFINITIONS;
  }
}

async function check(name: string, look: () => Promise<Finding> | Finding): Promise<CheckResult> {
  try {
    const { detail, warning } = await look();
    return warning === undefined ? { name, status: 'ok', detail } : { name, status: 'warn', detail, remedy: warning };
  } catch (error) {
    return failure(name, error);
  }
}

function failure(name: string, error: unknown): CheckResult {
  const { code, message, remedy } = asMoraineError(error);
  return { name, status: 'fail', detail: message, remedy, code };
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor >= NODE_FLOOR[1])) return { detail: process.version };
  throw new MoraineError(
    'UNSUPPORTED_FEATURE',
    `${process.version} is too old; install Node.js ${NODE_FLOOR.join('.')} or newer`,
  );
}

async function checkPython(): Promise<Finding> {
  try {
    const { stdout } = await promisify(execFile)('python3', ['--version'], { timeout: 10_000 });
    return { detail: stdout.trim() };
  } catch {
    return {
      detail: 'there is no python3',
      warning:
        'It is needed only to fetch a Temporal server where none is installed, and for the interoperability tests.',
    };
  }
}

async function checkCatalog(project: Project, name: string): Promise<Finding> {
  const catalog = await project.catalog(name);
  const namespaces = await catalog.listNamespaces();
  const config = project.config.catalogs.get(name);
  const place = config === undefined ? name : shownPlace(config);
  return { detail: `${place}, ${countedText(namespaces.length, 'namespace')}` };
}

/** Where a catalog is, without secrets. */
function shownPlace(catalog: CatalogConfig): string {
  switch (catalog.type) {
    case 'sql':
      return shownDatabase(catalog.uri);
    case 'rest':
    case 'hive':
    case 'trino':
      return catalog.uri;
    case 'memory':
      return 'in memory, gone with each command';
    case 'glue':
      return `AWS Glue in ${gluePlace(catalog.options)}`;
  }
}

async function checkStorage(project: Project, root: string): Promise<Finding> {
  if (namesBuckets(root)) return { detail: 'stands for the buckets of tables' };
  const probe = `${root}/.moraine-doctor-${randomUUID()}`;
  try {
    await project.io.create(probe, new TextEncoder().encode('probe'));
  } catch (error) {
    if (!isMoraineError(error, 'STORAGE_UNAVAILABLE') || !mayHaveGrants(project, root)) throw error;
    return await checkGrants(project, root);
  }
  await project.io.delete(probe);
  if (project.io.localFiles(root) === null) return await checkExclusive(project, root);
  const { bavail, bsize } = await statfs(root);
  const freeBytes = bavail * bsize;
  const detail = `writable, ${gibibytes(freeBytes)} free`;
  return freeBytes < LOW_DISK_BYTES ? { detail, warning: 'Make room on this disk.' } : { detail };
}

/** Whether files that are there stay, which only moves of tables depend on: other files have names that nobody else chooses. */
async function checkExclusive(project: Project, root: Location): Promise<Finding> {
  try {
    await project.io.requireExclusiveCreation(root);
    return { detail: 'writable' };
  } catch (error) {
    if (!isMoraineError(error, 'UNSUPPORTED_FEATURE')) throw error;
    const warning = `${error.message} Until then \`moraine table move\` to it is refused; everything else works.`;
    return { detail: 'writable, without conditional writes', warning };
  }
}

/** Whether catalogs may give access to files in a root, which the project itself has not. */
const mayHaveGrants = ({ config }: Project, root: Location): boolean =>
  !hasCredentials(storeOptionsAt(config.storage, root)) &&
  [...config.catalogs.values()].some(({ type }) => type === 'rest');

/** Whether the access that a REST catalog gives to its tables opens one in a root. */
async function checkGrants(project: Project, root: string): Promise<Finding> {
  for await (const { catalog, identifier } of tableNames(project)) {
    if (project.config.catalogs.get(catalog.name)?.type !== 'rest') continue;
    const name = formatTableName(identifier, catalog.name);
    const { metadata } = await project.loadTable(name);
    const file = currentSnapshot(metadata)?.manifestList;
    if (file === undefined || !file.startsWith(root)) continue;
    // Some catalogs give access to files and not to lists of them.
    await project.io.stat(file);
    return { detail: `${name} can be read, with the access that its catalog gives` };
  }
  return {
    detail:
      'the environment has no access to it, and there is no table yet with which to try what a REST catalog gives',
    warning:
      'Unless the catalog gives access to its tables, set s3.access-key-id or s3.profile-name in the options of this store.',
  };
}

/** Whether every table is where it is said to be. */
async function checkLocations(project: Project): Promise<Finding> {
  const { proposed, lost, elsewhere } = await findMovedLocations(project);
  if (proposed.length > 0) {
    const lines = proposed.map(({ prefix, folder }) => `${prefix} is ${folder} now`);
    const message = `tables name locations that are elsewhere: ${lines.join('; ')}; run moraine project map-locations`;
    throw new MoraineError('LOCATION_REFUSED', message);
  }
  if (lost.length === 0) return { detail: `every table is where its location says${elsewhereText(elsewhere)}` };
  const names = lost.map(({ table, location }) => `${table} (${location})`).join(', ');
  return {
    detail: `not found: ${names}`,
    warning: 'Restore the files, add their folder to storage.roots, or drop the tables.',
  };
}

/** Names of tables that are shown at most. */
const SHOWN_TABLES = 5;

function elsewhereText(tables: readonly string[]): string {
  if (tables.length === 0) return '';
  const more = tables.length > SHOWN_TABLES ? ', ..' : '';
  const shown = `${tables.slice(0, SHOWN_TABLES).join(', ')}${more}`;
  return `; not read, since outside storage.roots: ${countedText(tables.length, 'table')} (${shown})`;
}

async function checkEngine(project: Project): Promise<Finding> {
  const { memoryLimitBytes, threads } = project.config.engine;
  const engine = await project.engine();
  const version = await engine.withConnection(async (connection) => {
    const rows = await connection.rows('SELECT version()');
    return String(rows[0]?.[0]);
  });
  const detail = `${version}, ${gibibytes(memoryLimitBytes)} of memory, ${threads} threads`;
  if (memoryLimitBytes <= totalmem()) return { detail };
  return { detail, warning: `engine.memoryLimit is more than the ${gibibytes(totalmem())} of this machine; lower it.` };
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
