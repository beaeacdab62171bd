/** As many entities as rows, in little memory: nothing may be kept per entity that cannot spill. */
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { type BenchJob, type BenchSize, figure } from '../job.js';
import { makeFeatureTable, openBenchProject } from '../world.js';

const NAME = 'many-entities';
const LIMIT_MB: Readonly<Record<BenchSize, number>> = { S: 500, M: 1000 };
const ROWS: Readonly<Record<BenchSize, number>> = { S: 1_000_000, M: 10_000_000 };
const ALLOWANCE_MB = 300;

export const manyEntities: BenchJob = {
  name: NAME,
  title: 'Materializing a table in which every row is an entity of its own, under a memory limit.',
  runs: 1,
  async prepare(context) {
    const project = await openBenchProject(context.dataFolder);
    const rows = ROWS[context.size];
    await makeFeatureTable(project, 'distinct', { rows, entities: rows, files: 20 });
    await project.close();
  },
  variants: {
    async ours(context, measure) {
      const project = await openBenchProject(context.dataFolder, `${LIMIT_MB[context.size]}MB`);
      const catalog = await project.catalog();
      const online = { namespace: ['moraine_online'], name: 'distinct' };
      if (await catalog.tableExists(online)) await catalog.dropTable(online);
      const deps = await materializationDeps(project);
      const { commit } = await measure(() => materializeDirect(deps, { view: 'distinct' }));
      await project.close();
      return { rows: Number(commit?.rows ?? 0) };
    },
  },
  figures(medians, size) {
    const { ours } = medians;
    if (ours === undefined) throw new Error('a variant was not measured');
    return [
      figure(NAME, size, 'CPU', ours.cpuSeconds, 's'),
      figure(NAME, size, `peak memory with a limit of ${LIMIT_MB[size]} MB`, ours.peakMb, 'MB', {
        atMost: LIMIT_MB[size] + ALLOWANCE_MB,
      }),
    ];
  },
};
