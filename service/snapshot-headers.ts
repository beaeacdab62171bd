/** The headers that tell and ask for snapshots: `VIEW=SNAPSHOT-ID`, with commas between them. */
import { MoraineError } from '../errors/index.js';
import type { OnlineResponse } from '../online/index.js';

export const SNAPSHOTS_HEADER = 'moraine-snapshots';
export const STALENESS_HEADER = 'moraine-staleness-ms';
export const MIN_SNAPSHOT_HEADER = 'moraine-min-snapshot';

type SnapshotOfView = Pick<OnlineResponse['snapshots'][number], 'view' | 'snapshotId'>;

/** The snapshots of an answer. A view that was never written has none, and is left out. */
export function snapshotsText(snapshots: readonly SnapshotOfView[]): string {
  return snapshots.flatMap(({ view, snapshotId }) => (snapshotId === null ? [] : [`${view}=${snapshotId}`])).join(', ');
}

/**
 * By view: the snapshot that must be in what is read.
 * @throws INVALID_ARGUMENT
 */
export function parseMinSnapshots(header: string): ReadonlyMap<string, bigint> {
  return new Map(
    header.split(',').map((part) => {
      const [, view, id] = /^\s*([^\s=]+)=(\d{1,19})\s*$/.exec(part) ?? [];
      if (view !== undefined && id !== undefined) return [view, BigInt(id)] as const;
      throw new MoraineError(
        'INVALID_ARGUMENT',
        `The header Moraine-Min-Snapshot has ${JSON.stringify(part.slice(0, 100))}; write VIEW=SNAPSHOT-ID, several with commas between them.`,
      );
    }),
  );
}

/** @throws INVALID_ARGUMENT for a view that the answer did not read */
export function requireReadViews(wanted: ReadonlyMap<string, bigint>, snapshots: OnlineResponse['snapshots']): void {
  const read = snapshots.map(({ view }) => view);
  for (const view of wanted.keys()) {
    if (read.includes(view)) continue;
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `The header Moraine-Min-Snapshot names '${view}', which the request does not read; it reads ${read.map((name) => `'${name}'`).join(', ')}.`,
    );
  }
}
