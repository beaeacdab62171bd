/** Colours on a terminal. `NO_COLOR` (https://no-color.org) turns them off; pipes and files never get any. */
import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

/** Whether a stream shows colours. */
export function showsColour(
  { isTTY }: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  const isRefused = env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '';
  return isTTY === true && !isRefused && env['TERM'] !== 'dumb';
}

/** Text in a style where the stream shows colours, and as it is elsewhere. */
export function styled(
  stream: { readonly isTTY?: boolean },
  format: Format,
  text: string,
  env?: Readonly<Record<string, string | undefined>>,
): string {
  return showsColour(stream, env) ? styleText(format, text, { validateStream: false }) : text;
}
