/** The table that an argument means: a name in a catalog, or the location of a metadata file. */
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { MoraineError } from '../../errors/index.js';
import { normalizeLocation } from '../../locations/index.js';
import { makeTemporaryFolder } from '../../processes/index.js';
import { openProject, type Project } from '../../project/index.js';
import { LocalFileIO } from '../../storage/index.js';
import { loadTableAt, type Table } from '../../tables/index.js';
import { type CommandContext, withProject } from '../context.js';

/** Whether an argument is a location; everything else is a table name. */
export function isLocation(argument: string): boolean {
  return /^([A-Za-z][A-Za-z0-9+.-]*:|\/|\.\/|\.\.\/)/.test(argument) || /\.metadata\.json(\.gz)?$/.test(argument);
}

/** A location as an absolute path; a relative one starts in the working directory. `LOCATION_REFUSED` for other schemes. */
export function locationPath(argument: string): string {
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
 * A location needs no configuration: its files are read below `--root`, or below the table's own location.
 */
export async function withTable<T>(
  context: CommandContext,
  argument: string,
  options: OpenTableOptions,
  work: (opened: OpenedTable) => Promise<T>,
): Promise<T> {
  const { root, fileFolders = [] } = options;
  if (isLocation(argument)) return withTableAt(locationPath(argument), root, fileFolders, work);
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

async function withTableAt<T>(
  metadataPath: string,
  root: string | undefined,
  fileFolders: readonly string[],
  work: (opened: OpenedTable) => Promise<T>,
): Promise<T> {
  // The user named the metadata file itself; what it points at is held to the root.
  const named = await loadTableAt(new LocalFileIO({ roots: [metadataPath] }), metadataPath);
  const folder = root === undefined ? tableFolder(named) : locationPath(root);
  const state = await makeTemporaryFolder(tmpdir(), 'moraine-scan');
  try {
    const project = await openProject({
      config: { storage: { roots: [folder] }, stateFolder: state.path },
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

/** Metadata that claims the whole file system as its table is not believed. */
function tableFolder(table: Table): string {
  const folder = normalizeLocation(table.metadata.location);
  if (folder !== '/') return folder;
  throw new MoraineError(
    'LOCATION_REFUSED',
    `the table's location is the root of the file system; name its folder with --root`,
  );
}
