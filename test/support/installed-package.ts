import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './paths.js';

/** Lets programs below a folder import the built package, as if it were installed there. */
export function installMoraine(folder: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  symlinkSync(projectRoot, join(modules, 'moraine'));
  symlinkSync(join(projectRoot, 'node_modules/@types'), join(modules, '@types'));
}
