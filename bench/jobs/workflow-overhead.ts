/** The cost of the workflow around a materialization over the library call. */
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { startMaterialization, waitForRun, withLocalRun } from '../../workers/index.js';
import { type BenchContext, type BenchJob, figure } from '../job.js';
import { makeFeatureTable, openBenchProject } from '../world.js';

const NAME = 'workflow-overhead';
const MOST_SECONDS = 0.5;
const SHAPE = { rows: 100_000, entities: 1_000, files: 2 };

async function freshProject(context: BenchContext) {
  const project = await openBenchProject(context.scratchFolder);
  await makeFeatureTable(project, 'first', SHAPE);
  await makeFeatureTable(project, 'second', SHAPE);
  return project;
}

export const workflowOverhead: BenchJob = {
  name: NAME,
  title: 'Wall time of a materialization as a workflow over the same as a library call, server and worker running.',
  runs: 3,
  prepare: () => Promise.resolve(),
  variants: {
    async library(context, measure) {
      const project = await freshProject(context);
      const deps = await materializationDeps(project);
      await materializeDirect(deps, { view: 'first' });
      await measure(() => materializeDirect(deps, { view: 'second' }));
      await project.close();
      return undefined;
    },
    async workflow(context, measure) {
      const project = await freshProject(context);
      await withLocalRun(project, async ({ client, settings, ...temporal }) => {
        const run = async (view: string) => {
          const started = await startMaterialization({ client, ...temporal }, settings, { view });
          await waitForRun(client, started);
        };
        await run('first');
        await measure(() => run('second'));
      });
      await project.close();
      return undefined;
    },
  },
  figures(medians, size) {
    const { library, workflow } = medians;
    if (library === undefined || workflow === undefined) throw new Error('a variant was not measured');
    const overhead = workflow.wallSeconds - library.wallSeconds;
    return [
      figure(NAME, size, 'wall of the workflow', workflow.wallSeconds, 's', { floor: library.wallSeconds }),
      figure(NAME, size, 'wall over the library call', overhead, 's', { atMost: MOST_SECONDS }),
    ];
  },
};
