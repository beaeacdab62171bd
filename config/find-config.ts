import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** The name under which a configuration is looked for. */
export const CONFIG_FILE_NAME = 'moraine.yaml';

/** Absolute path of the `moraine.yaml` in `folder` or the nearest folder above it; undefined if there is none. */
export function findConfigFile(folder: string): string | undefined {
  let current = resolve(folder);
  for (;;) {
    const candidate = join(current, CONFIG_FILE_NAME);
    if (existsSync(candidate)) return candidate;
    const parent = dirname(current);
    if (parent === current) return undefined;
    current = parent;
  }
}
