// Compiles the TypeScript to dist/, joins its modules, bundles the workflows, and links the command so that `npx moraine` works in a clone.
// dist/ is replaced as a whole once everything compiles: sources that do not compile leave the last one.
// Runs after `npm ci` (as `prepare`) and before a pack.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { joinModules } from './join-modules.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const dist = join(root, 'dist');
/** Beside it, so that source maps hold; of this process alone. */
const built = join(root, `dist-${process.pid}`);

async function compile() {
  const args = ['-p', join(root, 'tsconfig.build.json'), '--outDir', built];
  try {
    execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), ...args], { cwd: root, stdio: 'inherit' });
    await joinModules(root, built);
    rmSync(dist, { recursive: true, force: true });
    renameSync(built, dist);
  } finally {
    rmSync(built, { recursive: true, force: true });
  }
}

async function bundleWorkflows() {
  const { buildWorkflowBundle } = await import(pathToFileURL(join(dist, 'workers/index.js')).href);
  await buildWorkflowBundle(join(dist, 'workflow-bundle-traced.js'), { traced: true });
  await buildWorkflowBundle(join(dist, 'workflow-bundle.js'));
}

function linkCommand() {
  chmodSync(join(dist, 'cli/main.js'), 0o755);
  const bin = join(root, 'node_modules/.bin');
  if (process.platform === 'win32' || !existsSync(join(root, 'node_modules'))) return;
  mkdirSync(bin, { recursive: true });
  rmSync(join(bin, 'moraine'), { force: true });
  symlinkSync('../../dist/cli/main.js', join(bin, 'moraine'));
}

await compile();
await bundleWorkflows();
linkCommand();
