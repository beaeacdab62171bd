/**
 * Compaction and maintenance that die, or whose catalog answers late, twice or not at all, at every single access: started anew,
 * they end, and the table holds what it held.
 */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseTableName } from '../../catalogs/index.js';
import {
  commitCompaction,
  commitExpiry,
  deleteExpiredFiles,
  endCompaction,
  planCompaction,
  type RewrittenGroup,
  rewriteGroup,
  stageExpiry,
  sweepOrphans,
  tidyManifests,
} from '../../maintenance/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, leasesOf, type Table } from '../../tables/index.js';
import { filesOf } from '../support/compaction-lab.js';
import { type CrashingRun, type CrashLab, type CrashSite, crashLabs, rowsOf } from '../support/crash-lab.js';
import { maintenanceDepsAt } from '../support/crash-site-deps.js';
import { expectIntact } from '../support/intact-table.js';
import { SOURCE, SOURCE_SCHEMA } from '../support/materialization-lab.js';

/** On S3 every access is a request. */
const LIMIT_MS = 900_000;
const NOTHING_DEFINED = { entities: new Map(), featureViews: new Map(), featureServices: new Map() };

async function appendRows(site: CrashSite, first: number): Promise<void> {
  const table = await site.loadTable(SOURCE);
  const select = `SELECT i::BIGINT, make_timestamptz(i * 1000000), NULL::TIMESTAMPTZ, i::DOUBLE FROM range(${first}, ${first + 5}) t(i)`;
  const files = await site.engine.withConnection((connection) =>
    stageRows(connection, table, { select, namePrefix: randomUUID() }),
  );
  await commitAppend(table, { files });
}

/** A table of six small files, in six snapshots. */
async function filled(openLab: () => Promise<CrashLab>): Promise<CrashLab> {
  const lab = await openLab();
  const site = lab.site();
  const { identifier } = parseTableName(SOURCE);
  await site.catalog.createNamespace(identifier.namespace);
  await site.catalog.createTable(identifier, { schema: SOURCE_SCHEMA });
  for (let i = 0; i < 6; i++) await appendRows(site, i * 5);
  return lab;
}

/** Each of the 30 rows is there once, and so is every file of every snapshot. Returns the table. */
async function expectRows(lab: CrashLab): Promise<Table> {
  const site = lab.site();
  const table = await site.loadTable(SOURCE);
  const rows = await rowsOf(site, table, 'SELECT k FROM rows ORDER BY k');
  expect(rows).toEqual(Array.from({ length: 30 }, (_, i) => [BigInt(i)]));
  await expectIntact(table);
  return table;
}

const compact: CrashingRun = async (site, history) => {
  const deps = { ...site, definitions: () => Promise.resolve(NOTHING_DEFINED) };
  const runId = await history.step('run', () => Promise.resolve(randomUUID()));
  const request = { table: SOURCE, strategy: 'binpack' as const };
  const plan = await history.step('plan', () => planCompaction(deps, request, { runId }));
  const { planLocation } = plan;
  if (planLocation !== null) {
    const groups: RewrittenGroup[] = [];
    for (let group = 0; group < plan.groups; group++) {
      groups.push(await history.step(`group ${group}`, () => rewriteGroup(deps, planLocation, group)));
    }
    const { conflicts } = await history.step('commit', () => commitCompaction(deps, planLocation, groups));
    expect(conflicts).toEqual([]);
  }
  await history.step('end', () => endCompaction(deps, SOURCE, runId));
};

const openLab = crashLabs();
const openLabOnS3 = crashLabs('S3');

async function expectCompactionSurvives(lab: CrashLab, every: number): Promise<number> {
  const expectCompacted = async (): Promise<void> => {
    const table = await expectRows(lab);
    expect(await filesOf(table)).toHaveLength(1);
    expect(table.metadata.snapshots.map(({ summary }) => summary.get('operation'))).toEqual([
      ...Array.from({ length: 6 }, () => 'append'),
      'replace',
    ]);
    expect(leasesOf(table.metadata)).toEqual([]);
  };
  return await lab.survive(compact, expectCompacted, { every });
}

test(
  'compaction survives every point',
  async () => {
    const points = await expectCompactionSurvives(await filled(openLab), 1);
    process.stdout.write(`crash points of compaction: ${points}\n`);
    expect(points).toBeGreaterThan(40);
  },
  LIMIT_MS,
);

test(
  'compaction on S3 survives every sixth point',
  async () => {
    expect(await expectCompactionSurvives(await filled(openLabOnS3), 6)).toBeGreaterThan(8);
  },
  LIMIT_MS,
);

const DAY_MS = 86_400_000n;

const maintain: CrashingRun = async (site, history) => {
  const deps = maintenanceDepsAt(site, SOURCE);
  const settings = { olderThanMs: 0n, retainLast: 2 };
  const { planLocation } = await history.step('plan', () => stageExpiry(deps, SOURCE, settings));
  if (planLocation !== null) {
    await history.step('expire', () => commitExpiry(deps, SOURCE, planLocation));
    await history.step('files', () => deleteExpiredFiles(deps, SOURCE, planLocation));
  }
  await history.step('tidy', () => tidyManifests(deps, SOURCE));
  await history.step('sweep', () => sweepOrphans(deps, SOURCE, { olderThanMs: DAY_MS }));
};

test(
  'maintenance survives every point, and takes nothing young',
  async () => {
    const lab = await filled(openLab);
    await lab.run(compact, null); // so that expired snapshots leave files behind
    const { metadata } = await lab.site().loadTable(SOURCE);
    const young = `${metadata.location}/data/of-a-run-in-flight.parquet`;
    await lab.site().io.create(young, new Uint8Array(1));
    const points = await lab.survive(maintain, async () => {
      const table = await expectRows(lab);
      expect((await lab.site().io.stat(young)).sizeBytes).toBe(1);
      expect(await filesOf(table)).toHaveLength(1);
      expect(table.metadata.snapshots.length).toBeLessThanOrEqual(3);
    });
    process.stdout.write(`crash points of maintenance: ${points}\n`);
    expect(points).toBeGreaterThan(40);
  },
  LIMIT_MS,
);
