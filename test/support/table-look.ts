/** What a table of local files holds, read in this process: a command for each look would take a core from what is looked at. */
import { onTestFinished } from 'vitest';
import { openProject, type Project } from '../../project/index.js';
import { liveRows } from './compaction-lab.js';

/** Of a project with the catalog `catalog.db` and the warehouse `warehouse`. */
export const LOOK_CONFIG = {
  catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } },
  engine: { threads: 1 },
};

/** @returns the ids of the rows, in order; the summaries of the snapshots, oldest first; and of those that have added rows, how many */
export function lookInto(project: Project, name: string) {
  const ids = async (): Promise<readonly number[]> => {
    const rows = await liveRows({ engine: await project.engine() }, await project.loadTable(name), { select: 'id' });
    return rows.map(Number).sort((a, b) => a - b);
  };
  const summaries = async () => (await project.loadTable(name)).metadata.snapshots.map(({ summary }) => summary);
  const added = async () =>
    (await summaries()).map((summary) => Number(summary.get('added-records') ?? 0)).filter((rows) => rows > 0);
  return { ids, summaries, added };
}

/** The same of a project with {@link LOOK_CONFIG}. */
export async function lookAt(folder: string, name = 'iot.uplinks') {
  const project = await openProject({ cwd: folder, config: LOOK_CONFIG });
  onTestFinished(() => project.close());
  return lookInto(project, name);
}
