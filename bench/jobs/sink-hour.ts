/** A sink that commits once a second for an hour, with compaction and expiry beside it: whether planning, committing and metadata stay as they were. */
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { jsonObjects } from '../../client/index.js';
import { parquetReader } from '../../engine/index.js';
import { currentSchema, currentSnapshot, parsePartitionSpec, parseSchema } from '../../iceberg/index.js';
import {
  compactDirect,
  type MaintenancePolicy,
  planPolicyRuns,
  tableHealth,
  tidyManifests,
} from '../../maintenance/index.js';
import { compactDeps, maintenanceDeps, type Project } from '../../project/index.js';
import { localPathsOf } from '../../scans/index.js';
import { IcebergSink } from '../../sink/index.js';
import { loadTable, planFiles, readSnapshotManifests } from '../../tables/index.js';
import { expireOnce } from '../../test/support/maintain-once.js';
import { forkProgram } from '../fork-program.js';
import { type BenchContext, type BenchJob, type BenchSize, figure } from '../job.js';
import { sleep } from '../online-source.js';
import { median } from '../percentile.js';
import { filesOf, openBenchProject } from '../world.js';

const NAME = 'sink-hour';
/** An hour is what the bar asks for: `MORAINE_SINK_HOUR_SECONDS=3600`. */
const secondsOf = (size: BenchSize): number =>
  Number(process.env['MORAINE_SINK_HOUR_SECONDS'] ?? { S: 20, M: 120 }[size]);
const ROWS = 100;
const COMMIT_INTERVAL_MS = 1_000;
const UPKEEP_INTERVAL_MS = 10_000;
/** Older snapshots expire; in a short run they would not, so it keeps them for a quarter of its time. */
const keptMsOf = (seconds: number): number => Math.min(60, seconds / 4) * 1_000;
/** Times are compared by the minute; a short run has two halves. */
const periodOf = (seconds: number): number => Math.min(60, seconds / 2);

const TABLE = { namespace: ['bench'], name: 'hour' } as const;
const TABLE_NAME = 'bench.hour';
const PARTITION = 'stream';
const COLUMNS = { id: 'long', device: 'string', at: 'timestamptz', temperature: 'double', ok: 'boolean' } as const;
const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: Object.entries(COLUMNS).map(([name, type], index) => ({ id: index + 1, name, required: false, type })),
});
const DAY_MS = 86_400_000;
/** Rows of a day: a day goes by in a thousand commits. */
const ROWS_PER_DAY = 100_000;
const FIRST_MS = Date.UTC(2026, 0, 1);
const POLICY: MaintenancePolicy = {
  tables: '*',
  compact: { strategy: 'binpack', amplification: 4, deleteRatio: 0.3 },
  budgetBytes: 10 * 2 ** 30,
};

/** What must hold at the end of every period. None is a time. */
const BOUNDS: Readonly<Record<keyof Weight, number>> = {
  metadataBytes: 250_000,
  manifests: 100,
  dataFiles: 100,
  snapshots: 150,
};

/** What the table's newest state lists. */
interface Weight {
  readonly metadataBytes: number;
  readonly manifests: number;
  readonly dataFiles: number;
  readonly snapshots: number;
}

/** Milliseconds. */
interface Took {
  readonly cpu: number;
  readonly wall: number;
}

interface Period extends Weight {
  readonly commit: Took;
  readonly plan: Took;
}

/** One record each; each hundredth is a day late. */
function recordsOf(from: number) {
  return Array.from({ length: ROWS }, (_, index) => {
    const id = from + index;
    const late = id % 100 === 0 ? DAY_MS : 0;
    const at = new Date(FIRST_MS + Math.floor((id * DAY_MS) / ROWS_PER_DAY) - late);
    return { id, device: `device-${(id * 7919) % 5000}`, at, temperature: (id % 40_000) / 1000, ok: id % 7 !== 0 };
  });
}

async function openSink(project: Project): Promise<IcebergSink> {
  const catalog = await project.catalog();
  const deps = { catalog, io: project.io, engine: await project.engine() };
  const manual = { batchSize: Infinity, batchIntervalMs: Infinity };
  return await IcebergSink.open(deps, { table: TABLE, name: 'hour', ...manual });
}

async function createTable(project: Project): Promise<void> {
  const catalog = await project.catalog();
  await catalog.createNamespace([...TABLE.namespace]);
  await catalog.createTable(TABLE, { schema: SCHEMA, partitionSpec: parsePartitionSpec('day(at)', SCHEMA) });
}

/** Commits one batch. @throws if the position does not follow it */
async function commitBatch(sink: IcebergSink, from: number): Promise<void> {
  const records = jsonObjects(recordsOf(from), { partition: PARTITION, from: BigInt(from) });
  await sink.writer(0).writeBatch(records, { partition: PARTITION, from: BigInt(from), to: BigInt(from + ROWS) });
  const { rows, positions, snapshotId } = await sink.flush();
  const next = positions.get(PARTITION);
  if (snapshotId === null || rows !== BigInt(ROWS) || next !== BigInt(from + ROWS))
    throw new Error(`a batch from ${from} has ${rows} rows, and ends at ${next}`);
}

const load = async (project: Project) => loadTable(await project.catalog(), project.io, TABLE);

async function plan(project: Project): Promise<void> {
  const table = await load(project);
  const snapshot = currentSnapshot(table.metadata) ?? null;
  await planFiles(table, { snapshot, schema: currentSchema(table.metadata) });
}

async function weigh(project: Project): Promise<Weight> {
  const { metadata, metadataLocation } = await load(project);
  const [path = ''] = await localPathsOf(project.io, [metadataLocation]);
  const manifests = await readSnapshotManifests(project.io, currentSnapshot(metadata));
  const dataFiles = (await filesOf(project, TABLE.name)).length;
  return {
    metadataBytes: (await stat(path)).size,
    manifests: manifests.length,
    dataFiles,
    snapshots: metadata.snapshots.length,
  };
}

async function timed(work: () => Promise<void>): Promise<Took> {
  const [cpu, began] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / 1000, wall: performance.now() - began };
}

/** Writes a stream for so many seconds, and tells each period. */
async function stream(project: Project, sink: IcebergSink, seconds: number): Promise<readonly Period[]> {
  const periods: Period[] = [];
  const period = periodOf(seconds);
  let [commits, plans]: [Took[], Took[]] = [[], []];
  const began = performance.now();
  for (let second = 0; second < seconds; second++) {
    await sleep(Math.max(0, began + second * COMMIT_INTERVAL_MS - performance.now()));
    commits.push(await timed(() => commitBatch(sink, second * ROWS)));
    plans.push(await timed(() => plan(project)));
    if (Math.floor((second + 1) / period) === periods.length) continue;
    const told = { commit: medianOf(commits), plan: medianOf(plans), ...(await weigh(project)) };
    process.stderr.write(`${describe(second + 1, told)}\n`);
    periods.push(told);
    [commits, plans] = [[], []];
  }
  return periods;
}

function describe(seconds: number, { commit, plan: planned, ...weight }: Period): string {
  const took = ({ cpu, wall }: Took): string => `${cpu.toFixed(1)} ms CPU, ${wall.toFixed(1)} ms`;
  const { metadataBytes, manifests, dataFiles, snapshots } = weight;
  return `${seconds} s: commit ${took(commit)}; planning ${took(planned)}; metadata file ${metadataBytes} bytes, ${manifests} manifests, ${dataFiles} data files, ${snapshots} snapshots`;
}

/** The rows as DuckDB reads them from the files of the newest snapshot, and the positions as another sink finds them. @throws if they are not those written */
async function requireRows(project: Project, rows: number): Promise<void> {
  const files = await filesOf(project, TABLE.name);
  const sums = 'count(*), count(DISTINCT id), min(id), max(id), sum(id), sum(epoch_ms("at"))';
  const found = await (await project.engine()).withConnection((connection) =>
    connection.rows(`SELECT ${sums} FROM ${parquetReader(files)}`),
  );
  const times = Array.from({ length: rows / ROWS }, (_, batch) => recordsOf(batch * ROWS)).flat();
  const sum = (rows * (rows - 1)) / 2;
  const wanted = [rows, rows, 0, rows - 1, sum, times.reduce((all, { at }) => all + BigInt(at.getTime()), 0n)];
  if (String(found[0]) !== String(wanted)) throw new Error(`the table has ${String(found[0])}, not ${String(wanted)}`);
  const { positions } = await openSink(project);
  if (positions.get(PARTITION) !== BigInt(rows)) throw new Error(`the positions end at ${positions.get(PARTITION)}`);
}

function requireBounds(periods: readonly Period[]): void {
  for (const [index, period] of periods.entries())
    for (const [name, bound] of Object.entries(BOUNDS)) {
      const found = period[name as keyof Weight];
      if (found > bound) throw new Error(`period ${index + 1}: ${name} is ${found}, above ${bound}`);
    }
}

/** Keeps the table in shape as a policy says, in a process of its own. */
async function upkeep(context: BenchContext): Promise<void> {
  const project = await openBenchProject(context.scratchFolder);
  const keptMs = BigInt(keptMsOf(secondsOf(context.size)));
  for (;;) {
    await sleep(UPKEEP_INTERVAL_MS);
    const health = await tableHealth(await load(project), BigInt(Date.now()));
    for (const { compact } of planPolicyRuns([POLICY], [{ table: TABLE_NAME, health }]))
      if (compact !== undefined) await compactDirect(await compactDeps(project), { table: TABLE_NAME, ...compact });
    await expireOnce(maintenanceDeps(project), TABLE_NAME, { olderThanMs: keptMs, retainLast: 1 });
    await tidyManifests(maintenanceDeps(project), TABLE_NAME);
  }
}

/** Works beside a program of this job. @throws if that ends before the work does */
async function beside<T>(context: BenchContext, work: () => Promise<T>): Promise<T> {
  const child = forkProgram(NAME, 'upkeep', context);
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the upkeep has ended early')));
  try {
    return await Promise.race([work(), ended]);
  } finally {
    ended.catch(() => undefined);
    child.kill('SIGKILL');
  }
}

export const sinkHour: BenchJob = {
  name: NAME,
  title:
    'One commit of 100 rows a second, with the compaction of a policy of defaults and the expiry of snapshots older than a minute in another process; an hour with MORAINE_SINK_HOUR_SECONDS=3600.',
  runs: 1,
  prepare: () => Promise.resolve(),
  programs: { upkeep },
  variants: {
    async ours(context, measure) {
      const seconds = secondsOf(context.size);
      const project = await openBenchProject(context.scratchFolder);
      await createTable(project);
      const sink = await openSink(project);
      const periods = await measure(() => beside(context, () => stream(project, sink, seconds)));
      await sink.close();
      await requireRows(project, seconds * ROWS);
      await project.close();
      requireBounds(periods);
      const [first, last] = [periods[0], periods.at(-1)];
      const most = (name: keyof Weight): number => Math.max(...periods.map((period) => period[name]));
      return {
        firstCommitCpu: first?.commit.cpu ?? Number.NaN,
        lastCommitCpu: last?.commit.cpu ?? Number.NaN,
        lastCommit: last?.commit.wall ?? Number.NaN,
        firstPlanCpu: first?.plan.cpu ?? Number.NaN,
        lastPlanCpu: last?.plan.cpu ?? Number.NaN,
        metadataBytes: most('metadataBytes'),
        manifests: most('manifests'),
        dataFiles: most('dataFiles'),
        snapshots: most('snapshots'),
      };
    },
  },
  figures(medians, size) {
    const seconds = secondsOf(size);
    const extra = medians['ours']?.extra ?? {};
    const of = (name: string): number => extra[name] ?? Number.NaN;
    const period = `of ${periodOf(seconds)} s`;
    const line = (what: string, value: number, unit: string, options: { floor?: number; atMost?: number } = {}) =>
      figure(NAME, size, what, value, unit, options);
    return [
      line(
        `CPU of a commit, median of the last ${period} over the first, after ${seconds} commits`,
        of('lastCommitCpu'),
        'ms',
        {
          floor: of('firstCommitCpu'),
          atMost: 1.5,
        },
      ),
      line(`a commit, median of the last ${period}`, of('lastCommit'), 'ms'),
      line(`CPU of planning, median of the last ${period} over the first`, of('lastPlanCpu'), 'ms', {
        floor: of('firstPlanCpu'),
        atMost: 1.5,
      }),
      line('newest metadata file, at most', of('metadataBytes') / 1e3, 'kB', { atMost: BOUNDS.metadataBytes / 1e3 }),
      line('manifests, at most', of('manifests'), 'manifests', { atMost: BOUNDS.manifests }),
      line('data files, at most', of('dataFiles'), 'files', { atMost: BOUNDS.dataFiles }),
      line('snapshots, at most', of('snapshots'), 'snapshots', { atMost: BOUNDS.snapshots }),
      line(
        'CPU of the sink and a plan each second, of one core',
        (medians['ours']?.cpuSeconds ?? Number.NaN) / seconds,
        'cores',
      ),
    ];
  },
};

function medianOf(all: readonly Took[]): Took {
  return { cpu: median(all.map(({ cpu }) => cpu)), wall: median(all.map(({ wall }) => wall)) };
}
