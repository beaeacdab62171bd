// Materializes a view of the project in a folder by the library, as a process of its own. Prints what it did, or the error
// by its code, as JSON. Limits are set once the code is loaded, which opens many files at a time.
import { execFileSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';

const [dist, cwd, view, ...limits] = process.argv.slice(2);
const internals = pathToFileURL(`${dist}/test/support/internals.js`).href;
const { materializationDeps, materializeDirect, openProject } = await import(internals);
if (limits.length > 0) execFileSync('prlimit', ['--pid', String(process.pid), ...limits]);

const project = await openProject({ cwd });
try {
  const { plan, commit } = await materializeDirect(await materializationDeps(project), { view });
  process.stdout.write(JSON.stringify({ kind: plan.kind, rows: String(commit?.rows ?? 0), files: commit?.files ?? 0 }));
} catch (error) {
  process.stdout.write(JSON.stringify({ code: error.code ?? 'NONE', message: error.message }));
} finally {
  await project.close();
}
