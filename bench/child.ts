/** One fresh process of the bench: `node child.js JOB VARIANT CONTEXT-JSON` prints one `Measurement` as JSON, or prepares data. */

import type { BenchContext, Measurement } from './job.js';
import { jobByName } from './jobs/index.js';

async function main(): Promise<void> {
  const [jobName = '', variantName = '', contextJson = '{}'] = process.argv.slice(2);
  const job = jobByName(jobName);
  const context = JSON.parse(contextJson) as BenchContext;
  if (variantName === 'prepare') {
    await job.prepare(context);
    return;
  }
  const program = job.programs?.[variantName];
  if (program !== undefined) {
    await program(context);
    return;
  }
  const variant = job.variants[variantName];
  if (variant === undefined) throw new Error(`job ${jobName} has no variant ${variantName}`);
  let cpuSeconds = 0;
  let wallSeconds = 0;
  const extra = await variant(context, async (body) => {
    const cpu = process.cpuUsage();
    const began = process.hrtime.bigint();
    try {
      return await body();
    } finally {
      const used = process.cpuUsage(cpu);
      cpuSeconds += (used.user + used.system) / 1e6;
      wallSeconds += Number(process.hrtime.bigint() - began) / 1e9;
    }
  });
  const peakMb = process.resourceUsage().maxRSS / 1024;
  const measurement: Measurement = { cpuSeconds, wallSeconds, peakMb, extra: extra ?? {} };
  process.stdout.write(`${JSON.stringify(measurement)}\n`);
}

await main();
process.exit(0);
