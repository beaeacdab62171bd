/**
 * The headers that tell and ask for snapshots: `VIEW=SNAPSHOT-ID;sequence=NUMBER;table=UUID`, with commas between them. With number and table a snapshot is known after it has
 * expired, too; a request may leave them out. Names of views are of letters, digits, `_` and `-`; names of tables may be of anything, and are percent-encoded.
 */
import { MoraineError } from '../errors/index.js';
import type { OnlineResponse, SnapshotName } from '../online/index.js';

const SNAPSHOTS_HEADER = 'moraine-snapshots';
const LEFT_OUT_HEADER = 'moraine-snapshots-left-out';
const SEPARATOR = ', ';
export const STALENESS_HEADER = 'moraine-staleness-ms';
const MIN_SNAPSHOT_HEADER = 'moraine-min-snapshot';

/** For the API document. */
export const MIN_SNAPSHOT_HEADERS = {
  'Moraine-Min-Snapshot':
    'Snapshots that the answer must contain, as Moraine-Snapshots has them or as VIEW=SNAPSHOT-ID, with commas between them.',
};

/** The form of a snapshot in the headers of answers, for the API document. */
export const SNAPSHOT_FORM = 'VIEW=SNAPSHOT-ID;sequence=NUMBER;table=UUID';

/** The form of a table's snapshot in the headers of answers, for the API document. */
export const TABLE_SNAPSHOT_FORM = 'TABLE=SNAPSHOT-ID, the name percent-encoded as UTF-8 (RFC 3986)';

type SnapshotOfView = SnapshotName & { readonly view: string };

/** Bytes of the header of snapshots: clients take 16 KiB of headers together (Node), or less (proxies). */
const MAX_SNAPSHOTS_BYTES = 2 ** 13;

/** For the API document. */
export const LEFT_OUT_HEADERS = {
  'Moraine-Snapshots-Left-Out': 'How many snapshots Moraine-Snapshots has no room for; not there if it has all.',
};

/**
 * The headers for the snapshots of views. A view that was never written has none, and is left out. Where there is not room for all in their full form, all have the short one.
 */
export function viewSnapshotHeaders(snapshots: readonly SnapshotOfView[]): SnapshotHeaders {
  const written = snapshots.filter(({ snapshotId }) => snapshotId !== null);
  const short = written.map(({ view, snapshotId }) => `${view}=${snapshotId}`);
  const full = written.map(({ sequenceNumber, tableUuid }, place) => {
    const isFull = sequenceNumber !== undefined && tableUuid !== undefined;
    return `${short[place]}${isFull ? `;sequence=${sequenceNumber};table=${tableUuid}` : ''}`;
  });
  return countOfRoom(full) === full.length ? headersOf(full) : headersOf(short);
}

/** The headers for the snapshots of tables that a retrieval has read: `TABLE=SNAPSHOT-ID`, as `TABLE_SNAPSHOT_FORM` says. */
export function tableSnapshotHeaders(snapshots: ReadonlyMap<string, bigint>): SnapshotHeaders {
  const encoded = (table: string): string => encodeURIComponent(table).replaceAll('%2F', '/');
  return headersOf([...snapshots].map(([table, id]) => `${encoded(table)}=${id}`));
}

type SnapshotHeaders = Readonly<Record<string, string>>;

function headersOf(texts: readonly string[]): SnapshotHeaders {
  const count = countOfRoom(texts);
  const shown = { [SNAPSHOTS_HEADER]: texts.slice(0, count).join(SEPARATOR) };
  return count === texts.length ? shown : { ...shown, [LEFT_OUT_HEADER]: String(texts.length - count) };
}

/** The number of texts that fit into the header. They are ASCII. */
function countOfRoom(texts: readonly string[]): number {
  let bytes = -SEPARATOR.length;
  for (const [place, text] of texts.entries()) {
    bytes += SEPARATOR.length + text.length;
    if (bytes > MAX_SNAPSHOTS_BYTES) return place;
  }
  return texts.length;
}

const MIN_SNAPSHOT = /^\s*([^\s=;]+)=(\d{1,19})(?:;sequence=(\d{1,19});table=([\da-f-]{36}))?\s*$/;

/** What the headers of a request ask for; undefined if they ask for nothing. @throws INVALID_ARGUMENT */
export function minSnapshotsOf(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): ReadonlyMap<string, SnapshotName> | undefined {
  const header = headers[MIN_SNAPSHOT_HEADER];
  return header === undefined ? undefined : parseMinSnapshots(String(header));
}

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
