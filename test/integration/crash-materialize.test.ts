/**
 * A materialization or backfill that dies, or whose catalog answers late, twice or not at all, at every single access to files, catalog and
 * query engine: started anew, it ends with the right rows, once.
 */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { planBackfill, readBackfillPlan, segmentPage, stageSegment, storeBackfillPlan } from '../../backfill/index.js';
import { parseTableName } from '../../catalogs/index.js';
import { isMoraineError } from '../../errors/index.js';
import {
  commitMaterialization,
  commitWindows,
  discardReducedRows,
  extractShard,
  planMaterialization,
  reducePart,
  type StagedWindow,
} from '../../materialization/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, commitOverwrite, loadTable, planFiles, selectSnapshot } from '../../tables/index.js';
import type { Access } from '../simulation/gate.js';
import { type CrashingRun, type CrashLab, type CrashSite, crashLabs, rowsOf } from '../support/crash-lab.js';
import { materializationDepsAt } from '../support/crash-site-deps.js';
import { expectIntact } from '../support/intact-table.js';
import { SOURCE, SOURCE_SCHEMA, VIEW } from '../support/materialization-lab.js';

const ONLINE = { namespace: ['moraine_online'], name: VIEW.name };

const STEP_US = 10_000_000n;
/** Two windows that hold all rows of the source. */
const RANGE = { view: VIEW.name, startUs: 0n, endUs: 2n * STEP_US, stepUs: STEP_US };

/** A backfill: a stored plan, its windows one by one, and one commit for all of them. */
const backfill: CrashingRun = async (site, history) => {
  const deps = materializationDepsAt(site);
  const planLocation = await history.step('plan', async () => storeBackfillPlan(deps, await planBackfill(deps, RANGE)));
  const { segments } = await history.step('segments', async () =>
    segmentPage(await readBackfillPlan(site.io, planLocation), 0, 500),
  );
  for (;;) {
    const staged: StagedWindow[] = [];
    for (const { first, last } of segments) {
      const window = { view: VIEW.name, startUs: BigInt(first) * STEP_US, endUs: BigInt(last + 1) * STEP_US };
      const segment = await history.step(`window ${first}`, () => stageSegment(deps, window));
      if (segment.kind === 'staged') staged.push(segment.window);
    }
    const { outcomes } = await history.step('commit', () => commitWindows(deps, staged));
    if (!outcomes.includes('stale')) return;
    history.clear();
  }
};

/** The steps of the workflow, with the history that its server would keep. */
const materializeIn =
  (shards: number): CrashingRun =>
  async (site, history) => {
    const deps = materializationDepsAt(site);
    for (;;) {
      const plan = await history.step('plan', () =>
        planMaterialization(deps, { view: VIEW.name, attemptId: randomUUID(), shards }),
      );
      const { planLocation, reduction } = plan;
      if (planLocation === null) return;
      const lists: string[] = [];
      for (let part = 0; part < (reduction?.parts ?? 0); part++) {
        const { reducedLocation } = await history.step(`part ${part}`, () => reducePart(deps, planLocation, part));
        if (reducedLocation !== null) lists.push(reducedLocation);
      }
      const reduced = reduction === null ? undefined : lists;
      const manifests: string[] = [];
      for (let shard = 0; shard < plan.shards; shard++) {
        const extract = () => extractShard(deps, planLocation, shard, { reduced });
        const { manifestLocation } = await history.step(`shard ${shard}`, extract);
        if (manifestLocation !== null) manifests.push(manifestLocation);
      }
      await history.step('discard', () => discardReducedRows(deps.io, planLocation, lists));
      try {
        await history.step('commit', () => commitMaterialization(deps, planLocation, manifests));
        return;
      } catch (error) {
        if (!isMoraineError(error, 'COMMIT_CONFLICT')) throw error;
        history.clear();
      }
    }
  };

const materialize = materializeIn(1);

async function write(site: CrashSite, select: string) {
  const table = await site.loadTable(SOURCE);
  return site.engine.withConnection((connection) => stageRows(connection, table, { select, namePrefix: randomUUID() }));
}

/** Rows of 10 keys, each row with a value of its own. */
const rowsFrom = (first: number, count: number) =>
  `SELECT (i % 10)::BIGINT, make_timestamptz(i * 1000000), NULL::TIMESTAMPTZ, i::DOUBLE FROM range(${first}, ${first + count}) t(i)`;

const NEWEST = 'SELECT k, epoch(max(event_ts))::BIGINT, max_by(v, event_ts) FROM rows GROUP BY k ORDER BY ALL';
const SERVED = `SELECT k, epoch(max(event_timestamp))::BIGINT, max_by(v, event_timestamp) FROM rows GROUP BY k ORDER BY ALL`;

/** The online table serves the newest row of each key, every run key has one commit, and every snapshot's files are there. */
async function expectWhole(lab: CrashLab, runs: number): Promise<void> {
  const site = lab.site();
  const online = await loadTable(site.catalog, site.io, ONLINE);
  expect(await rowsOf(site, online, SERVED)).toEqual(await rowsOf(site, await site.loadTable(SOURCE), NEWEST));
  const keys = online.metadata.snapshots.map(({ summary }) => summary.get('moraine.run-key'));
  expect(keys).toHaveLength(runs);
  expect(new Set(keys).size).toBe(runs);
  await expectIntact(online);
}

interface Scenario {
  readonly name: string;
  readonly prepare: (lab: CrashLab) => Promise<void>;
  readonly run: CrashingRun;
  readonly runs: number;
  /** So many-th of the points are tried; all unless given. */
  readonly every?: number;
}

const append = async (lab: CrashLab, first: number): Promise<void> => {
  const site = lab.site();
  await commitAppend(await site.loadTable(SOURCE), { files: await write(site, rowsFrom(first, 20)) });
};

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'the first run, which creates the online table',
    prepare: (lab) => append(lab, 0),
    run: materialize,
    runs: 1,
  },
  {
    name: 'a run that reads its source in two parts',
    prepare: async (lab) => {
      await append(lab, 0);
      await append(lab, 100);
    },
    run: materializeIn(2),
    runs: 1,
    every: 2,
  },
  { name: 'a backfill of two windows', prepare: (lab) => append(lab, 0), run: backfill, runs: 1 },
  {
    name: 'a run over what was appended',
    prepare: async (lab) => {
      await append(lab, 0);
      await lab.run(materialize, null);
      await append(lab, 100);
    },
    run: materialize,
    runs: 2,
  },
  {
    name: 'a run that rebuilds buckets after an overwrite of the source',
    prepare: async (lab) => {
      await append(lab, 0);
      await lab.run(materialize, null);
      const site = lab.site();
      const source = await site.loadTable(SOURCE);
      const { files } = await planFiles(source, selectSnapshot(source.metadata));
      await commitOverwrite(source, {
        removeFiles: files.map(({ file }) => file.filePath),
        files: await write(site, rowsFrom(0, 15)),
      });
    },
    run: materialize,
    runs: 2,
  },
];

const crashLab = crashLabs();

async function openLab(prepare: Scenario['prepare']): Promise<CrashLab> {
  const lab = await crashLab();
  const { catalog } = lab.site();
  const { identifier } = parseTableName(SOURCE);
  await catalog.createNamespace(identifier.namespace);
  await catalog.createTable(identifier, { schema: SOURCE_SCHEMA });
  await prepare(lab);
  return lab;
}

test.each(SCENARIOS)(
  '$name survives every point',
  async ({ name, prepare, run, runs, every = 1 }) => {
    const lab = await openLab(prepare);
    const points = await lab.survive(run, () => expectWhole(lab, runs), { every });
    process.stdout.write(`crash points of ${name}: ${points}\n`);
    expect(points).toBeGreaterThan(30);
  },
  900_000,
);

const isChange = ({ operation }: Access): boolean => operation === 'change';

test('a run that cleans up after an unknown outcome does not survive', async () => {
  const lab = await openLab((opened) => append(opened, 0));
  const careless: CrashingRun = async (site, history) => {
    const created: string[] = [];
    const create = site.io.create.bind(site.io);
    site.io.create = (location, content) => {
      if (location.includes('snap-')) created.push(location);
      return create(location, content);
    };
    await materialize(site, history).catch(async (error: unknown) => {
      if (isMoraineError(error, 'COMMIT_STATE_UNKNOWN')) await Promise.all(created.map((each) => site.io.delete(each)));
      throw error;
    });
  };
  await expect(lab.survive(careless, () => expectWhole(lab, 1), { isPoint: isChange })).rejects.toThrow(
    /late access \d+, change swap/,
  );
}, 900_000);
