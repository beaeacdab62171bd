/** Planning a compaction of a table of very many small files: what is chosen, stored and leased, before a data file is opened. */
import { rmSync } from 'node:fs';
import { endCompaction, planCompaction } from '../../maintenance/index.js';
import { compactDeps } from '../../project/index.js';
import { type BenchJob, type BenchSize, figure } from '../job.js';
import { makePlannedTable } from '../planned-table.js';
import { openBenchProject } from '../world.js';

const NAME = 'compact-plan';
const FILES_PER_COMMIT = 1000;
const COMMITS: Readonly<Record<BenchSize, number>> = { S: 10, M: 100 };
const MAX_SECONDS = 5;
const MAX_PEAK_MB = 500;

export const compactPlan: BenchJob = {
  name: NAME,
  title: 'Planning a compaction of many small files in 1,000 files per partition, in a fresh process.',
  runs: 3,
  prepare: (context) => makePlannedTable(context, COMMITS[context.size], FILES_PER_COMMIT),
  variants: {
    async ours(context, measure) {
      const project = await openBenchProject(context.dataFolder);
      const deps = await compactDeps(project);
      const request = { table: 'bench.planned', strategy: 'binpack' as const };
      const planned = await measure(() => planCompaction(deps, request, { runId: NAME }));
      await endCompaction(deps, request.table, NAME);
      if (planned.planLocation !== null) rmSync(await project.io.canonical(planned.planLocation));
      await project.close();
      return { files: planned.files, groups: planned.groups };
    },
  },
  figures(medians, size) {
    const { ours } = medians;
    if (ours === undefined) throw new Error('a variant was not measured');
    const files = COMMITS[size] * FILES_PER_COMMIT;
    if (ours.extra['files'] !== files || ours.extra['groups'] !== COMMITS[size]) throw new Error('files were left out');
    const what = `planning a compaction of ${files} files`;
    return [
      figure(NAME, size, `${what}, wall`, ours.wallSeconds, 's', { atMost: MAX_SECONDS }),
      figure(NAME, size, `${what}, CPU`, ours.cpuSeconds, 's'),
      figure(NAME, size, `${what}, peak memory`, ours.peakMb, 'MB', { atMost: MAX_PEAK_MB }),
    ];
  },
};
