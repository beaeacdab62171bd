/** A configured catalog that does not answer stops only what needs its tables. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { applyDefinitions } from '../../../client/index.js';
import { sweepOrphans } from '../../../maintenance/index.js';
import { maintenanceDeps, openProject } from '../../../project/index.js';
import { freePorts } from '../../../workers/server/free-ports.js';
import { failureOf } from '../../support/error-code.js';
import { SmallProject } from '../../support/small-project.js';

test('beside a silent catalog definitions are applied and rows are read; what deletes files names the catalog', async () => {
  const small = await SmallProject.create();
  await small.append(10);
  const { definitions } = await (await small.project.registry()).read();
  const [port] = await freePorts(1);
  writeFileSync(
    join(small.folder, 'moraine.yaml'),
    `catalogs:
  local: { uri: catalog.db, warehouse: warehouse }
  away: { type: rest, uri: "http://127.0.0.1:${port}/x" }
storage: { roots: [warehouse] }
engine: { memoryLimit: 500MB, threads: 2, tempDirectory: tmp }
`,
  );
  const project = await openProject({ cwd: small.folder });
  onTestFinished(() => project.close());
  const featureViews = new Map(definitions.featureViews);
  featureViews.set('again', { ...(featureViews.get(small.view) ?? expect.unreachable()), name: 'again' });
  const { plan } = await applyDefinitions(project, { ...definitions, featureViews }, { leaveSchedules: true });
  expect(plan.changes.filter(({ action }) => action === 'create').map(({ name }) => name)).toEqual(['again']);
  const sweep = sweepOrphans(maintenanceDeps(project), small.table, { olderThanMs: 0n, allowYoung: true });
  const refused = await failureOf(sweep);
  expect([refused.code, refused.message]).toEqual([
    'CATALOG_UNAVAILABLE',
    expect.stringMatching(
      /^Nothing is deleted while it is not known which files the tables of catalog away have: .*ECONNREFUSED.* If away is no longer used, take it out of moraine\.yaml\.$/,
    ),
  ]);
});
