/** A benchmark job: data made once, variants run in fresh processes, figures computed from their medians. */

/** S finishes in seconds and runs anywhere; M is the size that the bars are stated for. */
export type BenchSize = 'S' | 'M';

/** Where a job finds its data and how large it should be. */
export interface BenchContext {
  readonly size: BenchSize;
  /** A folder of this job and size; what `prepare` wrote is there. Kept between runs. */
  readonly dataFolder: string;
  /** An empty folder of this one process, removed afterwards. */
  readonly scratchFolder: string;
}

/** One fresh process's measurement of a variant's body (start-up not included). */
export interface Measurement {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Peak resident memory of the whole process, MB. */
  readonly peakMb: number;
  /** Further numbers that the variant returned, by name. */
  readonly extra: Readonly<Record<string, number>>;
}

/** One line of the result. `ratio` is value / floor; `met` is null where the job states no bar. */
export interface Figure {
  readonly job: string;
  readonly size: BenchSize;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly floor: number | null;
  readonly ratio: number | null;
  readonly bar: string | null;
  readonly met: boolean | null;
}

/** The body of a variant. It may prepare unmeasured state, then calls `measure` around what counts. */
export type BenchVariant = (
  context: BenchContext,
  measure: <T>(body: () => Promise<T>) => Promise<T>,
) => Promise<Readonly<Record<string, number>> | undefined>;

/** A benchmark job. */
export interface BenchJob {
  readonly name: string;
  /** One sentence for the page: what is compared with what. */
  readonly title: string;
  /** The fewest fresh processes per variant; the command line may ask for more. */
  readonly runs: number;
  /** Name of the data; jobs that name the same have the same `prepare`, which then runs once for all. The job's name by default. */
  readonly data?: string;
  /** Makes the job's data; called once per data folder. */
  prepare(context: BenchContext): Promise<void>;
  readonly variants: Readonly<Record<string, BenchVariant>>;
  /** What other processes do beside a variant: `node child.js JOB PROGRAM CONTEXT-JSON`, ended by a signal. */
  readonly programs?: Readonly<Record<string, (context: BenchContext) => Promise<void>>>;
  /** Figures from the medians of each variant. */
  figures(medians: Readonly<Record<string, Measurement>>, size: BenchSize): readonly Figure[];
}

/** A figure with its bar: `atMost` and `atLeast` compare the ratio if there is a floor, else the value. */
export function figure(
  job: string,
  size: BenchSize,
  what: string,
  value: number,
  unit: string,
  options: { readonly floor?: number; readonly atMost?: number; readonly atLeast?: number } = {},
): Figure {
  const floor = options.floor ?? null;
  const ratio = floor === null ? null : value / floor;
  const { atMost, atLeast } = options;
  const bar = atMost === undefined ? (atLeast === undefined ? null : `>= ${atLeast}`) : `<= ${atMost}`;
  const judged = ratio ?? value;
  return {
    job,
    size,
    what,
    value: round(value),
    unit,
    floor: floor === null ? null : round(floor),
    ratio: ratio === null ? null : round(ratio),
    bar: bar === null ? null : floor === null ? `${bar} ${unit}` : `ratio ${bar}`,
    met: bar === null ? null : judged <= (atMost ?? Infinity) && judged >= (atLeast ?? -Infinity),
  };
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
