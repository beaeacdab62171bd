/** Runs a job: prepares its data once, its variants in turn in fresh processes, and takes medians. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchContext, BenchJob, BenchSize, Figure, Measurement } from './job.js';

const run = promisify(execFile);
/** File of a job's data folder: what its last run has measured. */
export const MEDIANS = 'medians.json';

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url));

async function inFreshProcess(job: BenchJob, variant: string, context: BenchContext): Promise<string> {
  const running = run(process.execPath, [CHILD, job.name, variant, JSON.stringify(context)], { maxBuffer: 1 << 24 });
  running.child.stderr?.pipe(process.stderr, { end: false });
  const { stdout } = await running;
  return stdout.trim().split('\n').at(-1) ?? '';
}

async function prepareOnce(job: BenchJob, context: BenchContext): Promise<void> {
  const stamp = join(context.dataFolder, 'ready');
  if (existsSync(stamp)) return;
  rmSync(context.dataFolder, { recursive: true, force: true });
  mkdirSync(context.dataFolder, { recursive: true });
  await inFreshProcess(job, 'prepare', context);
  writeFileSync(stamp, '');
}

async function measureOnce(job: BenchJob, variant: string, context: Omit<BenchContext, 'scratchFolder'>) {
  const scratchFolder = mkdtempSync(join(tmpdir(), 'moraine-bench-'));
  try {
    return JSON.parse(await inFreshProcess(job, variant, { ...context, scratchFolder })) as Measurement;
  } finally {
    rmSync(scratchFolder, { recursive: true, force: true });
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

function medianOf(runs: readonly Measurement[]): Measurement {
  const names = Object.keys(runs[0]?.extra ?? {});
  return {
    cpuSeconds: median(runs.map((one) => one.cpuSeconds)),
    wallSeconds: median(runs.map((one) => one.wallSeconds)),
    peakMb: Math.max(...runs.map((one) => one.peakMb)),
    extra: Object.fromEntries(names.map((name) => [name, median(runs.map((one) => one.extra[name] ?? Number.NaN))])),
  };
}

/**
 * Runs one job at one size. The variants take turns, so that a drift of the machine's speed meets all of them.
 * @returns the job's figures, computed from medians (peak memory: the largest)
 */
export async function runJob(
  job: BenchJob,
  size: BenchSize,
  options: { readonly runs?: number; readonly cacheFolder: string; readonly progress: (line: string) => void },
): Promise<readonly Figure[]> {
  const context = { size, dataFolder: join(options.cacheFolder, `${job.data ?? job.name}-${size}`) };
  options.progress(`${job.name} ${size}: preparing`);
  await prepareOnce(job, { ...context, scratchFolder: context.dataFolder });
  const measured = new Map<string, Measurement[]>();
  const rounds = Math.max(options.runs ?? 0, job.runs);
  for (let round = 0; round < rounds; round++) {
    for (const variant of Object.keys(job.variants)) {
      const one = await measureOnce(job, variant, context);
      options.progress(
        `${job.name} ${size}: ${variant} ${round + 1}/${rounds}: ` +
          `${one.cpuSeconds.toFixed(2)} s CPU, ${one.wallSeconds.toFixed(2)} s, ${one.peakMb.toFixed(0)} MB`,
      );
      measured.set(variant, [...(measured.get(variant) ?? []), one]);
    }
  }
  const medians = Object.fromEntries([...measured].map(([variant, runs]) => [variant, medianOf(runs)]));
  writeFileSync(join(context.dataFolder, MEDIANS), JSON.stringify(medians));
  return job.figures(medians, size);
}
