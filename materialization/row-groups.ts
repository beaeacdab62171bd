/** The rows that a shard merges, or a part reduces: of the source, or of what was reduced of it, by the reads that they come from. */
import { type Connection, columnAlias, readableScanSql } from '../engine/index.js';
import { currentSchema } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import { columnNamed, openReducedRows, readReducedLists } from '../reduction/index.js';
import type { OpenFiles } from '../scans/index.js';
import type { FileIO } from '../storage/index.js';
import type { Table } from '../tables/index.js';
import { type BucketKey, type BucketSelection, relationColumns, sourceRelation } from './extract-sql.js';
import { openReads } from './open-files.js';
import type { MaterializationPlan, SourceRead } from './plan.js';
import { groupNumber, REDUCED_GROUPS, type ReducedGroup } from './reduced-rows.js';

/** Open files with the rows of one group. */
export interface RowGroup extends ReducedGroup {
  readonly opened: readonly OpenFiles[];
  /** The most rows that it can have. */
  readonly rows: bigint;
  /**
   * The rows in the columns of {@link sourceRelation}.
   * @param buckets of each row; where nothing bounds the memory for all of them, the rows of others may be left in
   */
  relation(buckets?: BucketSelection): Promise<string>;
}

export const bucketKeyOf = ({ view, online }: Pick<MaterializationPlan, 'view' | 'online'>): BucketKey => ({
  view,
  keyStrategy: online.keyStrategy,
  buckets: online.buckets,
});

/** The buckets that rows count for: what is rebuilt is not appended to. */
export function bucketsOf(
  { rebuild }: Pick<MaterializationPlan, 'rebuild'>,
  { of }: ReducedGroup,
): Pick<BucketSelection, 'only' | 'except'> {
  return of === 'append' ? { except: rebuild?.buckets ?? undefined } : { only: rebuild?.buckets ?? undefined };
}

/** The reads of each group; a rebuild of every bucket leaves none to append to. */
export function readsOfGroup(
  { appendReads, rebuild }: Pick<MaterializationPlan, 'appendReads' | 'rebuild'>,
  { of, keep }: ReducedGroup,
): readonly SourceRead[] {
  const rebuildsAll = rebuild !== null && rebuild.buckets === null;
  const reads = of === 'rebuild' ? (rebuild?.reads ?? []) : rebuildsAll ? [] : appendReads;
  return reads.filter((read) => read.keep === keep);
}

/**
 * Opens the source's files.
 * @param paths of the files that count; all unless given
 */
export async function openSourceGroups(
  connection: Connection,
  source: Table,
  plan: MaterializationPlan,
  paths?: ReadonlySet<Location>,
): Promise<readonly RowGroup[]> {
  const groups: RowGroup[] = [];
  for (const group of REDUCED_GROUPS) {
    const planned = readsOfGroup(plan, group);
    const chosen = planned.map((read) => ({
      ...read,
      files: read.files.filter(({ path }) => paths?.has(path) ?? true),
    }));
    const reads = await openReads(
      connection,
      source,
      chosen.filter(({ files }) => files.length > 0),
    );
    if (reads.length === 0) continue;
    const opened = reads.map(({ scan }) => scan);
    groups.push({
      ...group,
      opened,
      rows: rowsIn(opened),
      relation: (buckets) =>
        sourceRelation(connection, currentSchema(source.metadata), reads, bucketKeyOf(plan), buckets),
    });
  }
  return groups;
}

/**
 * Opens the reduced rows of one shard.
 * @param locations of the lists of reduced rows; together they stand for all of the source
 * @throws METADATA_CORRUPT, FILE_NOT_FOUND
 */
export async function openReducedGroups(
  connection: Connection,
  io: FileIO,
  plan: MaterializationPlan,
  { locations, shard }: { readonly locations: readonly Location[]; readonly shard: number },
): Promise<readonly RowGroup[]> {
  const scans: ReducedScan[] = [];
  for (const rows of await readReducedLists(io, locations, shard)) {
    scans.push(await openReducedRows(connection, io, rows));
  }
  if (scans.length === 0) return [];
  const opened = scans.map((scan) => scan.opened);
  return REDUCED_GROUPS.filter((group) => readsOfGroup(plan, group).length > 0).map((group) => ({
    ...group,
    opened,
    rows: rowsIn(opened),
    relation: () => reducedRelation(connection, plan, scans, `g = ${groupNumber(group)} AND shard = ${shard}`),
  }));
}

interface ReducedScan {
  readonly table: Table;
  readonly opened: OpenFiles;
}

async function reducedRelation(
  connection: Connection,
  { view }: MaterializationPlan,
  scans: readonly ReducedScan[],
  condition: string,
): Promise<string> {
  const names = [...relationColumns(view), 'seq'];
  const selects: string[] = [];
  for (const { table, opened } of scans) {
    const schema = currentSchema(table.metadata);
    const ids = ['g', 'shard', ...names].map((name) => columnNamed(schema, name).id);
    const rows = await readableScanSql(connection, { ...opened, schema, columns: ids, naming: 'id' });
    const named = ['g', 'shard', ...names].map((name, index) => `${columnAlias(ids[index] as number)} AS ${name}`);
    selects.push(`SELECT ${names.join(', ')} FROM (SELECT ${named.join(', ')} FROM ${rows}) WHERE ${condition}`);
  }
  return `(${selects.join(' UNION ALL ')})`;
}

function rowsIn(opened: readonly OpenFiles[]): bigint {
  return opened.reduce((sum, { files }) => files.reduce((part, file) => part + file.recordCount, sum), 0n);
}
