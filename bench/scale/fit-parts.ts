/** What parts cost, fitted on retrievals that have some; all other weights stay what runs without parts have given. */
import { type Coefficients, sumOfStaged } from '../../estimates/index.js';
import { nonNegativeLeastRatios, nonNegativeLeastSquares } from './least-squares.js';
import type { ModelledRun } from './modelled-run.js';

const MILLION = 1e6;

/** The coefficients of retrievals with those of parts. @param runs in parts */
export function withParts(known: Coefficients, runs: readonly ModelledRun[]): Coefficients {
  const cpuSeconds = { ...known.cpuSeconds, ...cpuOfParts(known, runs) };
  const memoryMib = { ...known.memoryMib, collectedCells: memoryOfParts(known, runs) };
  const traffic = { ...known.traffic, perStagedByte: bytesOfParts(known, runs) };
  return { ...known, cpuSeconds, memoryMib, traffic };
}

function cpuOfParts(known: Coefficients, runs: readonly ModelledRun[]): Coefficients['cpuSeconds'] {
  return nonNegativeLeastRatios(
    runs.map((run) => {
      const { parts = 0, stagedCells = 0 } = run.causes;
      const { cpuSeconds } = run.costWith(known);
      return { causes: { parts, stagedCells }, cost: run.measured.cpuSeconds, known: cpuSeconds };
    }),
  );
}

/** Bytes that are staged for a byte of the source. */
function bytesOfParts(known: Coefficients, runs: readonly ModelledRun[]): number {
  const written = ({ measured }: ModelledRun): number => measured.extra['traffic.writtenBytes'] ?? Number.NaN;
  const { staged = 0 } = nonNegativeLeastSquares(
    runs.map((run) => {
      const cost =
        written(run) - run.costWith({ ...known, traffic: { ...known.traffic, perStagedByte: 0 } }).writtenBytes;
      return { causes: { staged: sumOfStaged(run.reads.staged, 'sourceBytes') }, cost, scale: written(run) };
    }),
  );
  return staged;
}

/** MiB for a million values that a part collects, above what a process takes anyway. */
function memoryOfParts({ memoryMib: { run: process = 0 } }: Coefficients, runs: readonly ModelledRun[]): number {
  const { collected = 0 } = nonNegativeLeastSquares(
    runs.map(({ measured: { peakMb }, reads: { staged } }) => ({
      causes: { collected: Math.max(...staged.map(({ cells, parts }) => cells / MILLION / parts)) },
      cost: peakMb - process,
      scale: peakMb,
    })),
  );
  return collected;
}
