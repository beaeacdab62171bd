/**
 * Folds of small writes that die, or whose catalog answers late, twice or not at all, at an access: started anew they end, every online value
 * and every row is as computed by hand, and a sweep leaves no file that no snapshot names. Every fifth point is tried, with
 * `MORAINE_CRASH_POINTS=all` every one.
 */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseTableName } from '../../catalogs/index.js';
import { deleteRows } from '../../deletes/index.js';
import { bindExpression, currentSchema, parseExpression } from '../../iceberg/index.js';
import {
  type CompactRequest,
  commitCompaction,
  endCompaction,
  planCompaction,
  type RewrittenGroup,
  rewriteGroup,
  sweepOrphans,
} from '../../maintenance/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { getOnlineFeatures, writeOnlineBatch } from '../../online/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, leasesOf, readManifestEntries, readSnapshotManifests, type Table } from '../../tables/index.js';
import { type CrashingRun, type CrashLab, type CrashSite, crashLabs, rowsOf } from '../support/crash-lab.js';
import { maintenanceDepsAt, materializationDepsAt } from '../support/crash-site-deps.js';
import { expectIntact } from '../support/intact-table.js';
import { SOURCE, SOURCE_SCHEMA, VIEW } from '../support/materialization-lab.js';
import { upTo } from '../support/up-to.js';

const LIMIT_MS = 1_800_000;
const EVERY = process.env['MORAINE_CRASH_POINTS'] === 'all' ? 1 : 5;
const ONLINE = `moraine_online.${VIEW.name}`;
const NOW_US = 1_000_000n * 1_000_000n;

/** Key, second and value. */
type Row = readonly [k: number, at: number, v: number];

async function push(site: CrashSite, rows: readonly Row[]): Promise<void> {
  const values = rows.map(([k, at, v]) => `(${k}::BIGINT, ${v}::DOUBLE, make_timestamptz(${at * 1e6}), NULL)`);
  const open = () => Promise.resolve(`SELECT * FROM (VALUES ${values.join(', ')}) AS t(k, v, event_ts, created)`);
  await writeOnlineBatch(materializationDepsAt(site), { view: VIEW.name, open });
}

/**
 * Rows of a run in two buckets; four more of key 1, which are files of its bucket; three small writes of keys 0 to 5, of the last of which the
 * row of key 3 is deleted.
 */
async function filled(openLab: () => Promise<CrashLab>, entities: number): Promise<CrashLab> {
  const lab = await openLab();
  const site = lab.site();
  const { identifier } = parseTableName(SOURCE);
  await site.catalog.createNamespace(identifier.namespace);
  await site.catalog.createTable(identifier, { schema: SOURCE_SCHEMA });
  const source = await site.loadTable(SOURCE);
  const select = `SELECT i::BIGINT, make_timestamptz(10000000), NULL::TIMESTAMPTZ, i::DOUBLE FROM range(${entities}) t(i)`;
  const files = await site.engine.withConnection((connection) =>
    stageRows(connection, source, { select, namePrefix: randomUUID() }),
  );
  await commitAppend(source, { files });
  await materializeDirect(materializationDepsAt(site), { view: VIEW.name, nowUs: NOW_US });
  for (const row of ONE_BY_ONE) await push(site, [row]);
  for (const rows of SMALL_WRITES) await push(site, rows);
  const online = await site.loadTable(ONLINE);
  const filter = bindExpression(
    parseExpression(`event_timestamp = '1970-01-01T00:01:03Z'`),
    currentSchema(online.metadata),
  );
  await site.engine.withConnection((connection) => deleteRows(online, connection, { filter }));
  return lab;
}

const ONE_BY_ONE: readonly Row[] = [21, 22, 23, 24].map((at) => [1, at, at * 100]);
const SMALL_WRITES: readonly (readonly Row[])[] = [40, 50, 60].map((at) =>
  upTo(6).map((k) => [k, at + k, at * 100 + k]),
);
const DELETED = '3|63|6003';
/** Of the small writes, what is the newest of each key. */
const NEWEST_SMALL: readonly Row[] = [
  [0, 60, 6000],
  [1, 61, 6001],
  [2, 62, 6002],
  [3, 53, 5003],
  [4, 64, 6004],
  [5, 65, 6005],
];
const OF_RUN = (entities: number): readonly Row[] => upTo(entities).map((k) => [k, 10, k]);

interface Scenario {
  readonly name: string;
  readonly strategy: CompactRequest['strategy'];
  readonly entities: number;
  /** Commits of a compaction that nothing disturbs. */
  readonly commits: number;
  readonly rows: readonly Row[];
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'small writes into one, and a bucket, by latest',
    ...{ strategy: 'latest', entities: 40, commits: 2 },
    rows: [...OF_RUN(40).filter(([k]) => k !== 1), [1, 24, 2400], ...NEWEST_SMALL],
  },
  {
    name: 'the whole table into buckets, by latest',
    ...{ strategy: 'latest', entities: 10, commits: 1 },
    rows: [...OF_RUN(10).filter(([k]) => k > 5), ...NEWEST_SMALL],
  },
  {
    name: 'small writes into buckets, and a bucket, by binpack',
    ...{ strategy: 'binpack', entities: 10, commits: 2 },
    rows: [...OF_RUN(10), ...ONE_BY_ONE, ...SMALL_WRITES.flat()],
  },
];

const fold =
  (strategy: CompactRequest['strategy']): CrashingRun =>
  async (site, history) => {
    const deps = materializationDepsAt(site);
    for (;;) {
      const runId = await history.step('run', () => Promise.resolve(randomUUID()));
      const request = { table: ONLINE, strategy };
      const plan = await history.step('plan', () => planCompaction(deps, request, { runId, nowUs: NOW_US }));
      const { planLocation } = plan;
      const groups: RewrittenGroup[] = [];
      for (let group = 0; planLocation !== null && group < plan.groups; group++) {
        groups.push(await history.step(`group ${group}`, () => rewriteGroup(deps, planLocation, group)));
      }
      const conflicts =
        planLocation === null
          ? []
          : await history.step('commit', async () => (await commitCompaction(deps, planLocation, groups)).conflicts);
      await history.step('end', () => endCompaction(deps, ONLINE, runId));
      if (conflicts.length === 0) return;
      history.clear();
    }
  };

const textOf = (rows: readonly Row[]): readonly string[] =>
  rows
    .map((row) => row.join('|'))
    .filter((row) => row !== DELETED)
    .toSorted();

/** Values, rows and files are as they must be. */
async function expectFolded(lab: CrashLab, { entities, rows, commits }: Scenario): Promise<void> {
  const site = lab.site();
  const table = await site.loadTable(ONLINE);
  const read = { view: VIEW.name, entities: upTo(entities).map((k) => ({ k })), nowUs: NOW_US, readTimeoutMs: 60_000 };
  const served = (await getOnlineFeatures(materializationDepsAt(site), read)).rows.map(([value]) => value?.value);
  expect(served).toEqual(upTo(entities).map((k) => NEWEST_SMALL[k]?.[2] ?? k));
  const live = await rowsOf(site, table, 'SELECT k, epoch(event_timestamp)::BIGINT, v::BIGINT FROM rows');
  expect(live.map((row) => row.join('|')).toSorted()).toEqual(textOf(rows));
  const replaced = table.metadata.snapshots.filter(({ summary }) => summary.get('operation') === 'replace');
  expect(replaced).toHaveLength(commits);
  expect(leasesOf(table.metadata)).toEqual([]);
  await sweep(site);
  await expectIntact(table);
  expect(await storedFiles(site, table)).toEqual(await namedFiles(table));
}

async function sweep(site: CrashSite): Promise<void> {
  await sweepOrphans(maintenanceDepsAt(site, ONLINE), ONLINE, { olderThanMs: 0n, allowYoung: true });
}

async function storedFiles({ io }: CrashSite, { metadata }: Table): Promise<readonly string[]> {
  const { files } = await io.listPage(`${metadata.location}/data`, { maxFiles: 10_000 });
  return files.map(({ location }) => location).toSorted();
}

/** Data and delete files of all snapshots. */
async function namedFiles({ io, metadata }: Table): Promise<readonly string[]> {
  const named = new Set<string>();
  for (const snapshot of metadata.snapshots) {
    for (const manifest of await readSnapshotManifests(io, snapshot)) {
      for (const { status, dataFile } of await readManifestEntries(io, metadata, manifest))
        if (status !== 'deleted') named.add(dataFile.filePath);
    }
  }
  return [...named].toSorted();
}

const openLab = crashLabs();

test.each(SCENARIOS)(
  'a fold of $name survives',
  async (scenario) => {
    const lab = await filled(openLab, scenario.entities);
    const points = await lab.survive(fold(scenario.strategy), () => expectFolded(lab, scenario), { every: EVERY });
    process.stdout.write(`crash points of a fold of ${scenario.name}: ${points}\n`);
    expect(points).toBeGreaterThan(40 / EVERY);
  },
  LIMIT_MS,
);
