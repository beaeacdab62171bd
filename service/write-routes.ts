/** Paths that write features. */
import type { BatchColumns, OnlineWriter } from '../online/index.js';
import { batchRowsOf, dataFrameOf } from './data-frame.js';
import type { Route } from './route.js';
import { WRITE_ANSWER, WRITE_REQUEST } from './schemas.js';
import { SNAPSHOTS_HEADER, snapshotsText } from './snapshot-headers.js';

export interface WriteDeps {
  readonly writer: OnlineWriter;
}

const MAX_WRITE_BYTES = 64 * 2 ** 20;

export function writeRoutes(deps: WriteDeps): readonly Route[] {
  return [writeToOnlineStore(deps)];
}

/** A body that its schema allows. */
interface WriteBody {
  readonly feature_view_name: string;
  readonly df: Readonly<Record<string, readonly unknown[]>>;
}

function writeToOnlineStore({ writer }: WriteDeps): Route {
  return {
    method: 'POST',
    path: '/write-to-online-store',
    summary: "Write rows into the online table of a feature view, as Feast's client sends them.",
    scope: 'write',
    body: WRITE_REQUEST,
    maxBodyBytes: MAX_WRITE_BYTES,
    answers: { 200: WRITE_ANSWER },
    errors: [404, 409, 429, 501, 503, 504],
    answerHeaders: { 'Moraine-Snapshots': 'The snapshot that has the rows: VIEW=SNAPSHOT-ID.' },
    handle: async ({ body, headers }, reply) => {
      const { feature_view_name: view, df } = body as WriteBody;
      const frame = dataFrameOf(df);
      const rows = { read: (columns: BatchColumns) => batchRowsOf(frame, columns, view) };
      const bytes = Number(headers['content-length'] ?? 0);
      const result = await writer.write(view, { rows, pushed: true }, bytes);
      const { snapshotId } = result;
      return reply
        .header(SNAPSHOTS_HEADER, snapshotsText([{ view, snapshotId }]))
        .send({ feature_view_name: view, snapshot: snapshotId?.toString() ?? null, rows: Number(result.rows) });
    },
  };
}
