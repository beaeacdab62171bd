import { readFileSync } from 'node:fs';

/** Version of the package. */
export function packageVersion(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      // The source tree and the built one differ in depth.
    }
  }
  return 'unknown';
}
