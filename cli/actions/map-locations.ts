import { randomUUID } from 'node:crypto';
import { chmod, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import { withMappedLocations } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';
import { type LocationPrefix, PrefixMap } from '../../locations/index.js';
import { findMovedLocations, type MovedLocations, type Project } from '../../project/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { printable } from '../output/output.js';

interface MapLocationsOptions {
  readonly from?: string;
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Writes `storage.locations` for a project that was moved, or says what it would write. */
export function mapLocations(
  context: CommandContext,
  _operands: readonly string[],
  options: MapLocationsOptions,
): Promise<void> {
  const { from, to, dryRun = false, json = false } = options;
  if ((from === undefined) !== (to === undefined)) {
    throw new MoraineError('INVALID_ARGUMENT', '--from and --to go together: a prefix of locations, and a folder.');
  }
  return withProject(context, async (project) => {
    const given = from === undefined || to === undefined ? null : { prefix: from, folder: resolve(to) };
    const moved = given === null ? await findMovedLocations(project) : { proposed: [given], lost: [], elsewhere: [] };
    const written = new Map(moved.proposed.map(({ prefix, folder }) => [prefix, asWritten(project, folder)]));
    if (written.size > 0) await write(project, moved.proposed, written, dryRun);
    if (json) await printJson(context, { locations: Object.fromEntries(written), lost: moved.lost, dryRun });
    else await context.stdout.write(textOf(project, written, moved.lost, dryRun));
  });
}

async function write(
  { config }: Project,
  proposed: readonly LocationPrefix[],
  written: ReadonlyMap<string, string>,
  dryRun: boolean,
): Promise<void> {
  const known = [...config.storage.locations].map(([prefix, folder]) => ({ prefix, folder }));
  // A configuration that cannot be read again must not be written.
  new PrefixMap([...known, ...proposed]);
  if (config.configFile === null || dryRun) return;
  try {
    await replaceText(await realpath(config.configFile), (text) => withMappedLocations(text, written));
  } catch (cause) {
    const message = `${config.configFile} cannot be written: ${(cause as Error).message}`;
    throw new MoraineError('STORAGE_UNAVAILABLE', message, { cause });
  }
}

/** The file is the old or the new one whenever somebody reads it, and keeps its rights. @throws errors of the file system */
async function replaceText(file: string, change: (text: string) => string): Promise<void> {
  const text = change(await readFile(file, 'utf8'));
  const { mode } = await stat(file);
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, text, { mode: 0o600 });
    await chmod(temporary, mode & 0o777);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Relative to the configuration where the folder lies beside or below it, so that the project can be moved again. */
function asWritten({ config }: Project, folder: string): string {
  const path = relative(config.directory, folder);
  return path === '' ? '.' : path.startsWith('..') || isAbsolute(path) ? folder : path;
}

function textOf(
  { config }: Project,
  written: ReadonlyMap<string, string>,
  lost: MovedLocations['lost'],
  dryRun: boolean,
): string {
  const lines = [...written].map(([prefix, folder]) => `${printable(prefix)} -> ${printable(folder)}`);
  if (lines.length > 0)
    lines.push(dryRun ? 'Nothing was written.' : `Written to ${printable(config.configFile ?? '')}.`);
  for (const { table, location } of lost) lines.push(`${printable(table)}: ${printable(location)} was found nowhere`);
  if (lines.length === 0) lines.push('Every table was found where its location says.');
  return `${lines.join('\n')}\n`;
}
