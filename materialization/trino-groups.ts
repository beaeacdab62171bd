/** The rows of a plan's reads as Trino has reduced them: of each group those that tie as the newest by their times and sequence numbers. */
import { type Connection, columnAlias, readableScanSql } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { currentSchema, currentSnapshot } from '../iceberg/index.js';
import { columnNamed, type ReduceContext, type ReductionGroup, refusedFormatThree } from '../reduction/index.js';
import { openScan, planSource } from '../scans/index.js';
import type { Table } from '../tables/index.js';
import type { MaterializationDeps } from './deps.js';
import { relationColumns } from './extract-sql.js';
import type { MaterializationPlan, SourceRead } from './plan.js';
import { groupNumber, REDUCED_GROUPS } from './reduced-rows.js';
import { type RowGroup, readsOfGroup } from './row-groups.js';

/** Groups whose rows are in a table that `release` drops. */
export interface StagedGroups {
  readonly groups: readonly RowGroup[];
  release(): Promise<void>;
}

/**
 * Has Trino reduce the source's rows, and opens what it has staged.
 * @throws CONFIG_INVALID if no Trino is configured; else as `TrinoEngine.reduce`
 */
export async function openTrinoGroups(
  connection: Connection,
  { engines }: Pick<MaterializationDeps, 'engines'>,
  { plan, source }: { readonly plan: MaterializationPlan; readonly source: Table },
  context: ReduceContext,
): Promise<StagedGroups> {
  const trino = engines?.trino ?? null;
  if (trino === null)
    throw new MoraineError(
      'CONFIG_INVALID',
      'The run was planned for Trino, which this worker does not know: set trino.uri.',
    );
  const asked = REDUCED_GROUPS.filter((group) => readsOfGroup(plan, group).length > 0);
  const groups = asked.map((group): ReductionGroup => {
    const reads = readsOfGroup(plan, group).map(reducedRead);
    return { group: groupNumber(group), keep: group.keep, reads };
  });
  const reduced = await trino.reduce(
    connection,
    { kind: 'latest', source: { name: plan.source.table, table: source }, columns: plan.view, groups },
    context,
  );
  const { table } = reduced;
  const release = (): Promise<void> => reduced.release();
  try {
    const schema = currentSchema(table.metadata);
    const staged = { table, snapshot: currentSnapshot(table.metadata) ?? null, schema };
    const opened = await openScan(connection, staged, await planSource(staged));
    const names = ['g', ...relationColumns(plan.view), 'seq'];
    const ids = names.map((name) => columnNamed(schema, name).id);
    const rows = await readableScanSql(connection, { ...opened.scan, schema, columns: ids, naming: 'id' });
    const named = names.map((name, index) => `${columnAlias(ids[index] as number)} AS ${name}`);
    const columns = names.slice(1).join(', ');
    return {
      groups: asked.map((group) => ({
        ...group,
        opened: [opened.scan],
        rows: BigInt(opened.rows),
        relation: () =>
          Promise.resolve(
            `(SELECT ${columns} FROM (SELECT ${named.join(', ')} FROM ${rows}) WHERE g = ${groupNumber(group)})`,
          ),
      })),
      release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

function reducedRead({ snapshotId, files, startUs, endUs, afterSequenceNumber }: SourceRead) {
  if (snapshotId === null || afterSequenceNumber !== undefined)
    throw refusedFormatThree('Rows are read by their own sequence numbers, as of');
  return { snapshotId, files, startUs, endUs };
}
