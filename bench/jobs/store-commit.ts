/** Commits through a REST catalog to a table in an object store, beside their requests and beside PyIceberg. */
import { join } from 'node:path';
import { type DataFile, parseSchema } from '../../iceberg/index.js';
import { openProject, type Project } from '../../project/index.js';
import { commitAppend, loadTable } from '../../tables/index.js';
import { startRestServer } from '../../test/support/rest-server.js';
import { startMinio } from '../../test/support/s3-server.js';
import { type BenchContext, type BenchJob, type BenchSize, figure } from '../job.js';
import { median } from '../percentile.js';
import { runForeign } from '../python.js';
import { RequestClock } from '../request-clock.js';

const NAME = 'store-commit';
const TABLE = { namespace: ['bench'], name: 'committed' };
const COMMITS: Readonly<Record<BenchSize, number>> = { S: 20, M: 100 };
/** Commits before those that are measured. */
const WARM_UP = 10;

const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'id', required: false, type: 'long' }],
});

/** A file that exists in manifests only. */
const entry = (location: string, number: number): DataFile => ({
  content: 'data',
  filePath: `${location}/data/${number}.parquet`,
  fileFormat: 'PARQUET',
  specId: 0,
  partition: [],
  recordCount: 1000n,
  fileSizeInBytes: 10_000n,
});

interface Lakehouse {
  readonly project: Project;
  /** As PyIceberg takes them. */
  readonly properties: Readonly<Record<string, string>>;
}

/** Runs work on Java's REST catalog with its tables in an S3 server, with an empty table. */
async function inLakehouse<T>(context: BenchContext, work: (lakehouse: Lakehouse) => Promise<T>): Promise<T> {
  const folder = context.scratchFolder;
  const store = await startMinio();
  await store.makeBucket('bench');
  const { 's3.access-key-id': key = '', 's3.secret-access-key': secret = '' } = store.options;
  const rest = await startRestServer('s3://bench/rest', {
    'io-impl': 'org.apache.iceberg.aws.s3.S3FileIO',
    'client.region': 'us-east-1',
    's3.endpoint': store.endpoint,
    's3.path-style-access': 'true',
    's3.access-key-id': key,
    's3.secret-access-key': secret,
  });
  const uri = rest.uriOf('bench');
  const project = await openProject({
    cwd: folder,
    config: {
      catalog: 'rest',
      catalogs: { rest: { type: 'rest', uri } },
      storage: { roots: ['s3://bench'], options: store.options, cache: { directory: join(folder, 'cache') } },
    },
  });
  try {
    const catalog = await project.catalog();
    await catalog.createNamespace([...TABLE.namespace]);
    const properties = new Map([['commit.manifest-merge.enabled', 'false']]);
    await catalog.createTable(TABLE, { schema: SCHEMA, properties });
    return await work({ project, properties: { type: 'rest', uri, ...store.options } });
  } finally {
    await project.close();
    await rest.close();
    await store.close();
  }
}

export const storeCommit: BenchJob = {
  name: NAME,
  title:
    'Appending a file in a commit through a REST catalog, with the table in an S3 server; floor: the time that its requests take; and PyIceberg, the same.',
  runs: 3,
  prepare: () => Promise.resolve(),
  variants: {
    ours: (context, measure) =>
      inLakehouse(context, async ({ project }) => {
        const catalog = await project.catalog();
        const commit = async (number: number) => {
          const table = await loadTable(catalog, project.io, TABLE);
          await commitAppend(table, { files: [entry(table.metadata.location, number)] });
        };
        for (let number = 0; number < WARM_UP; number++) await commit(number);
        const found: { ms: number; requestMs: number; requests: number }[] = [];
        await measure(async () => {
          for (let number = 0; number < COMMITS[context.size]; number++) {
            const clock = new RequestClock();
            const began = performance.now();
            await commit(WARM_UP + number);
            clock.close();
            found.push({ ms: performance.now() - began, requestMs: clock.ms, requests: clock.requests });
          }
        });
        return {
          ms: median(found.map(({ ms }) => ms)),
          requestMs: median(found.map(({ requestMs }) => requestMs)),
          requests: median(found.map(({ requests }) => requests)),
        };
      }),
    pyiceberg: (context, measure) =>
      inLakehouse(context, ({ properties }) =>
        runForeign(
          context,
          measure,
          { name: 'commit_files.py', requirements: 'requirements.txt' },
          JSON.stringify(properties),
          `${TABLE.namespace.join('.')}.${TABLE.name}`,
          String(WARM_UP),
          String(COMMITS[context.size]),
        ),
      ),
  },
  figures(medians, size) {
    const { ms = Number.NaN, requestMs = Number.NaN, requests = Number.NaN } = medians['ours']?.extra ?? {};
    const theirs = medians['pyiceberg']?.extra['medianMs'] ?? Number.NaN;
    return [
      figure(NAME, size, 'a commit over its requests', ms, 'ms', { floor: requestMs, atMost: 1.2 }),
      figure(NAME, size, 'a commit over one of PyIceberg', ms, 'ms', { floor: theirs }),
      figure(NAME, size, 'requests of a commit', requests, 'requests'),
    ];
  },
};
