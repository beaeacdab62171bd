// Compiles the TypeScript to dist/, bundles the workflows, and links the command so that `npx moraine` works in a clone.
// Runs after `npm ci` (as `prepare`) and before a pack.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

function compile() {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')], {
    cwd: root,
    stdio: 'inherit',
  });
}

async function bundleWorkflows() {
  const { buildWorkflowBundle } = await import(pathToFileURL(join(root, 'dist/workers/bundle.js')).href);
  await buildWorkflowBundle(join(root, 'dist/workflow-bundle-traced.js'), { traced: true });
  await buildWorkflowBundle(join(root, 'dist/workflow-bundle.js'));
}

function linkCommand() {
  const main = join(root, 'dist/cli/main.js');
  chmodSync(main, 0o755);
  const bin = join(root, 'node_modules/.bin');
  if (process.platform === 'win32' || !existsSync(join(root, 'node_modules'))) return;
  mkdirSync(bin, { recursive: true });
  rmSync(join(bin, 'moraine'), { force: true });
  symlinkSync('../../dist/cli/main.js', join(bin, 'moraine'));
}

compile();
await bundleWorkflows();
linkCommand();
