/** Tables in an object store, beside the bytes and the requests that they need. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { readableScanSql } from '../../engine/index.js';
import { currentSchema, currentSnapshot } from '../../iceberg/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps, type Project } from '../../project/index.js';
import { fileToOpen, openFiles } from '../../scans/index.js';
import { measureTraffic, noTraffic } from '../../storage/index.js';
import { loadTable, planFiles } from '../../tables/index.js';
import { type BenchContext, type BenchJob, type BenchSize, figure } from '../job.js';
import { fillPlannedTable, PLANNED } from '../planned-table.js';
import { runForeign } from '../python.js';
import { type BenchStore, openStoreProject, startStore } from '../store.js';
import { BUCKETS, type FeatureTableShape, makeFeatureTable, makeFilledTable, openBenchProject } from '../world.js';

const LATENCY_MS = 20;

/** Runs work on a project in a store that is so far away, with nothing fetched before. */
async function inStore<T>(
  context: BenchContext,
  latencyMs: number,
  work: (project: Project, store: BenchStore) => Promise<T>,
): Promise<T> {
  const store = await startStore(context.dataFolder, latencyMs);
  const project = await openStoreProject(context.dataFolder, store, join(context.scratchFolder, 'cache'));
  try {
    return await work(project, store);
  } finally {
    await project.close();
    await store.close();
  }
}

const clientOf = ({ endpoint, options }: BenchStore): S3Client =>
  new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: {
      accessKeyId: options['s3.access-key-id'] ?? '',
      secretAccessKey: options['s3.secret-access-key'] ?? '',
    },
  });

/** Takes all bytes of an answer, and keeps none. */
async function drained(body: unknown): Promise<number> {
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Uint8Array>) bytes += piece.length;
  return bytes;
}

const COMMITS: Readonly<Record<BenchSize, number>> = { S: 10, M: 100 };
const FILES_PER_COMMIT = 100;

export const storePlan: BenchJob = {
  name: 'store-plan',
  title: 'Planning every file of a table in an S3 server that is 20 ms away: first nothing is known, then everything.',
  runs: 3,
  prepare: (context) =>
    inStore(context, 0, (project) => fillPlannedTable(project, COMMITS[context.size], FILES_PER_COMMIT)),
  variants: {
    ours: (context, measure) =>
      inStore(context, LATENCY_MS, async (project) => {
        const catalog = await project.catalog();
        const plan = async () => {
          const began = performance.now();
          const traffic = noTraffic();
          const files = await measureTraffic(traffic, async () => {
            const table = await loadTable(catalog, project.io, PLANNED);
            const snapshot = currentSnapshot(table.metadata);
            return (await planFiles(table, { snapshot, schema: currentSchema(table.metadata) })).files.length;
          });
          return { files, requests: traffic.requests, ms: performance.now() - began };
        };
        const cold = await measure(plan);
        const warm = await plan();
        return { coldMs: cold.ms, warmMs: warm.ms, warmRequests: warm.requests, files: cold.files };
      }),
    pyiceberg: async (context, measure) => {
      const store = await startStore(context.dataFolder, LATENCY_MS);
      try {
        const uri = `sqlite:///${context.dataFolder}/store.db`;
        const properties = { type: 'sql', uri, warehouse: 's3://bench/warehouse', ...store.options };
        const program = { name: 'plan_files.py', requirements: 'requirements.txt' };
        const table = `${PLANNED.namespace.join('.')}.${PLANNED.name}`;
        return await runForeign(context, measure, program, table, 'store', JSON.stringify(properties));
      } finally {
        await store.close();
      }
    },
  },
  figures(medians, size) {
    const { coldMs = 0, warmMs = 0, warmRequests = 0, files = 0 } = medians['ours']?.extra ?? {};
    const { count, wallSeconds = Number.NaN } = medians['pyiceberg']?.extra ?? {};
    if ([files, count].some((found) => found !== COMMITS[size] * FILES_PER_COMMIT)) {
      throw new Error('a plan has not every file');
    }
    return [
      figure('store-plan', size, `planning ${files} files, cold`, coldMs, 'ms', { atMost: 1000 }),
      figure('store-plan', size, `planning ${files} files, cold, over PyIceberg`, coldMs, 'ms', {
        floor: wallSeconds * 1000,
      }),
      figure('store-plan', size, `planning ${files} files, warm`, warmMs, 'ms', { atMost: 20 }),
      figure('store-plan', size, 'requests of a warm plan', warmRequests, 'requests', { atMost: 0 }),
    ];
  },
};

const WIDE_COLUMNS = 12;
const WIDE: Readonly<Record<BenchSize, { readonly rows: number; readonly files: number }>> = {
  S: { rows: 1_000_000, files: 2 },
  M: { rows: 11_000_000, files: 10 },
};
const WIDE_TABLE = { namespace: ['bench'], name: 'wide' };
/** Field ids of the columns that are read. */
const READ_COLUMNS = [4, 10];

async function readWide(project: Project): Promise<number> {
  const table = await loadTable(await project.catalog(), project.io, WIDE_TABLE);
  const schema = currentSchema(table.metadata);
  const { files } = await planFiles(table, { snapshot: currentSnapshot(table.metadata), schema });
  const engine = await project.engine();
  return engine.withConnection(async (connection) => {
    const opened = await openFiles(connection, table, files.map(fileToOpen));
    const relation = await readableScanSql(connection, { ...opened, schema, columns: READ_COLUMNS });
    const [[sum] = []] = await connection.rows(`SELECT sum(v3) + max(v9) FROM ${relation}`);
    return Number(sum);
  });
}

/** Files of the table and the bytes that the query needs: the column chunks, and the footers with what stands around them. */
interface Needed {
  readonly keys: readonly string[];
  readonly bytes: number;
}

async function findNeeded(project: Project): Promise<Needed> {
  const table = await loadTable(await project.catalog(), project.io, WIDE_TABLE);
  const { files } = await planFiles(table, {
    snapshot: currentSnapshot(table.metadata),
    schema: currentSchema(table.metadata),
  });
  let bytes = 0;
  for (const { file } of files) {
    for (const id of READ_COLUMNS) bytes += Number(file.columnSizes?.get(id) ?? 0n);
    const tail = Buffer.from((await project.io.readTail(file.filePath, 8)).bytes);
    bytes += tail.readUInt32LE(0) + 8;
  }
  return { keys: files.map(({ file }) => file.filePath.replace('s3://bench/', '')), bytes };
}

/** Found when the data is made: a variant begins with nothing known, and with no connection to the store. */
const neededFile = ({ dataFolder }: BenchContext): string => join(dataFolder, 'needed.json');
const neededOf = (context: BenchContext): Needed => JSON.parse(readFileSync(neededFile(context), 'utf8')) as Needed;

export const storeRead: BenchJob = {
  name: 'store-read',
  data: 'store-wide',
  title:
    'Two of twelve columns of a table in an S3 server that is 20 ms away; floor: the same bytes by the bare SDK, one stream for each core.',
  runs: 3,
  prepare: (context) =>
    inStore(context, 0, async (project) => {
      const { rows, files } = WIDE[context.size];
      const names = Array.from({ length: WIDE_COLUMNS }, (_, index) => `v${index}`);
      const select = `SELECT ${names.map((name) => `random() AS ${name}`).join(', ')} FROM range(${rows / files})`;
      const columns = Object.fromEntries(names.map((name) => [name, 'double']));
      await makeFilledTable(project, 'wide', columns, Array<string>(files).fill(select));
      writeFileSync(neededFile(context), JSON.stringify(await findNeeded(project)));
    }),
  variants: {
    ours: (context, measure) =>
      inStore(context, LATENCY_MS, async (project) => {
        const [first, second] = [noTraffic(), noTraffic()];
        await measureTraffic(first, () => measure(() => readWide(project)));
        await measureTraffic(second, () => readWide(project));
        return {
          readBytes: first.readBytes,
          requests: first.requests,
          secondRequests: second.requests,
          neededBytes: neededOf(context).bytes,
        };
      }),
    'bare SDK': (context, measure) =>
      inStore(context, LATENCY_MS, async (_, store) => {
        const { keys, bytes } = neededOf(context);
        const each = Math.floor(bytes / keys.length);
        const client = clientOf(store);
        const stream = async (mine: readonly string[]): Promise<void> => {
          for (const Key of mine) {
            const answer = await client.send(
              new GetObjectCommand({ Bucket: 'bench', Key, Range: `bytes=0-${each - 1}` }),
            );
            await drained(answer.Body);
          }
        };
        const half = Math.ceil(keys.length / 2);
        await measure(() => Promise.all([stream(keys.slice(0, half)), stream(keys.slice(half))]));
        return undefined;
      }),
  },
  figures(medians, size) {
    const { ours, 'bare SDK': floor } = medians;
    if (ours === undefined || floor === undefined) throw new Error('a variant was not measured');
    const { readBytes = 0, requests = 0, secondRequests = 0, neededBytes: needed = 0 } = ours.extra;
    return [
      figure('store-read', size, 'bytes over column chunks and footers', readBytes / 2 ** 20, 'MiB', {
        floor: needed / 2 ** 20,
        atMost: 1.05,
      }),
      figure('store-read', size, 'wall over fetching alone', ours.wallSeconds, 's', {
        floor: floor.wallSeconds,
        atMost: 2,
      }),
      figure('store-read', size, 'CPU over fetching alone', ours.cpuSeconds, 's', { floor: floor.cpuSeconds }),
      figure('store-read', size, 'requests', requests, 'requests'),
      figure('store-read', size, 'requests of a second read', secondRequests, 'requests', { atMost: 0 }),
    ];
  },
};

const SHAPES: Readonly<Record<BenchSize, FeatureTableShape>> = {
  S: { rows: 1_000_000, entities: 20_000, files: 10 },
  M: { rows: 10_000_000, entities: 100_000, files: 60 },
};
const VIEW = 'large';

type Measure = <T>(body: () => Promise<T>) => Promise<T>;

async function materializeIn(project: Project, measure: Measure) {
  const online = { namespace: ['moraine_online'], name: VIEW };
  const catalog = await project.catalog();
  if (await catalog.tableExists(online)) await catalog.dropTable(online);
  const deps = await materializationDeps(project);
  const traffic = noTraffic();
  await measureTraffic(traffic, () => measure(() => materializeDirect(deps, { view: VIEW })));
  return { readBytes: traffic.readBytes, writtenBytes: traffic.writtenBytes };
}

export const storeMaterialize: BenchJob = {
  name: 'store-materialize',
  title:
    'Newest row per entity from and to tables in an S3 server; floor: the same on local files, and what the bare SDK needs for the bytes.',
  runs: 3,
  async prepare(context) {
    await inStore(context, 0, (project) => makeFeatureTable(project, VIEW, SHAPES[context.size]));
    const local = await openBenchProject(context.dataFolder);
    await makeFeatureTable(local, VIEW, SHAPES[context.size]);
    await local.close();
  },
  variants: {
    ours: (context, measure) => inStore(context, 0, (project) => materializeIn(project, measure)),
    local: async (context, measure) => {
      const project = await openBenchProject(context.dataFolder);
      await materializeIn(project, measure);
      await project.close();
      return undefined;
    },
    /** As many bytes as a run reads and writes, in as many objects: the files of the source, and one of each bucket. */
    'bare SDK': (context, measure) =>
      inStore(context, 0, async (project, store) => {
        const { readBytes, writtenBytes } = await materializeIn(project, (body) => body());
        const { files } = SHAPES[context.size];
        const client = clientOf(store);
        const prefix = `copies/${process.pid}`;
        const put = (Key: string, size: number): Promise<unknown> =>
          client.send(new PutObjectCommand({ Bucket: 'bench', Key, Body: new Uint8Array(size) }));
        const each = (count: number, work: (index: number) => Promise<unknown>): Promise<unknown> =>
          Promise.all(Array.from({ length: count }, (_, index) => work(index)));
        await each(files, (index) => put(`${prefix}/in-${index}`, Math.floor(readBytes / files)));
        await measure(async () => {
          await each(files, async (index) => {
            const answer = await client.send(new GetObjectCommand({ Bucket: 'bench', Key: `${prefix}/in-${index}` }));
            await drained(answer.Body);
          });
          await each(BUCKETS, (index) => put(`${prefix}/out-${index}`, Math.floor(writtenBytes / BUCKETS)));
        });
        return undefined;
      }),
  },
  figures(medians, size) {
    const { ours, local, 'bare SDK': sdk } = medians;
    if (ours === undefined || local === undefined || sdk === undefined) throw new Error('a variant was not measured');
    const { readBytes = 0, writtenBytes = 0 } = ours.extra;
    return [
      figure('store-materialize', size, 'CPU over the local run and the bare SDK', ours.cpuSeconds, 's', {
        floor: local.cpuSeconds + sdk.cpuSeconds,
        atMost: 1.25,
      }),
      figure('store-materialize', size, 'wall over the local run and the bare SDK', ours.wallSeconds, 's', {
        floor: local.wallSeconds + sdk.wallSeconds,
      }),
      figure('store-materialize', size, 'bytes read', readBytes / 2 ** 20, 'MiB'),
      figure('store-materialize', size, 'bytes written', writtenBytes / 2 ** 20, 'MiB'),
    ];
  },
};
