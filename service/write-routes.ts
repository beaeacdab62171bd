/** Paths that write features. */
import type { BatchColumns } from '../online/index.js';
import { batchRowsOf, dataFrameOf, rowCount } from './data-frame.js';
import { IDEMPOTENCY_HEADER, idempotencyKeyOf } from './idempotency-key.js';
import { type PushDeps, pushRoute } from './push-route.js';
import type { Route } from './route.js';
import { WRITE_ANSWER, WRITE_REQUEST } from './schemas.js';
import { SNAPSHOT_FORM, viewSnapshotHeaders } from './snapshot-headers.js';
import { shareOf } from './write-arrival.js';

export type WriteDeps = PushDeps;

const MAX_WRITE_BYTES = 64 * 2 ** 20;

export function writeRoutes(deps: WriteDeps): readonly Route[] {
  return [writeToOnlineStore(deps), pushRoute(deps, MAX_WRITE_BYTES)];
}

/** A body that its schema allows. */
interface WriteBody {
  readonly feature_view_name: string;
  readonly df: Readonly<Record<string, readonly unknown[]>>;
}

function writeToOnlineStore({ writer, room }: WriteDeps): Route {
  return {
    method: 'POST',
    path: '/write-to-online-store',
    summary: "Write rows into the online table of a feature view, as Feast's client sends them.",
    scope: 'write',
    body: WRITE_REQUEST,
    maxBodyBytes: MAX_WRITE_BYTES,
    room,
    answers: { 200: WRITE_ANSWER },
    errors: [404, 409, 422, 429, 501, 503, 504],
    answerHeaders: {
      'Moraine-Snapshots': `The snapshot that has the rows: ${SNAPSHOT_FORM}.`,
    },
    headers: IDEMPOTENCY_HEADER,
    handle: async (request, reply) => {
      const { feature_view_name: view, df } = request.body as WriteBody;
      const key = idempotencyKeyOf(request);
      const frame = dataFrameOf(df);
      const rows = { read: (columns: BatchColumns) => batchRowsOf(frame, columns, `feature view '${view}'`) };
      const size = { bytes: request.bodyBytes, rows: rowCount(frame) };
      const batch = { rows, pushed: true, key };
      const { snapshotId, minSnapshot } = await shareOf(request).hold(() => writer.write(view, batch, size));
      return reply
        .headers(viewSnapshotHeaders([{ view, ...minSnapshot }]))
        .send({ feature_view_name: view, snapshot: snapshotId?.toString() ?? null, rows: rowCount(frame) });
    },
  };
}
