/** Global setup: tests that start real processes run `dist/`; it is rebuilt when a source is newer. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/paths.js';

const NOT_SOURCES = new Set(['node_modules', 'dist', '.git', '.moraine', 'test', 'docs', 'coverage', 'examples']);

function newestSourceMs(folder: string): number {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) {
      if (!NOT_SOURCES.has(entry.name)) newest = Math.max(newest, newestSourceMs(join(folder, entry.name)));
    } else if (/\.(ts|mjs)$/.test(entry.name)) {
      newest = Math.max(newest, statSync(join(folder, entry.name)).mtimeMs);
    }
  }
  return newest;
}

export default function setup(): void {
  const stamp = join(projectRoot, 'dist/workflow-bundle.js');
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= newestSourceMs(projectRoot)) return;
  execFileSync(process.execPath, [join(projectRoot, 'scripts/build.mjs')], { cwd: projectRoot, stdio: 'inherit' });
}
