/** What the demo is asked for on its command line. */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const USAGE = `npm run demo -- [--config FILE] [--scale N] [--folder DIR] [--json]

  --config FILE  configuration of the project, whose storage and catalog hold none of the demo's tables yet; local files unless given
  --scale N      part of the three million flights, above 0 and at most 1 (1)
  --folder DIR   the project's folder, which is made anew (.moraine/demo)
  --json         print the digests as one JSON object; the steps go to standard error
  --help         print this
`;

export interface DemoOptions {
  /** Absolute path of a `moraine.yaml`. */
  readonly configFile?: string;
  readonly scale: number;
  readonly folder: string;
  readonly isJson: boolean;
}

/** Reads the arguments; a text is what to print in place of a run. @throws `Error` for arguments that it does not know */
export function readOptions(args: readonly string[], root: string): DemoOptions | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      config: { type: 'string' },
      scale: { type: 'string', default: '1' },
      folder: { type: 'string', default: join(root, '.moraine', 'demo') },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return USAGE;
  const scale = Number(values.scale);
  if (!(scale > 0 && scale <= 1)) throw new Error(`--scale is a number above 0 and at most 1, not ${values.scale}.`);
  return {
    ...(values.config === undefined ? {} : { configFile: resolve(values.config) }),
    scale,
    folder: resolve(values.folder),
    isJson: values.json,
  };
}
