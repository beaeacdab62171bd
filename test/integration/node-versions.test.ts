/**
 * The demo, which checks every answer against plain SQL, on newer releases of Node. `.ci/nightly` has `npm test` and the quickstart, with the
 * package, a worker and a replay, on each of them.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { IS_LONG_FORM } from '../support/environment.js';
import { NEWER_NODES, nodeEnvironment } from '../support/node-version.js';
import { projectRoot } from '../support/paths.js';
import { PROGRAM_LIMIT } from '../support/program-limit.js';

test.each(IS_LONG_FORM ? NEWER_NODES : NEWER_NODES.slice(-1))('the demo on Node %s', (version) => {
  const env = { ...process.env, ...nodeEnvironment(version), TEMPORAL_ADDRESS: undefined };
  const demo = spawnSync('node', [join(projectRoot, 'dist/demo/main.js'), '--scale', '0.02'], {
    encoding: 'utf8',
    env,
    cwd: projectRoot,
    ...PROGRAM_LIMIT,
  });
  expect(demo.stderr).not.toContain('error:');
  expect({ status: demo.status, signal: demo.signal }).toEqual({ status: 0, signal: null });
  expect(demo.stdout).toContain('All answers equal plain SQL over the raw file.');
});
