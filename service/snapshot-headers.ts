/**
 * The headers that tell and ask for snapshots: `VIEW=SNAPSHOT-ID;sequence=NUMBER;table=UUID`, with commas between them. With number and table a snapshot is known after it has
 * expired, too; a request may leave them out. Names of views are of letters, digits, `_` and `-`; names of tables may be of anything, and are percent-encoded.
 */
import { MoraineError } from '../errors/index.js';
import type { OnlineResponse, SnapshotName } from '../online/index.js';

export const SNAPSHOTS_HEADER = 'moraine-snapshots';
export const STALENESS_HEADER = 'moraine-staleness-ms';
export const MIN_SNAPSHOT_HEADER = 'moraine-min-snapshot';

/** The form of a snapshot in the headers of answers, for the API document. */
export const SNAPSHOT_FORM = 'VIEW=SNAPSHOT-ID;sequence=NUMBER;table=UUID';

/** The form of a table's snapshot in the headers of answers, for the API document. */
export const TABLE_SNAPSHOT_FORM = 'TABLE=SNAPSHOT-ID, the name percent-encoded as UTF-8 (RFC 3986)';

type SnapshotOfView = SnapshotName & { readonly view: string };

/** The snapshots of an answer. A view that was never written has none, and is left out. */
export function snapshotsText(snapshots: readonly SnapshotOfView[]): string {
  const texts = snapshots.flatMap(({ view, snapshotId, sequenceNumber, tableUuid }) => {
    if (snapshotId === null) return [];
    const isFull = sequenceNumber !== undefined && tableUuid !== undefined;
    return [`${view}=${snapshotId}${isFull ? `;sequence=${sequenceNumber};table=${tableUuid}` : ''}`];
  });
  return texts.join(', ');
}

/** The snapshots of tables that a retrieval has read: `TABLE=SNAPSHOT-ID`, as `TABLE_SNAPSHOT_FORM` says. */
export function tableSnapshotsText(snapshots: ReadonlyMap<string, bigint>): string {
  const encoded = (table: string): string => encodeURIComponent(table).replaceAll('%2F', '/');
  return [...snapshots].map(([table, id]) => `${encoded(table)}=${id}`).join(', ');
}

const MIN_SNAPSHOT = /^\s*([^\s=;]+)=(\d{1,19})(?:;sequence=(\d{1,19});table=([\da-f-]{36}))?\s*$/;

/**
 * By view: the snapshot that must be in what is read.
 * @throws INVALID_ARGUMENT
 */
export function parseMinSnapshots(header: string): ReadonlyMap<string, SnapshotName> {
  return new Map(
    header.split(',').map((part) => {
      const [, view, id, sequence, tableUuid] = MIN_SNAPSHOT.exec(part) ?? [];
      if (view !== undefined && id !== undefined) {
        const sequenceNumber = sequence === undefined ? undefined : BigInt(sequence);
        return [view, { snapshotId: BigInt(id), sequenceNumber, tableUuid }] as const;
      }
      throw new MoraineError(
        'INVALID_ARGUMENT',
        `The header Moraine-Min-Snapshot has ${JSON.stringify(part.slice(0, 100))}; write VIEW=SNAPSHOT-ID, or what an answer's Moraine-Snapshots has; several with commas between them.`,
      );
    }),
  );
}

/** @throws INVALID_ARGUMENT for a view that the answer did not read */
export function requireReadViews(
  wanted: ReadonlyMap<string, SnapshotName>,
  snapshots: OnlineResponse['snapshots'],
): void {
  const read = snapshots.map(({ view }) => view);
  for (const view of wanted.keys()) {
    if (read.includes(view)) continue;
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `The header Moraine-Min-Snapshot names '${view}', which the request does not read; it reads ${read.map((name) => `'${name}'`).join(', ')}.`,
    );
  }
}
