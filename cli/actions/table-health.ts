import { countText, durationText, sizeText } from '../../errors/index.js';
import { type TableHealth, tableHealth } from '../../maintenance/index.js';
import { type CommandContext, printJson } from '../context.js';
import { withTable } from '../options/table-argument.js';
import { formatColumns } from '../output/output.js';

/** Shows how far a table's files are from what readers would like. */
export async function showTableHealth(
  context: CommandContext,
  operands: readonly string[],
  options: { readonly root?: string; readonly json?: boolean },
): Promise<void> {
  await withTable(context, operands[0] ?? '', options, async ({ table }) => {
    const health = await tableHealth(table, BigInt(Date.now()));
    if (options.json === true) await printJson(context, health);
    else await context.stdout.write(formatColumns(['figure', { number: 'value' }], rowsOf(health)));
  });
}

function rowsOf(health: TableHealth): readonly (readonly string[])[] {
  const age = (ms: bigint | null): string => (ms === null ? '-' : durationText(Number(ms)));
  return [
    ['data files', countText(health.dataFiles)],
    ['data size', sizeText(health.dataBytes)],
    ['rows', countText(health.rows)],
    ['partitions', countText(health.partitions)],
    ['amplification', health.amplification.toFixed(2)],
    ...(health.reads === null
      ? []
      : [
          ['files per read', health.reads.filesPerRead.toFixed(2)],
          ['files per partition', health.reads.filesPerPartition.toFixed(2)],
          ['rows per entity', health.reads.rowsPerEntity.toFixed(2)],
        ]),
    ['small files', countText(health.smallFiles)],
    ['delete files', countText(health.deleteFiles)],
    ['delete ratio', health.deleteRatio.toFixed(4)],
    ['manifests', countText(health.manifests)],
    ['snapshots', countText(health.snapshots)],
    ['oldest snapshot', age(health.oldestSnapshotAgeMs)],
    ['last change', age(health.freshnessMs)],
  ];
}
