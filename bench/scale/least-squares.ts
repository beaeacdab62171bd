/** Least squares without negative weights. Source: Lawson and Hanson, "Solving Least Squares Problems", chapter 23. */

/** An observation: amounts by cause, and what they cost together. */
export interface Observation {
  readonly causes: Readonly<Record<string, number>>;
  readonly cost: number;
  /** An error of so much counts as much as one of another observation's; the cost itself by default, which makes errors relative. */
  readonly scale?: number;
  /** Of the cost, what is known to have other causes; 0 unless given. */
  readonly known?: number;
}

/** Slopes up to so much of the columns' own length count as none. */
const TOLERANCE = 1e-9;
/** Keeps columns that are multiples of each other solvable. */
const RIDGE = 1e-13;

/** Weights of the causes, none below 0, that make the sum of squared errors least. */
export function nonNegativeLeastSquares(observations: readonly Observation[]): Readonly<Record<string, number>> {
  const causes = [...new Set(observations.flatMap((one) => Object.keys(one.causes)))];
  const targets = observations.map(({ cost, scale = cost }) => cost / scale);
  const raw = causes.map((cause) => observations.map(({ causes: of, cost, scale = cost }) => (of[cause] ?? 0) / scale));
  const lengths = raw.map((column) => Math.sqrt(dot(column, column)));
  // Columns of length 1, so that amounts of any unit are solved alike.
  const columns = raw.map((column, at) => column.map((value) => (lengths[at] === 0 ? 0 : value / (lengths[at] ?? 1))));
  const used = new Set<number>();
  let weights: readonly number[] = causes.map(() => 0);
  for (let turn = 0; turn < 3 * causes.length; turn += 1) {
    const errors = residuals(columns, weights, targets);
    const slopes = columns.map((column, at) => (used.has(at) ? 0 : dot(column, errors)));
    const best = slopes.indexOf(Math.max(...slopes));
    if ((slopes[best] ?? 0) <= TOLERANCE) break;
    used.add(best);
    weights = settled(columns, targets, used, weights);
  }
  return Object.fromEntries(
    causes.map((cause, at) => [cause, lengths[at] === 0 ? 0 : (weights[at] ?? 0) / (lengths[at] ?? 1)]),
  );
}

/** The best weights of the used columns; those that would become negative leave, the nearest first. */
function settled(
  columns: readonly (readonly number[])[],
  targets: readonly number[],
  used: Set<number>,
  before: readonly number[],
): readonly number[] {
  let weights = before;
  for (;;) {
    const best = solved(columns, targets, [...used]);
    const negative = [...used].filter((at) => (best[at] ?? 0) <= 0);
    if (negative.length === 0) return best;
    const steps = negative.map((at) => (weights[at] ?? 0) / ((weights[at] ?? 0) - (best[at] ?? 0) || 1));
    const step = Math.min(...steps);
    weights = weights.map((weight, at) => weight + step * ((best[at] ?? 0) - weight));
    for (const [place, at] of negative.entries()) if ((steps[place] ?? 0) <= step) used.delete(at);
    weights = weights.map((weight, at) => (used.has(at) ? weight : 0));
  }
}

/** Ordinary least squares over some columns, by their normal equations; 0 for the others. */
function solved(
  columns: readonly (readonly number[])[],
  targets: readonly number[],
  used: readonly number[],
): readonly number[] {
  const system = used.map((row) => [
    ...used.map((at) => dot(columns[row] ?? [], columns[at] ?? []) + (row === at ? RIDGE : 0)),
    dot(columns[row] ?? [], targets),
  ]);
  const size = used.length;
  for (let pivot = 0; pivot < size; pivot += 1) {
    const top = system[pivot] ?? [];
    for (let row = pivot + 1; row < size; row += 1) {
      const below = system[row] ?? [];
      const factor = (below[pivot] ?? 0) / (top[pivot] ?? 1);
      for (let at = pivot; at <= size; at += 1) below[at] = (below[at] ?? 0) - factor * (top[at] ?? 0);
    }
  }
  const weights = columns.map(() => 0);
  for (let row = size - 1; row >= 0; row -= 1) {
    const line = system[row] ?? [];
    const known = used
      .slice(row + 1)
      .reduce((sum, at, place) => sum + (line[row + 1 + place] ?? 0) * (weights[at] ?? 0), 0);
    weights[used[row] ?? 0] = ((line[size] ?? 0) - known) / (line[row] ?? 1);
  }
  return weights;
}

function residuals(
  columns: readonly (readonly number[])[],
  weights: readonly number[],
  targets: readonly number[],
): readonly number[] {
  return targets.map((target, row) =>
    columns.reduce((sum, column, at) => sum - (column[row] ?? 0) * (weights[at] ?? 0), target),
  );
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);

const ROUNDS = 60;

/**
 * The same with errors as logarithms of ratios, in which twice as much is as wrong as half: by Gauss and Newton, in half steps.
 * @param atLeast weights that are known to be so much or more; 0 unless given
 */
export function nonNegativeLeastRatios(
  observations: readonly Observation[],
  atLeast: Observation['causes'] = {},
): Readonly<Record<string, number>> {
  const weighed = ({ causes }: Observation, weights: Observation['causes']): number =>
    Object.entries(causes).reduce((sum, [cause, amount]) => sum + amount * (weights[cause] ?? 0), 0);
  const known = observations.map((one) => (one.known ?? 0) + weighed(one, atLeast));
  let more = nonNegativeLeastSquares(
    observations.map((one, at) => ({ ...one, cost: one.cost - (known[at] ?? 0), scale: one.cost })),
  );
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = more;
    const linear = observations.map((one, at) => {
      const predicted = Math.max((known[at] ?? 0) + weighed(one, before), one.cost / 100);
      const target = predicted * (1 - Math.log(predicted / one.cost));
      return { causes: one.causes, cost: target - (known[at] ?? 0), scale: predicted };
    });
    const next = nonNegativeLeastSquares(linear);
    more = Object.fromEntries(
      Object.entries(next).map(([cause, weight]) => [cause, ((before[cause] ?? 0) + weight) / 2]),
    );
  }
  return Object.fromEntries(Object.entries(more).map(([cause, weight]) => [cause, weight + (atLeast[cause] ?? 0)]));
}
