/** The most memory of a process that writes batches, above what it has while it waits: start-up counts, too, since the peak is that of the whole process. */
import { type BenchSize, type Figure, figure } from './job.js';

export const MIB = 2 ** 20;
const [ALLOWED_MB, ALLOWED_BATCHES] = [256, 4];

/** @param idle resident bytes of the process before the first batch */
export const aboveIdleMb = (idle: number): number => (process.resourceUsage().maxRSS * 1024 - idle) / MIB;

/** Beside four times the bytes of a batch and 256 MB. @param what was written */
export function memoryFigure(
  job: string,
  size: BenchSize,
  what: string,
  { aboveMb, batchMb }: { readonly aboveMb: number; readonly batchMb: number },
): Figure {
  const floor = ALLOWED_BATCHES * batchMb + ALLOWED_MB;
  return figure(job, size, `memory above idle, ${what}`, aboveMb, 'MB', { floor, atMost: 1 });
}
