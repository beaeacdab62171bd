/** docs/library.md is run as it stands. */
import { join } from 'node:path';
import { it } from 'vitest';
import { runPage } from '../support/documented-page.js';
import { installMoraine } from '../support/installed-package.js';
import { projectRoot } from '../support/paths.js';
import { temporaryFolder } from '../support/temp-folder.js';

it('does what docs/library.md says', { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  installMoraine(folder);
  const compiler = join(projectRoot, 'node_modules/typescript/bin/tsc');
  // The declarations of packages are checked by test/integration/package.test.ts.
  const tsc = `'${process.execPath}' '${compiler}' --types node --skipLibCheck`;
  await runPage('docs/library.md', folder, new Map([['npx tsc', tsc]]));
});
