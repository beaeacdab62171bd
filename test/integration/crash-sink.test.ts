/**
 * A sink whose process dies at an access to files, catalog or query engine, or whose catalog answers late, twice or not at all, at every one of them: the next
 * process goes on from the host's last checkpoint, each record is in the table once, and every snapshot has whole batches.
 */
import { expect, test } from 'vitest';
import { type Engine, quoteLiteral } from '../../engine/index.js';
import { currentSchema, type Snapshot } from '../../iceberg/index.js';
import { IcebergSink, type SinkSnapshot } from '../../sink/index.js';
import { planFiles, type Table } from '../../tables/index.js';
import { type CrashingRun, type CrashLab, crashLabs } from '../support/crash-lab.js';
import { expectIntact } from '../support/intact-table.js';
import { span } from '../support/sink-world.js';
import { FIXTURE_TABLE, IDENTIFIER } from '../support/table-fixture.js';
import { upTo } from '../support/up-to.js';

const LIMIT_MS = 1_800_000;
const openLab = crashLabs();
/** Records of each partition of the source in a batch, and batches. */
const [STEP, BATCHES] = [4, 3];
/** The second partition's ids begin here. */
const SECOND = 1000;

/** Two batches by way of the host's checkpoints, that of the sink and those of its writers, and one that is committed at once. */
const stream: CrashingRun = async ({ catalog, io, engine }, history) => {
  const manual = { batchSize: Infinity, batchIntervalMs: Infinity, numPartitions: 2 };
  const sink = await IcebergSink.open({ catalog, io, engine }, { table: IDENTIFIER, name: 's', ...manual });
  const write = async (batch: number): Promise<void> => {
    const [from, to] = [batch * STEP, (batch + 1) * STEP];
    await sink.writer(0).writeBatch(...span('a', from, to));
    await sink.writer(1).writeBatch(...span('b', SECOND + from, SECOND + to));
  };
  for (const batch of upTo(BATCHES - 1)) {
    const states = await history.step(`checkpoint ${batch}`, async () => {
      await write(batch);
      const taken: SinkSnapshot[] = [];
      if (batch === 0) taken.push(await sink.snapshot());
      else for (const writer of sink.writers) taken.push(await writer.snapshot());
      return JSON.parse(JSON.stringify(taken)) as readonly SinkSnapshot[];
    });
    await history.step(`commit ${batch}`, () => sink.commit(states));
  }
  await history.step('flush', async () => {
    await write(BATCHES - 1);
    await sink.flush();
  });
  await sink.close();
};

/** Ids of the rows of a snapshot, sorted. */
async function idsOf(engine: Engine, table: Table, snapshot: Snapshot): Promise<readonly number[]> {
  const { files } = await planFiles(table, { snapshot, schema: currentSchema(table.metadata) });
  const paths = files.map(({ file }) => quoteLiteral(file.filePath)).join(', ');
  if (paths === '') return [];
  const sql = `SELECT id FROM read_parquet([${paths}], hive_partitioning = false) ORDER BY id`;
  const rows = await engine.withConnection((connection) => connection.rows(sql));
  return rows.map(([id]) => Number(id));
}

async function expectWhole(lab: CrashLab): Promise<void> {
  const site = lab.site();
  const table = await site.loadTable(IDENTIFIER.namespace.concat(IDENTIFIER.name).join('.'));
  await expectIntact(table);
  const lengths: number[] = [];
  for (const snapshot of table.metadata.snapshots) {
    const ids = await idsOf(site.engine, table, snapshot);
    const count = ids.length / 2;
    expect(ids).toEqual([...upTo(count), ...upTo(count).map((id) => SECOND + id)]);
    if (snapshot.summary.get('added-data-files') !== undefined) lengths.push(count);
  }
  expect(lengths).toEqual(upTo(BATCHES).map((batch) => (batch + 1) * STEP));
}

test(
  'a sink survives every point of its run',
  async () => {
    const lab = await openLab();
    const { catalog } = lab.site();
    await catalog.createNamespace(IDENTIFIER.namespace);
    const properties = new Map([['commit.status-check.num-retries', '1']]);
    await catalog.createTable(IDENTIFIER, { ...FIXTURE_TABLE, properties });
    const points = await lab.survive(stream, () => expectWhole(lab));
    process.stdout.write(`crash points of a sink: ${points}\n`);
    expect(points).toBeGreaterThan(60);
  },
  LIMIT_MS,
);
