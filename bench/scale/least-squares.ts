/** Least squares without negative weights. */

/** An observation: amounts by cause, and what they cost together. */
export interface Observation {
  readonly causes: Readonly<Record<string, number>>;
  readonly cost: number;
  /** An error of so much counts as much as one of another observation's; the cost itself by default, which makes errors relative. */
  readonly scale?: number;
}

const ROUNDS = 20_000;

/** Weights of the causes, none below 0, that make the sum of squared errors least: one after the other is set to its best value. */
export function nonNegativeLeastSquares(observations: readonly Observation[]): Readonly<Record<string, number>> {
  const causes = [...new Set(observations.flatMap((one) => Object.keys(one.causes)))];
  const rows = observations.map(({ causes: amounts, cost, scale = cost }) => ({
    x: causes.map((cause) => (amounts[cause] ?? 0) / scale),
    y: cost / scale,
  }));
  const norms = causes.map((_, at) => rows.reduce((sum, { x }) => sum + (x[at] ?? 0) ** 2, 0));
  const weights = causes.map(() => 0);
  const residuals = rows.map(({ y }) => y);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [at, norm] of norms.entries()) {
      if (norm === 0) continue;
      const slope = rows.reduce((sum, { x }, row) => sum + (x[at] ?? 0) * (residuals[row] ?? 0), 0);
      const before = weights[at] ?? 0;
      const after = Math.max(0, before + slope / norm);
      if (after === before) continue;
      weights[at] = after;
      for (const [row, { x }] of rows.entries())
        residuals[row] = (residuals[row] ?? 0) - (x[at] ?? 0) * (after - before);
    }
  }
  return Object.fromEntries(causes.map((cause, at) => [cause, weights[at] ?? 0]));
}
