/** Rows of all entities written into an online table in one commit, beside a raw COPY that writes the same files. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { onlineWriteBatch } from '../../client/index.js';
import { bucketSql, parquetReader, quoteLiteral, registerBucketFunctions } from '../../engine/index.js';
import { type BenchContext, type BenchJob, figure } from '../job.js';
import { ENTITIES, makeOnlineSource, newerRowsSql, ONLINE_VIEW } from '../online-source.js';
import { BUCKETS, openBenchProject } from '../world.js';

const NAME = 'online-write';

const batchOf = (context: BenchContext): string => join(context.dataFolder, 'batch.parquet');

export const onlineWrite: BenchJob = {
  name: NAME,
  title:
    'A row of every entity, ten features, from a Parquet file into 256 buckets in one commit; floor: one COPY of the same file, with the columns of the online table, sorted into 256 files.',
  runs: 3,
  async prepare(context) {
    const project = await openBenchProject(context.dataFolder, '4GB', [context.dataFolder]);
    const rows = `COPY (${newerRowsSql(context.size)}) TO ${quoteLiteral(batchOf(context))} (FORMAT parquet)`;
    await (await project.engine()).withConnection((connection) => connection.run(rows));
    await project.close();
  },
  variants: {
    async ours(context, measure) {
      const project = await openBenchProject(context.scratchFolder, '4GB', [context.dataFolder]);
      await makeOnlineSource(project, 'S');
      const { files, bytes } = await measure(() =>
        onlineWriteBatch(project, { view: ONLINE_VIEW, rows: { file: batchOf(context) } }),
      );
      await project.close();
      return { files, megabytes: Number(bytes) / 2 ** 20 };
    },
    async floor(context, measure) {
      const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '4GB' });
      const connection = await instance.connect();
      registerBucketFunctions(connection);
      await connection.run(`SET partitioned_write_max_open_files = ${BUCKETS * 2}`);
      const bucket = bucketSql({ kind: 'long' }, 'entity_id', BUCKETS);
      await measure(() =>
        connection.run(
          `COPY (SELECT *, NULL::TIMESTAMP AS created_timestamp, true AS _pushed, ${bucket} AS bucket
           FROM ${parquetReader([batchOf(context)])} ORDER BY bucket, entity_id) TO '${context.scratchFolder}/out'
           (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 16384, PARTITION_BY (bucket))`,
        ),
      );
      instance.closeSync();
      return { files: readdirSync(`${context.scratchFolder}/out`).length };
    },
  },
  figures(medians, size) {
    const [made, floor] = [medians['ours'], medians['floor']];
    if (made === undefined || floor === undefined) throw new Error('a variant was not measured');
    if (made.extra['files'] !== floor.extra['files']) throw new Error('the floor wrote another number of files');
    return [
      figure(NAME, size, `CPU, ${ENTITIES[size]} rows`, made.cpuSeconds, 's', { floor: floor.cpuSeconds, atMost: 1.3 }),
      figure(NAME, size, 'wall', made.wallSeconds, 's', { floor: floor.wallSeconds }),
      figure(NAME, size, 'peak memory', made.peakMb, 'MB', { floor: floor.peakMb }),
      figure(NAME, size, 'size of the files', made.extra['megabytes'] ?? Number.NaN, 'MB'),
    ];
  },
};
