/** What runs cost by rows, entities, files and buckets, and how well `moraine estimate` knows it. The rest is in `docs/scale.md`. */
import { type BenchJob, type BenchSize, figure } from '../job.js';
import { atSize, BEYOND, caseName, FIT, PARTS, PARTS_BEYOND, type ScaleGrid } from '../scale/cases.js';
import { compared, WITHIN, within } from '../scale/compare.js';
import { measureCase, prepareTables } from '../scale/measure.js';

/** Of twenty runs, those that must be within {@link WITHIN} of what was predicted. */
const ENOUGH = 18;
/** The same share of five. */
const ENOUGH_IN_PARTS = 4;

function job(name: string, title: string, grid: ScaleGrid, atLeast?: number): BenchJob {
  const variants = grid.cases.map((one, index) => {
    const run: BenchJob['variants'][string] = (context, measure) => {
      const { tables, cases } = atSize(grid, context.size);
      const sized = cases[index];
      const table = tables[one.table];
      if (sized === undefined || table === undefined) throw new Error(`no run ${index}`);
      return measureCase(context, { table, one: sized }, measure);
    };
    return [caseName(one), run] as const;
  });
  return {
    name,
    title,
    runs: 1,
    prepare: (context) => prepareTables(context, atSize(grid, context.size)),
    variants: Object.fromEntries(variants),
    figures(medians, size: BenchSize) {
      const runs = compared(medians);
      return (['CPU', 'bytes', 'requests'] as const).map((what) =>
        figure(
          name,
          size,
          `runs of ${runs.length} within ${WITHIN}x of the estimate, ${what}`,
          runs.filter((one) => within(one, what)).length,
          'runs',
          atLeast === undefined || size === 'S' ? {} : { atLeast },
        ),
      );
    },
  };
}

export const scale = job(
  'scale',
  'Materializations and saved retrievals in shards over rows, entities, files and buckets: the runs that `moraine estimate` is fitted on.',
  FIT,
);

export const scaleBeyond = job(
  'scale-beyond',
  'The same on other tables, some with three times the rows: the runs that the fit is tried on.',
  BEYOND,
  ENOUGH,
);

export const scaleParts = job(
  'scale-parts',
  'Runs of several shards whose files are read once, in parts: what the weights of parts are fitted on.',
  PARTS,
);

export const scalePartsBeyond = job(
  'scale-parts-beyond',
  'The same on other tables: the runs that these weights are tried on.',
  PARTS_BEYOND,
  ENOUGH_IN_PARTS,
);
