/** `npm run bench -- [--job NAME] [--size S|M] [--runs N] [--write]`: one JSON line per figure on stdout, progress on stderr. */
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { userCacheFolder } from '../workers/server/user-cache.js';
import type { BenchSize, Figure } from './job.js';
import { JOBS, jobByName } from './jobs/index.js';
import { writePage } from './page.js';
import { runJob } from './runner.js';

const { values } = parseArgs({
  options: {
    job: { type: 'string' },
    size: { type: 'string', default: 'S' },
    runs: { type: 'string', default: '3' },
    write: { type: 'boolean', default: false },
  },
});

if (values.size !== 'S' && values.size !== 'M') throw new Error('--size is S or M');
const size: BenchSize = values.size;
const jobs = values.job === undefined ? JOBS : [jobByName(values.job)];
const cacheFolder = join(userCacheFolder(), 'bench');

const figures: Figure[] = [];
for (const job of jobs) {
  for (const one of await runJob(job, size, {
    runs: Number(values.runs),
    cacheFolder,
    progress: (line) => process.stderr.write(`${line}\n`),
  })) {
    process.stdout.write(`${JSON.stringify(one)}\n`);
    figures.push(one);
  }
}
if (values.write) {
  const page = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));
  const machine = `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
  const measuredOn = `Measured on ${new Date().toISOString().slice(0, 10)} on ${machine}; medians of at least ${values.runs} fresh processes.`;
  writePage(page, figures, values.job === undefined ? measuredOn : undefined);
}
process.exit(0);
