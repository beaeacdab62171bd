/** Settings of tests from environment variables. */

/** The number that an environment variable holds, if it is set. */
export function numberIn(variable: string, pattern: RegExp): number | undefined {
  const text = process.env[variable] ?? '';
  if (text === '') return undefined;
  if (!pattern.test(text)) throw new Error(`${variable} is ${JSON.stringify(text)}, which is not such a number`);
  return Number(text);
}

/** The seed that was asked for. */
export const seed = numberIn('MORAINE_SEED', /^-?\d{1,10}$/);

/** `MORAINE_LONG_FORM=1`, at night: every case of tests that take some of their cases in `npm run test:integration`. */
export const IS_LONG_FORM = process.env['MORAINE_LONG_FORM'] === '1';
