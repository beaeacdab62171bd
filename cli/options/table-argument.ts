/** The table that an argument means: a name in a catalog, or the location of a metadata file. */
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { loadConfig } from '../../config/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { isStoreLocation, type Location, normalizeLocation } from '../../locations/index.js';
import { makeTemporaryFolder } from '../../processes/index.js';
import { openProject, type Project } from '../../project/index.js';
import { openStorage, storeOptionsAt } from '../../storage/index.js';
import { loadTableAt, type Table } from '../../tables/index.js';
import { type CommandContext, withProject } from '../context.js';

/** Whether an argument is a location; everything else is a table name. */
export function isLocation(argument: string): boolean {
  return /^([A-Za-z][A-Za-z0-9+.-]*:|\/|\.\/|\.\.\/)/.test(argument) || /\.metadata\.json(\.gz)?$/.test(argument);
}

/** A location in a bucket, or as an absolute path; a relative one starts in the working directory. `LOCATION_REFUSED` for other schemes. */
export function argumentLocation(argument: string): Location {
  if (isStoreLocation(argument)) return argument.replace(/\/+$/, '');
  return normalizeLocation(/^[A-Za-z][A-Za-z0-9+.-]*:/.test(argument) ? argument : resolve(argument));
}

/** A table, and a project that may read its files. */
export interface OpenedTable {
  readonly table: Table;
  readonly project: Project;
}

export interface OpenTableOptions {
  /** `--root` */
  readonly root?: string;
  /** Folders besides the table's that the query engine may use. */
  readonly fileFolders?: readonly string[];
}

/**
 * Opens the table that an argument means, runs `work` on it and closes everything.
 * A location needs no configuration: its files are read below `--root`, or below the table's own location. One in a bucket is read with the
 * options that the configuration has for it, if there is one.
 */
export async function withTable<T>(
  context: CommandContext,
  argument: string,
  options: OpenTableOptions,
  work: (opened: OpenedTable) => Promise<T>,
): Promise<T> {
  const { root, fileFolders = [] } = options;
  if (isLocation(argument)) {
    const location = argumentLocation(argument);
    return withTableAt(location, { root, fileFolders, storageOptions: storageOptionsFor(context, location) }, work);
  }
  if (root !== undefined) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      '--root goes with the location of a metadata file; tables of a catalog are read below storage.roots',
    );
  }
  return withProject(context, async (project) => work({ project, table: await project.loadTable(argument) }), {
    fileFolders,
  });
}

function storageOptionsFor({ globals }: CommandContext, location: Location): Readonly<Record<string, string>> {
  if (!isStoreLocation(location)) return {};
  try {
    const { storage } = loadConfig(globals.config === undefined ? {} : { configFile: globals.config });
    return storeOptionsAt(storage, location);
  } catch (error) {
    if (isMoraineError(error, 'CONFIG_NOT_FOUND')) return {};
    throw error;
  }
}

interface Place {
  readonly root: string | undefined;
  readonly fileFolders: readonly string[];
  readonly storageOptions: Readonly<Record<string, string>>;
}

async function withTableAt<T>(
  metadataLocation: Location,
  { root, fileFolders, storageOptions }: Place,
  work: (opened: OpenedTable) => Promise<T>,
): Promise<T> {
  // The user named the metadata file itself; what it points at is held to the root.
  const storage = await openStorage({ roots: [metadataLocation], options: storageOptions });
  const named = await loadTableAt(storage, metadataLocation);
  const folder = root === undefined ? tableFolder(named) : argumentLocation(root);
  const state = await makeTemporaryFolder(tmpdir(), 'moraine-scan');
  try {
    const project = await openProject({
      config: { storage: { roots: [folder], options: storageOptions }, stateFolder: state.path },
      cwd: state.path,
      createRoots: false,
      fileFolders,
    });
    try {
      return await work({ project, table: { ...named, io: project.io } });
    } finally {
      await project.close();
    }
  } finally {
    await state.remove();
  }
}

/** Metadata that claims the whole file system, or a whole bucket, as its table is not believed. */
function tableFolder({ metadata }: Table): Location {
  const folder = isStoreLocation(metadata.location) ? metadata.location : normalizeLocation(metadata.location);
  if (folder !== '/' && !/^(s3[an]?|gs):\/\/[^/]*\/*$/.test(folder)) return folder;
  const what = folder === '/' ? 'the root of the file system' : 'a whole bucket';
  throw new MoraineError('LOCATION_REFUSED', `the table's location is ${what}; name its folder with --root`);
}
