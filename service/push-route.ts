/** `POST /push`: rows for every view of a push source. */
import {
  columnProblem,
  type OnlinePush,
  type PushedInput,
  PushPlans,
  type PushTarget,
  type PushTo,
  pushRows,
  type SourcePush,
  type SourceWriter,
} from '../client/index.js';
import { MoraineError } from '../errors/index.js';
import type { BatchColumns, OnlineWriteDeps, OnlineWriter } from '../online/index.js';
import { batchRowsOf, type DataFrame, dataFrameOf, FEAST_DUMMY_KEY, rowCount } from './data-frame.js';
import { IDEMPOTENCY_HEADER, idempotencyKeyOf } from './idempotency-key.js';
import { PUSH_ANSWER, PUSH_REQUEST } from './push-schemas.js';
import type { Route } from './route.js';
import { LEFT_OUT_HEADERS, SNAPSHOT_FORM, viewSnapshotHeaders } from './snapshot-headers.js';
import { shareOf } from './write-arrival.js';
import type { WriteRoom } from './write-room.js';

export interface PushDeps {
  readonly online: OnlineWriteDeps;
  readonly writer: OnlineWriter;
  readonly sourceWriter: SourceWriter;
  readonly room: WriteRoom;
}

/** A body that its schema allows. */
interface PushBody {
  readonly push_source_name: string;
  readonly df: Readonly<Record<string, readonly unknown[]>>;
  readonly to?: PushTo;
}

export function pushRoute({ online, writer, sourceWriter, room }: PushDeps, maxBodyBytes: number): Route {
  const plans = new PushPlans(online);
  return {
    method: 'POST',
    path: '/push',
    summary: 'Write rows to every feature view that names a push source.',
    scope: 'write',
    body: PUSH_REQUEST,
    maxBodyBytes,
    room,
    answers: { 200: PUSH_ANSWER },
    errors: [404, 409, 410, 422, 429, 501, 503, 504],
    answerHeaders: {
      'Moraine-Snapshots': `The snapshots of online tables that have the rows: ${SNAPSHOT_FORM}.`,
      ...LEFT_OUT_HEADERS,
    },
    headers: IDEMPOTENCY_HEADER,
    handle: async (request, reply) => {
      const { push_source_name: source, df, to = 'online' } = request.body as PushBody;
      const key = idempotencyKeyOf(request);
      const frame = dataFrameOf(df);
      const size = { bytes: request.bodyBytes, rows: rowCount(frame) };
      const input: PushedInput = {
        open: async (plan, targets) => {
          const names = [...frame.keys()].filter((name) => name !== FEAST_DUMMY_KEY);
          const problem = names.length === 0 ? undefined : columnProblem(plan, targets, names, "The body's df has");
          if (problem !== undefined) throw new MoraineError('INVALID_ARGUMENT', problem.message);
          return (target: PushTarget) => ({ read: (columns: BatchColumns) => rowsOf(frame, target, columns) });
        },
      };
      const deps = {
        ...online,
        plan: (name: string, target: PushTo) => plans.plan(name, target),
        appendSource: (push: SourcePush) => sourceWriter.append(push, size),
        writeOnline: (view: string, push: OnlinePush) => writer.write(view, push, size),
      };
      const { tables, views } = await shareOf(request).hold(() => pushRows(deps, { source, to, key, input }));
      const snapshots = views.map(({ view, minSnapshot }) => ({ view, ...minSnapshot }));
      return reply.headers(viewSnapshotHeaders(snapshots)).send({
        push_source_name: source,
        to,
        rows: rowCount(frame),
        tables: tables.map(({ table, snapshotId }) => ({ table, snapshot: snapshotId?.toString() ?? null })),
        feature_views: views.map(({ view, snapshotId }) => {
          return { feature_view_name: view, snapshot: snapshotId?.toString() ?? null };
        }),
      });
    },
  };
}

/** The columns of the frame that a table takes, by its own names. Those that it needs are there. */
function rowsOf(
  frame: DataFrame,
  { columnOf, label }: PushTarget,
  columns: BatchColumns,
): ReturnType<typeof batchRowsOf> {
  const aliases = new Map<string, string>();
  const taken = new Map<string, readonly unknown[]>();
  for (const { name } of columns.schema.fields) {
    const pushed = columnOf.get(name);
    const column = pushed === undefined ? undefined : frame.get(pushed);
    if (pushed === undefined || column === undefined) continue;
    aliases.set(pushed, name);
    taken.set(pushed, column);
  }
  return batchRowsOf(taken, { ...columns, features: [], aliases }, label);
}
