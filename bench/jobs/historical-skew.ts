/** Retrieval where half of the table and half of the frame is one entity, and of what was known, beside uniform keys and plain retrieval. */
import { explainFeatures } from '../../client/historical-features.js';
import { type BenchJob, type BenchSize, type BenchVariant, type Figure, figure, type Measurement } from '../job.js';
import { asofSql, runRaw, writeAnswer } from '../retrieval.js';
import {
  filesPath,
  prepareSkew,
  SKEW_ROWS,
  type SkewView,
  type Spread,
  skewFramePath,
  viewName,
} from '../skewed-tables.js';
import { openBenchProject } from '../world.js';

const NAME = 'historical-skew';
/** Places in the list of sizes. */
const STEPS = [0, 1, 2] as const;
type Step = (typeof STEPS)[number];

/** One way to retrieve. */
interface Way {
  readonly view: SkewView;
  readonly knownAsOf?: boolean;
  readonly explain?: boolean;
}

const WAYS = {
  uniform: { view: 'uniform' },
  skewed: { view: 'skewed' },
  'explain skewed': { view: 'skewed', explain: true },
  few: { view: 'few' },
  'few known': { view: 'few', knownAsOf: true },
  none: { view: 'none' },
  'none known': { view: 'none', knownAsOf: true },
} as const satisfies Readonly<Record<string, Way>>;
type WayName = keyof typeof WAYS;

const spreadOf = (view: SkewView): Spread => (view === 'none' ? 'few' : view);
const rowsAt = (size: BenchSize, step: Step): number => SKEW_ROWS[size][step];

function ours(step: Step, way: Way): BenchVariant {
  return async (context, measure) => {
    const { view, knownAsOf = false } = way;
    const rows = rowsAt(context.size, step);
    const project = await openBenchProject(context.dataFolder);
    await project.engine();
    const entities = { file: skewFramePath(context.dataFolder, spreadOf(view), rows) };
    const request = { features: [viewName(view, rows)], entities, knownAsOf };
    if (way.explain === true) await measure(() => explainFeatures(project, request));
    else await measure(() => writeAnswer(project, request));
    await project.close();
    return undefined;
  };
}

/** The ASOF join that everybody writes by hand, of the skewed table. */
function raw(step: Step): BenchVariant {
  return (context, measure) => {
    const rows = rowsAt(context.size, step);
    const frame = skewFramePath(context.dataFolder, 'skewed', rows);
    return runRaw(context, measure, (files) => asofSql(frame, files), filesPath(context.dataFolder, 'skewed', rows));
  };
}

const variantName = (way: WayName | 'raw', step: Step): string => `${way} ${step}`;

export const historicalSkew: BenchJob = {
  name: NAME,
  title:
    'Half of the table and of the frame on one entity beside uniform keys, and known rows of few or no entities beside plain retrieval; each size is twice the one before.',
  runs: 3,
  prepare: prepareSkew,
  variants: Object.fromEntries(
    STEPS.flatMap((step) => [
      ...Object.entries(WAYS).map(
        ([way, options]) => [variantName(way as WayName, step), ours(step, options)] as const,
      ),
      [variantName('raw', step), raw(step)] as const,
    ]),
  ),
  figures(medians, size) {
    const cpu = (way: WayName | 'raw', step: Step): number => of(medians, variantName(way, step)).cpuSeconds;
    const beside = (what: string, way: WayName, floor: WayName | 'raw', atMost?: number): readonly Figure[] =>
      STEPS.map((step) =>
        figure(NAME, size, `${rowsAt(size, step)} rows, ${what}, CPU`, cpu(way, step), 's', {
          floor: cpu(floor, step),
          ...(atMost === undefined ? {} : { atMost }),
        }),
      );
    const growth = (what: string, way: WayName): Figure => {
      const exponent = Math.log(cpu(way, 2) / cpu(way, 0)) / Math.log(rowsAt(size, 2) / rowsAt(size, 0));
      return figure(NAME, size, `${what}, growth of CPU with rows`, exponent, 'exponent', { atMost: 1.2 });
    };
    return [
      ...beside('half of them of one entity, over uniform keys', 'skewed', 'uniform', 2),
      ...beside('half of them of one entity, over a raw ASOF join', 'skewed', 'raw'),
      growth('half of the rows of one entity', 'skewed'),
      ...beside('explained, over retrieved', 'explain skewed', 'skewed', 1),
      ...beside('100 entities, known as of, over plain', 'few known', 'few', 2),
      growth('100 entities, known as of', 'few known'),
      ...beside('no entities, known as of, over plain', 'none known', 'none', 2),
      growth('no entities, known as of', 'none known'),
    ];
  },
};

function of(medians: Readonly<Record<string, Measurement>>, variant: string): Measurement {
  const median = medians[variant];
  if (median === undefined) throw new Error(`${variant} was not measured`);
  return median;
}
