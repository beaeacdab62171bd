import { formatDurationMs } from '../../features/index.js';
import { type TableHealth, tableHealth } from '../../maintenance/index.js';
import { type CommandContext, printJson } from '../context.js';
import { formatColumns } from '../output.js';
import { withTable } from '../table-argument.js';

/** Shows how far a table's files are from what readers would like. */
export async function showTableHealth(
  context: CommandContext,
  operands: readonly string[],
  options: { readonly root?: string; readonly json?: boolean },
): Promise<void> {
  await withTable(context, operands[0] ?? '', options, async ({ table }) => {
    const health = await tableHealth(table, BigInt(Date.now()));
    if (options.json === true) await printJson(context, health);
    else await context.stdout.write(formatColumns(['figure', 'value'], rowsOf(health)));
  });
}

function rowsOf(health: TableHealth): readonly (readonly string[])[] {
  const age = (ms: bigint | null): string =>
    ms === null ? '-' : formatDurationMs(ms - (ms % (ms < 1000n ? 1n : 1000n)));
  return [
    ['data files', String(health.dataFiles)],
    ['data bytes', String(health.dataBytes)],
    ['rows', String(health.rows)],
    ['partitions', String(health.partitions)],
    ['amplification', health.amplification.toFixed(2)],
    ['small files', String(health.smallFiles)],
    ['delete files', String(health.deleteFiles)],
    ['delete ratio', health.deleteRatio.toFixed(4)],
    ['manifests', String(health.manifests)],
    ['snapshots', String(health.snapshots)],
    ['oldest snapshot', age(health.oldestSnapshotAgeMs)],
    ['last change', age(health.freshnessMs)],
  ];
}
