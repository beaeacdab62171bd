/** The largest of some numbers, and at least `floor`. Unlike `Math.max(...values)` it does not overflow the stack on many values. */
export function largest(values: Iterable<number>, floor = 0): number {
  let most = floor;
  for (const value of values) if (value > most) most = value;
  return most;
}
