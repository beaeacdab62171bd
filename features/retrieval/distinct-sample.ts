/** Estimating how many distinct values a table has from some of its files. */

/** Rows that are looked at; all of a smaller table. */
const SAMPLE_ROWS = 1_000_000;
const STEPS = 60;

/** Files with {@link SAMPLE_ROWS} rows or more together, evenly spaced; all of them if they have less. */
export function sampleFiles<F extends { readonly recordCount: bigint }>(files: readonly F[]): readonly F[] {
  const rows = files.reduce((sum, file) => sum + Number(file.recordCount), 0);
  if (rows <= SAMPLE_ROWS) return files;
  const count = Math.max(1, Math.ceil((files.length * SAMPLE_ROWS) / rows));
  return Array.from({ length: count }, (_, index) => files[Math.floor((index * files.length) / count)] as F);
}

/**
 * The number of distinct values of which a sample of `sampledRows` rows is expected to show `distinct`, each being equally frequent; an
 * underestimate where equal values lie together.
 */
export function distinctOfAll(distinct: number, sampledRows: number, allRows: number): number {
  if (sampledRows >= allRows || distinct === 0) return distinct;
  let [low, high] = [distinct, allRows];
  for (let step = 0; step < STEPS && high - low > 1; step++) {
    const middle = (low + high) / 2;
    const shown = middle * (1 - Math.exp(-sampledRows / middle));
    if (shown < distinct) low = middle;
    else high = middle;
  }
  return Math.round(high);
}
