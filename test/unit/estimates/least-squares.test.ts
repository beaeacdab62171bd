/** The fit of the bench: exact where the answer is known. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nonNegativeLeastRatios, nonNegativeLeastSquares } from '../../../bench/scale/least-squares.js';

it('weights are found again from costs that they made', () => {
  const weight = fc.integer({ min: 1, max: 100 });
  fc.assert(
    fc.property(weight, weight, weight, (a, b, c) => {
      const rows = [1, 2, 3, 5, 8, 13].map((x) => ({ a: 1, b: x, c: (x % 3) * 100 }));
      const observations = rows.map((causes) => ({ causes, cost: a * causes.a + b * causes.b + c * causes.c }));
      for (const fit of [nonNegativeLeastSquares, nonNegativeLeastRatios]) {
        const found = fit(observations.map((one) => ({ ...one, scale: 1 })));
        for (const [name, expected] of Object.entries({ a, b, c })) expect(found[name]).toBeCloseTo(expected, 1);
      }
    }),
  );
});

it('a weight that would be negative is 0, and the others are the best without it', () => {
  // y = 10 - x over x = 1, 2: without a slope the best constant of absolute errors is 8.5.
  const observations = [9, 8].map((cost, at) => ({ causes: { run: 1, x: at + 1 }, cost, scale: 1 }));
  const { run, x } = nonNegativeLeastSquares(observations);
  expect(x).toBe(0);
  expect(run).toBeCloseTo(8.5, 6);
});

it('errors are relative unless a scale is given', () => {
  // Of 1 and 3: the least sum of (w/1 - 1)^2 + (w/3 - 1)^2 is at w = (1 + 1/3) / (1 + 1/9).
  const observations = [1, 3].map((cost) => ({ causes: { run: 1 }, cost }));
  expect(nonNegativeLeastSquares(observations)['run']).toBeCloseTo(1.2, 6);
});

it('a weight is no less than it is known to be', () => {
  // y = 3 + x, of which x is known to weigh 2: x keeps that, and what is left is all that `run` may take.
  const observations = [1, 2, 3].map((x) => ({ causes: { run: 1, x }, cost: 3 + x }));
  const { run = 0, x } = nonNegativeLeastRatios(observations, { x: 2 });
  expect(x).toBe(2);
  // The same constant by trying all of them.
  const error = (c: number): number => [1, 2, 3].reduce((sum, at) => sum + Math.log((c + 2 * at) / (3 + at)) ** 2, 0);
  const tried = Array.from({ length: 4000 }, (_, step) => step / 1000);
  expect(run).toBeCloseTo(
    tried.reduce((best, c) => (error(c) < error(best) ? c : best)),
    2,
  );
});

it('what is known of a cost is no cost of its causes', () => {
  // y = 5x beside 7 that are known.
  const observations = [1, 2, 3].map((x) => ({ causes: { x }, cost: 7 + 5 * x, known: 7 }));
  expect(nonNegativeLeastRatios(observations)['x']).toBeCloseTo(5, 6);
});

it('twice as much is as wrong as half where errors are ratios', () => {
  // Of 1 and 4 the constant with the least squared logarithms of ratios is 2.
  const observations = [1, 4].map((cost) => ({ causes: { run: 1 }, cost }));
  expect(nonNegativeLeastRatios(observations)['run']).toBeCloseTo(2, 1);
});
