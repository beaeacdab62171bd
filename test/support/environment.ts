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
