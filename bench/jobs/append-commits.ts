/** Many small appends: the 500th commit may not cost more than the 10th. */
import { randomUUID } from 'node:crypto';
import { parseSchema } from '../../iceberg/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, loadTable } from '../../tables/index.js';
import { type BenchJob, type BenchSize, figure } from '../job.js';
import { median } from '../percentile.js';
import { openBenchProject } from '../world.js';

const NAME = 'append-commits';
const COMMITS: Readonly<Record<BenchSize, number>> = { S: 100, M: 500 };
/** Commits around the one of interest whose median stands for it. */
const NEIGHBOURS = 5;

const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: ['id', 'value'].map((name, index) => ({ id: index + 1, name, required: false, type: 'long' })),
});

function medianAround(values: readonly number[], place: number): number {
  const from = Math.max(0, Math.min(place - 1 - NEIGHBOURS, values.length - 2 * NEIGHBOURS - 1));
  return median(values.slice(from, from + 2 * NEIGHBOURS + 1));
}

export const appendCommits: BenchJob = {
  name: NAME,
  title: 'Appending 10,000 rows per commit; the last commit beside the tenth, floor: writing the Parquet file alone.',
  runs: 3,
  prepare: () => Promise.resolve(),
  variants: {
    async ours(context, measure) {
      const project = await openBenchProject(context.scratchFolder);
      const catalog = await project.catalog();
      await catalog.createNamespace(['bench']);
      const identifier = { namespace: ['bench'], name: 'appended' };
      await catalog.createTable(identifier, { schema: SCHEMA });
      const engine = await project.engine();
      const cpuMs: number[] = [];
      const writeMs: number[] = [];
      await measure(() =>
        engine.withConnection(async (connection) => {
          for (let commit = 0; commit < COMMITS[context.size]; commit++) {
            const began = process.cpuUsage();
            const table = await loadTable(catalog, project.io, identifier);
            const select = `SELECT n, n * 7 FROM range(${commit * 10_000}, ${(commit + 1) * 10_000}) t(n)`;
            const files = await stageRows(connection, table, { select, namePrefix: randomUUID() });
            const written = process.cpuUsage(began);
            await commitAppend(table, { files });
            const used = process.cpuUsage(began);
            cpuMs.push((used.user + used.system) / 1000);
            writeMs.push((written.user + written.system) / 1000);
          }
        }),
      );
      await project.close();
      return {
        tenth: medianAround(cpuMs, 10),
        last: medianAround(cpuMs, cpuMs.length),
        write: medianAround(writeMs, cpuMs.length),
      };
    },
  },
  figures(medians, size) {
    const extra = medians['ours']?.extra ?? {};
    const { tenth = Number.NaN, last = Number.NaN, write = Number.NaN } = extra;
    return [
      figure(NAME, size, `CPU of commit ${COMMITS[size]} over commit 10`, last, 'ms', { floor: tenth, atMost: 1.5 }),
      figure(NAME, size, `CPU of commit ${COMMITS[size]} over its Parquet file alone`, last, 'ms', { floor: write }),
    ];
  },
};
