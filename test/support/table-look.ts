/** What a table of local files holds, read in this process: a command for each look would take a core from what is looked at. */
import { onTestFinished } from 'vitest';
import { openProject } from '../../project/index.js';
import { liveRows } from './compaction-lab.js';

const CONFIG = { catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } }, engine: { threads: 1 } };

/**
 * @param folder of a project with the catalog `catalog.db` and the warehouse `warehouse`
 * @returns the ids of the rows, in order; and the summaries of the snapshots, oldest first
 */
export async function lookAt(folder: string, name = 'iot.uplinks') {
  const project = await openProject({ cwd: folder, config: CONFIG });
  onTestFinished(() => project.close());
  const ids = async (): Promise<readonly number[]> => {
    const rows = await liveRows({ engine: await project.engine() }, await project.loadTable(name), { select: 'id' });
    return rows.map(Number).sort((a, b) => a - b);
  };
  const summaries = async () => (await project.loadTable(name)).metadata.snapshots.map(({ summary }) => summary);
  return { ids, summaries };
}
