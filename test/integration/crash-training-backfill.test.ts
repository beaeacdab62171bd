/**
 * The backfill of a training set that dies, or whose catalog answers late, twice or not at all, at every single access to files, catalog and
 * query engine: started anew, it ends with each window's rows once, and one dataset.
 */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  commitTrainingWindows,
  planTrainingBackfill,
  readBackfillPlan,
  type StagedTrainingWindow,
  segmentPage,
  stageTrainingWindow,
  storeTrainingBackfillPlan,
  type TrainingBackfillPlan,
  windowAt,
} from '../../backfill/index.js';
import { parseTableName } from '../../catalogs/index.js';
import { DatasetRegistry } from '../../features/index.js';
import { type Schema } from '../../iceberg/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, WINDOW_KEYS } from '../../tables/index.js';
import { parseTrainingSetRequest, type TrainingDeps } from '../../training/index.js';
import { type CrashingRun, type CrashLab, type CrashSite, crashLabs, rowsOf } from '../support/crash-lab.js';
import { IS_LONG_FORM } from '../support/environment.js';
import { expectIntact } from '../support/intact-table.js';
import { SOURCE, SOURCE_SCHEMA, VIEW } from '../support/materialization-lab.js';

const LABELS = 'demo.labels';
const SET = 'demo.march';
const LABEL_SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: 1, name: 'k', required: false, type: { kind: 'long' } },
    { id: 2, name: 'event_timestamp', required: false, type: { kind: 'timestamptz' } },
  ],
};
/** Every second the value of one key; and a label of each key, ten seconds later, one a second. */
const READINGS = 'SELECT i % 10, make_timestamptz(i * 1000000), NULL::TIMESTAMPTZ, i::DOUBLE FROM range(20) t(i)';
const LABEL_ROWS = 'SELECT i % 10, make_timestamptz(i * 1000000) FROM range(10, 20) t(i)';
/** Each label has the reading of its own second. */
const EXPECTED = Array.from({ length: 10 }, (_, i) => [i, 10 + i]);

const STEP_US = 5_000_000n;
const RANGE = { startUs: 2n * STEP_US, endUs: 4n * STEP_US, stepUs: STEP_US };
const REQUEST = parseTrainingSetRequest({
  ...{ name: 'march', to: SET, features: [VIEW.name], entities: { table: LABELS } },
});

const depsOf = (site: CrashSite): TrainingDeps => ({
  ...site,
  definitions: () =>
    Promise.resolve({
      entities: new Map([['thing', { name: 'thing', joinKeys: ['k'] }]]),
      featureViews: new Map([[VIEW.name, VIEW]]),
      featureServices: new Map(),
    }),
  loadSource: (name) => site.loadTable(name),
  datasets: new DatasetRegistry({ ...site, table: { namespace: ['moraine'], name: 'datasets' } }),
  resolveTarget: (name) => Promise.resolve({ catalog: site.catalog, identifier: parseTableName(name).identifier }),
});

/** The steps of the workflow with two windows that are committed one by one. */
const backfill: CrashingRun = async (site, history) => {
  const deps = depsOf(site);
  const planLocation = await history.step('plan', async () =>
    storeTrainingBackfillPlan(deps, await planTrainingBackfill(deps, { trainingSet: REQUEST, ...RANGE })),
  );
  const plan = (await readBackfillPlan(site.io, planLocation)) as TrainingBackfillPlan;
  for (const { first, last } of segmentPage(plan, 0, 500).segments) {
    const staged = await history.step<StagedTrainingWindow | null>(`window ${first}`, () =>
      stageTrainingWindow(deps, plan, windowAt(plan, first, last)),
    );
    await history.step(`commit ${first}`, () => commitTrainingWindows(deps, plan, staged === null ? [] : [staged]));
  }
};

async function fill(site: CrashSite, name: string, schema: Schema, select: string): Promise<void> {
  await site.catalog.createTable(parseTableName(name).identifier, { schema });
  const made = await site.loadTable(name);
  const files = await site.engine.withConnection((connection) =>
    stageRows(connection, made, { select, namePrefix: randomUUID() }),
  );
  await commitAppend(made, { files });
}

/** The rows are those of the labels, each window has one commit, and there is one dataset. */
async function expectWhole(lab: CrashLab): Promise<void> {
  const site = lab.site();
  const table = await site.loadTable(SET);
  const rows = await rowsOf(site, table, 'SELECT k::DOUBLE, v FROM rows ORDER BY ALL');
  expect(rows).toEqual(EXPECTED);
  const keys = table.metadata.snapshots.map(({ summary }) => summary.get(WINDOW_KEYS));
  expect([keys.length, new Set(keys).size]).toEqual([2, 2]);
  await expectIntact(table);
  const saved = await depsOf(site).datasets.list();
  expect(saved.map(({ record: { name, rows: count } }) => [name, count])).toEqual([['march', 10n]]);
}

const openLab = crashLabs();

test('the backfill of a training set survives every point', async () => {
  const lab = await openLab();
  const site = lab.site();
  await site.catalog.createNamespace(['demo']);
  await fill(site, SOURCE, SOURCE_SCHEMA, READINGS);
  await fill(site, LABELS, LABEL_SCHEMA, LABEL_ROWS);
  const points = await lab.survive(backfill, () => expectWhole(lab), { every: IS_LONG_FORM ? 1 : 4 });
  process.stdout.write(`crash points of a training set: ${points}\n`);
  expect(points).toBeGreaterThan(40);
}, 900_000);
