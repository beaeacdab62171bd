import { countText } from '../../errors/index.js';
import type { Snapshot } from '../../iceberg/index.js';
import { type CommandContext, printJson } from '../context.js';
import { withTable } from '../options/table-argument.js';
import { formatColumns } from '../output/output.js';
import { describeSnapshot, type SnapshotDescription } from '../output/table-description.js';

/** Lists a table's snapshots, oldest first. */
export async function tableHistory(
  context: CommandContext,
  operands: readonly string[],
  options: { readonly root?: string; readonly json?: boolean },
): Promise<void> {
  await withTable(context, operands[0] ?? '', options, async ({ table: { metadata } }) => {
    const snapshots = [...metadata.snapshots].sort(byAge).map((snapshot) => describeSnapshot(metadata, snapshot));
    if (options.json === true) for (const snapshot of snapshots) await printJson(context, snapshot);
    else await context.stdout.write(formatHistory(snapshots));
  });
}

function byAge(a: Snapshot, b: Snapshot): number {
  return Number(a.sequenceNumber - b.sequenceNumber) || Number(a.timestampMs - b.timestampMs);
}

function formatHistory(snapshots: readonly SnapshotDescription[]): string {
  const rows = snapshots.map(({ snapshotId, parentSnapshotId, timestamp, operation, summary, refs, current }) => [
    current ? '*' : '',
    snapshotId,
    timestamp,
    operation ?? '',
    countOf(summary.get('added-records')),
    countOf(summary.get('total-records')),
    parentSnapshotId ?? '',
    refs.join(', '),
  ]);
  return formatColumns(
    ['', 'snapshot', 'committed', 'operation', { number: 'added' }, { number: 'total' }, 'parent', 'refs'],
    rows,
  );
}

/** A count of a snapshot's summary, where its writer recorded one. */
function countOf(text: string | undefined): string {
  return text !== undefined && /^\d+$/.test(text) ? countText(text) : (text ?? '');
}
