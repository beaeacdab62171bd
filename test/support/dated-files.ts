/** Files that are as old as their modification time says: tests set that, while the system alone sets when a file has appeared. */
import { pathToFileURL } from 'node:url';
import type { Project } from '../../project/index.js';
import type { FileIO, FileStatus } from '../../storage/index.js';
import { projectRoot } from './paths.js';

const dated = (status: FileStatus): FileStatus => ({ ...status, appearedMs: status.modifiedMs });

/** The same storage, with files that appeared when they were last modified. */
export function datedFiles<T extends FileIO>(io: T): T {
  const changed: Pick<FileIO, 'stat' | 'listPage'> = {
    stat: async (location) => dated(await io.stat(location)),
    listPage: async (location, options) => {
      const { files, next } = await io.listPage(location, options);
      return { files: files.map(dated), next };
    },
  };
  return new Proxy(io, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in changed ? changed : target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** The same project over {@link datedFiles}. */
export function datedProject(project: Project): Project {
  const io = datedFiles(project.io);
  return { ...project, io, loadTable: async (name) => ({ ...(await project.loadTable(name)), io }) };
}

/** Option of Node.js that makes a process see files so. */
export const DATED_FILES_OPTION = `--import=${pathToFileURL(`${projectRoot}/test/support/dated-files.mjs`).href}`;
