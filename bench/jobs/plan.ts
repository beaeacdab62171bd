/** Planning a table of many files of which one partition matches. */
import { bindExpression, currentSchema, currentSnapshot, parseExpression } from '../../iceberg/index.js';
import { loadTable, planFiles } from '../../tables/index.js';
import { type BenchContext, type BenchJob, type BenchSize, figure } from '../job.js';
import { makePlannedTable, PLANNED } from '../planned-table.js';
import { runForeign } from '../python.js';
import { openBenchProject } from '../world.js';

const NAME = 'plan';
const FILES_PER_COMMIT = 100;
const COMMITS: Readonly<Record<BenchSize, number>> = { S: 10, M: 100 };
const WARM_RUNS = 11;

const prepare = (context: BenchContext): Promise<void> =>
  makePlannedTable(context, COMMITS[context.size], FILES_PER_COMMIT);

export const plan: BenchJob = {
  name: NAME,
  title:
    'Planning a partitioned table of 100 files per partition with a filter that one partition matches, cold and warm.',
  runs: 3,
  prepare,
  variants: {
    async ours(context, measure) {
      const project = await openBenchProject(context.dataFolder);
      const catalog = await project.catalog();
      const onePlan = async () => {
        const table = await loadTable(catalog, project.io, PLANNED);
        const schema = currentSchema(table.metadata);
        const filter = bindExpression(parseExpression('part = 7'), schema);
        const snapshot = currentSnapshot(table.metadata) ?? null;
        const began = performance.now();
        const planned = await planFiles(table, { snapshot, schema, filter });
        return { ms: performance.now() - began, stats: planned.stats };
      };
      return measure(async () => {
        const cold = await onePlan();
        const warm: number[] = [];
        for (let run = 0; run < WARM_RUNS; run++) warm.push((await onePlan()).ms);
        warm.sort((a, b) => a - b);
        return { coldMs: cold.ms, warmMs: warm[WARM_RUNS >> 1] ?? Number.NaN, manifestsRead: cold.stats.manifestsRead };
      });
    },
  },
  figures(medians, size) {
    const { coldMs = Number.NaN, warmMs = Number.NaN, manifestsRead = Number.NaN } = medians['ours']?.extra ?? {};
    const files = COMMITS[size] * FILES_PER_COMMIT;
    return [
      figure(NAME, size, `planning ${files} files, warm`, warmMs, 'ms', { atMost: 50 }),
      figure(NAME, size, `planning ${files} files, cold`, coldMs, 'ms'),
      figure(NAME, size, 'manifests read where one matches', manifestsRead, 'manifests', { atMost: 1 }),
    ];
  },
};

const COLD = 'plan-cold';

export const planCold: BenchJob = {
  name: COLD,
  title: 'Planning every file of that table in a fresh process; floor: PyIceberg, the same.',
  runs: 5,
  data: NAME,
  prepare,
  variants: {
    async ours(context, measure) {
      const project = await openBenchProject(context.dataFolder);
      const catalog = await project.catalog();
      const files = await measure(async () => {
        const table = await loadTable(catalog, project.io, PLANNED);
        const snapshot = currentSnapshot(table.metadata) ?? null;
        return (await planFiles(table, { snapshot, schema: currentSchema(table.metadata) })).files.length;
      });
      await project.close();
      return { files };
    },
    pyiceberg: (context, measure) =>
      runForeign(context, measure, { name: 'plan_files.py', requirements: 'requirements.txt' }, 'bench.planned'),
  },
  figures(medians, size) {
    const { ours } = medians;
    const theirs = medians['pyiceberg']?.extra;
    if (ours === undefined || theirs === undefined) throw new Error('a variant was not measured');
    const files = COMMITS[size] * FILES_PER_COMMIT;
    if (ours.extra['files'] !== files || theirs['count'] !== files) throw new Error(`a plan has not ${files} files`);
    const { cpuSeconds = Number.NaN, wallSeconds = Number.NaN } = theirs;
    const what = `planning all of ${files} files`;
    return [
      figure(COLD, size, `${what}, CPU`, ours.cpuSeconds, 's', { floor: cpuSeconds, atMost: 0.2 }),
      figure(COLD, size, `${what}, wall`, ours.wallSeconds, 's', { floor: wallSeconds, atMost: 0.2 }),
    ];
  },
};
