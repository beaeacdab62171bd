/**
 * The growth of a warehouse by hourly runs: rows arrive, a view is materialized, and once a day the tables are maintained by a policy of defaults.
 * Time is squeezed: an hour is as long as its run takes, and ages of days are counted in hours of that length.
 */
import { randomUUID } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Catalog, withTableDefaults } from '../../catalogs/index.js';
import { parseSchema } from '../../iceberg/index.js';
import {
  commitExpiry,
  compactDirect,
  deleteExpiredFiles,
  type MaintenancePolicy,
  planPolicyRuns,
  stageExpiry,
  sweepOrphans,
  type TableState,
  tableHealth,
  tidyManifests,
} from '../../maintenance/index.js';
import { materializeDirect } from '../../materialization/index.js';
import {
  compactDeps,
  maintenanceDeps,
  materializationDeps,
  openProject,
  type Project,
  tableNames,
} from '../../project/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, loadTable } from '../../tables/index.js';
import { type BenchJob, type BenchSize, figure } from '../job.js';
import { FEATURES, registerView } from '../world.js';

const NAME = 'growth';
const RUNS: Readonly<Record<BenchSize, number>> = { S: 60, M: 700 };
const FIRST_ROWS = 300_000;
const ROWS_PER_RUN = 250;
const ENTITIES = 10_000;
const HOURS_PER_DAY = 24;
const SNAPSHOT_AGE_HOURS = 5 * HOURS_PER_DAY;
const ORPHAN_AGE_HOURS = 3 * HOURS_PER_DAY;
/** The policy of docs/operations.md, with every default: online tables keep one row of each entity. */
const POLICIES: readonly MaintenancePolicy[] = [
  {
    tables: 'moraine_online.*',
    compact: { strategy: 'latest', amplification: 4, deleteRatio: 0.3 },
    maintain: {},
    budgetBytes: 10 * 2 ** 30,
  },
  {
    tables: '*',
    compact: { strategy: 'binpack', amplification: 4, deleteRatio: 0.3 },
    maintain: {},
    budgetBytes: 10 * 2 ** 30,
  },
];

const SOURCE = { namespace: ['bench'], name: 'hourly' };
const TYPES: Readonly<Record<string, string>> = {
  entity_id: 'long',
  event_ts: 'timestamp',
  ...Object.fromEntries(FEATURES.map((feature) => [feature, 'double'])),
};

async function makeSource(project: Project): Promise<Catalog> {
  const catalog = await project.catalog();
  await catalog.createNamespace(SOURCE.namespace);
  const fields = Object.entries(TYPES).map(([name, type], index) => ({ id: index + 1, name, required: false, type }));
  const schema = parseSchema({ type: 'struct', 'schema-id': 0, fields });
  await catalog.createTable(SOURCE, withTableDefaults({ schema }));
  await registerView(project, SOURCE.name);
  return catalog;
}

/** Rows `from` to `to`, one a second: later rows are newer. */
async function append(project: Project, from: number, to: number): Promise<void> {
  const table = await loadTable(await project.catalog(), project.io, SOURCE);
  const values = FEATURES.map((_, index) => `(hash(n + ${index + 2}000000000) % 1000000)::DOUBLE / 7`);
  const select = `SELECT (hash(n) % ${ENTITIES})::BIGINT, TIMESTAMP '2026-01-01' + n * INTERVAL 1 SECOND, ${values.join(', ')}
    FROM range(${from}, ${to}) t(n)`;
  const engine = await project.engine();
  const files = await engine.withConnection((connection) =>
    stageRows(connection, table, { select, namePrefix: randomUUID() }),
  );
  await commitAppend(table, { files });
}

async function states(project: Project): Promise<readonly TableState[]> {
  const found: TableState[] = [];
  for await (const name of tableNames(project)) {
    const table = [...name.identifier.namespace, name.identifier.name].join('.');
    found.push({ table, health: await tableHealth(await project.loadTable(table), BigInt(Date.now())) });
  }
  return found;
}

/** The work of the workflow `maintainTables`. @param hours when each run began */
async function maintain(project: Project, hours: readonly number[]): Promise<void> {
  const deps = maintenanceDeps(project);
  const ageOf = (count: number): bigint => BigInt(Date.now() - (hours.at(-count) ?? 0));
  for (const { table, compact } of planPolicyRuns(POLICIES, await states(project))) {
    if (compact !== undefined) await compactDirect(await compactDeps(project), { table, ...compact });
    const { planLocation } = await stageExpiry(deps, table, { olderThanMs: ageOf(SNAPSHOT_AGE_HOURS) });
    if (planLocation !== null) {
      await commitExpiry(deps, table, planLocation);
      await deleteExpiredFiles(deps, table, planLocation);
    }
    await sweepOrphans(deps, table, { olderThanMs: ageOf(ORPHAN_AGE_HOURS), allowYoung: true });
    await tidyManifests(deps, table);
  }
}

/** Bytes of a folder's files: of all, and of those in folders called `metadata`. */
function bytesIn(folder: string): { readonly all: number; readonly metadata: number } {
  let [all, metadata] = [0, 0];
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const { size } = statSync(join(entry.parentPath, entry.name));
    all += size;
    if (entry.parentPath.endsWith('/metadata')) metadata += size;
  }
  return { all, metadata };
}

interface Weight {
  readonly all: number;
  readonly metadata: number;
  /** Bytes of the data files that current snapshots list. */
  readonly live: number;
}

async function weigh(project: Project, folder: string): Promise<Weight> {
  const live = (await states(project)).reduce((sum, { health }) => sum + Number(health.dataBytes), 0);
  return { ...bytesIn(join(folder, 'warehouse')), live };
}

export const growth: BenchJob = {
  name: NAME,
  title:
    'Hourly incremental runs, with the daily maintenance of a policy of defaults: what the warehouse holds beside its live data.',
  runs: 1,
  prepare: () => Promise.resolve(),
  variants: {
    async ours(context, measure) {
      const runs = RUNS[context.size];
      const project = await openProject({ cwd: context.scratchFolder, config: {} });
      await makeSource(project);
      const deps = await materializationDeps(project);
      await append(project, 0, FIRST_ROWS);
      const hours: number[] = [];
      let half: Weight = { all: 0, metadata: 0, live: 0 };
      await measure(async () => {
        for (let run = 1; run <= runs; run++) {
          hours.push(Date.now());
          const from = FIRST_ROWS + (run - 1) * ROWS_PER_RUN;
          await append(project, from, from + ROWS_PER_RUN);
          await materializeDirect(deps, { view: SOURCE.name });
          if (run % HOURS_PER_DAY === 0) await maintain(project, hours);
          if (run === runs / 2) half = await weigh(project, context.scratchFolder);
        }
      });
      const end = await weigh(project, context.scratchFolder);
      await project.close();
      return {
        all: end.all / 1e6,
        metadata: end.metadata / 1e6,
        live: end.live / 1e6,
        slope: (end.all - half.all) / (runs / 2) / 1e3,
        liveSlope: (end.live - half.live) / (runs / 2) / 1e3,
      };
    },
  },
  figures(medians, size) {
    const extra = medians['ours']?.extra ?? {};
    const { all = Number.NaN, metadata = Number.NaN, live = Number.NaN } = extra;
    const { slope = Number.NaN, liveSlope = Number.NaN } = extra;
    return [
      figure(NAME, size, `warehouse after ${RUNS[size]} hourly runs over its live data`, all, 'MB', {
        floor: live,
        atMost: 3,
      }),
      figure(NAME, size, `metadata after ${RUNS[size]} hourly runs`, metadata, 'MB'),
      figure(NAME, size, 'growth of the warehouse per run, in the second half', slope, 'kB'),
      figure(NAME, size, 'growth of the live data per run, in the second half', liveSlope, 'kB'),
    ];
  },
};
