/** Reduction: of the source's rows in some of its files those that can still win, staged for the shards of the run. */
import { randomUUID } from 'node:crypto';
import type { Connection } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { type LatestRelation, prepareNewestTies } from '../features/index.js';
import type { DataFile, TableMetadata } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import {
  listReducedRows,
  reducedLocation,
  reducedTableMetadata,
  type StagedReduction,
  stageReducedRows,
} from '../reduction/index.js';
import { whileReading } from '../scans/index.js';
import { dataFolder, type StagingTable } from '../staging/index.js';
import { openPinnedTable } from '../tables/index.js';
import type { MaterializationDeps } from './deps.js';
import type { ExtractOptions } from './extract-shard.js';
import { bucketOfKeys, bucketRangeCondition, latestRequest, relationColumns, winnersByTimeSql } from './extract-sql.js';
import type { MaterializationPlan } from './plan.js';
import { readPlan } from './read-plan.js';
import { groupNumber, reducedFilePrefix, reducedSchema } from './reduced-rows.js';
import { filesOfPart } from './reduction-parts.js';
import { bucketKeyOf, bucketsOf, openSourceGroups, type RowGroup } from './row-groups.js';
import type { Shard } from './shards.js';
import { openTrinoGroups } from './trino-groups.js';

/**
 * Reduces one part: reads its files once and stages, by shard, the rows of each entity's newest time, or the winner of each entity and time where
 * all times are kept, with the sequence number that decides ties. May be repeated, killed and run twice at once.
 * @throws INVALID_ARGUMENT for a part that the plan does not have; else as {@link extractShard}
 */
export async function reducePart(
  deps: Pick<MaterializationDeps, 'io' | 'engine' | 'engines' | 'reach'>,
  planLocation: Location,
  part: number,
  options: ExtractOptions = {},
): Promise<StagedReduction> {
  const plan = await readPlan(deps.io, planLocation);
  const paths = filesOfPart(plan, part);
  if (paths === undefined) {
    const parts = plan.reduction?.parts ?? 0;
    throw new MoraineError('INVALID_ARGUMENT', `The plan ${planLocation} has ${parts} parts and no number ${part}.`);
  }
  await deps.reach?.(plan.source.table);
  const online = await openPinnedTable(deps.io, plan.online, planLocation);
  const source = await openPinnedTable(deps.io, plan.source, planLocation);
  const attemptId = randomUUID();
  const table = { io: deps.io, metadata: reducedTable(plan, online.metadata) };
  const files = await deps.engine.withConnection(
    async (connection) => {
      options.onProgress?.('reading');
      const rows =
        plan.reduction?.engine === 'trino'
          ? await openTrinoGroups(connection, deps, { plan, source }, options)
          : { groups: await openSourceGroups(connection, source, plan, paths), release: () => Promise.resolve() };
      const namePrefix = `${reducedFilePrefix(plan)}${part}-${attemptId}`;
      try {
        return await writeGroups(connection, { plan, groups: rows.groups, table, namePrefix }, options);
      } finally {
        await rows.release();
      }
    },
    { signal: options.signal },
  );
  options.onProgress?.('staging');
  return await listReducedRows(table, reducedLocation(planLocation, `${part}-${attemptId}`), files);
}

/** Its files lie among those of the online table, whose leases and sweeps know them by the run that their names begin with. */
function reducedTable(plan: MaterializationPlan, online: TableMetadata): TableMetadata {
  const properties = new Map([['write.data.path', dataFolder(online)]]);
  for (const name of KEPT_PROPERTIES) {
    const value = online.properties.get(name);
    if (value !== undefined) properties.set(name, value);
  }
  return reducedTableMetadata(reducedSchema(plan.view), online.location, properties);
}

const KEPT_PROPERTIES = ['write.object-storage.enabled'];

type Releasable = Pick<LatestRelation, 'release'>;

interface GroupsToWrite {
  readonly plan: MaterializationPlan;
  readonly groups: readonly RowGroup[];
  readonly table: StagingTable;
  readonly namePrefix: string;
}

async function writeGroups(
  connection: Connection,
  { plan, groups, table, namePrefix }: GroupsToWrite,
  options: ExtractOptions,
): Promise<readonly DataFile[]> {
  const relations: Releasable[] = [];
  const opened = groups.flatMap((group) => group.opened);
  try {
    return await whileReading(connection, opened, async () => {
      const selects: string[] = [];
      for (const group of groups) selects.push(await winnersSql(connection, plan, group, relations));
      if (selects.length === 0) return [];
      options.onProgress?.('writing');
      return await stageReducedRows(connection, table, { select: selects.join(' UNION ALL '), namePrefix });
    });
  } finally {
    for (const relation of relations) await relation.release();
  }
}

/** The winners of a group in the columns of `reducedSchema`. */
async function winnersSql(
  connection: Connection,
  plan: MaterializationPlan,
  group: RowGroup,
  relations: Releasable[],
): Promise<string> {
  const { view } = plan;
  const key = bucketKeyOf(plan);
  const relation = await group.relation();
  let winners: string;
  if (group.keep === 'all') {
    winners = winnersByTimeSql(view, relation);
  } else {
    // Which of several rows of a time wins, the shard finds out: it has to look at them anyway.
    const request = { ...latestRequest(view, relation), carried: [{ column: 'seq', as: 'seq' }] };
    const newest = await prepareNewestTies(connection, request, group.rows);
    relations.push(newest);
    winners = newest.select;
  }
  const all = { firstBucket: 0, lastBucket: key.buckets - 1, ...bucketsOf(plan, group) };
  const columns = [...relationColumns(view), 'seq'].join(', ');
  return [
    `SELECT ${groupNumber(group)} AS g, ${shardSql('b', plan.shards)} AS shard, ${columns}`,
    `FROM (SELECT ${columns}, ${bucketOfKeys(key)} AS b FROM (${winners}))`,
    `WHERE ${bucketRangeCondition('b', key.buckets, all)}`,
  ].join(' ');
}

/** The shard of a bucket. */
function shardSql(bucket: string, shards: readonly Shard[]): string {
  const last = shards.length - 1;
  const cases = shards.slice(0, last).map(({ lastBucket }, shard) => `WHEN ${bucket} <= ${lastBucket} THEN ${shard}`);
  return cases.length === 0 ? String(last) : `CASE ${cases.join(' ')} ELSE ${last} END`;
}
