/**
 * Pushing rows to a push source: every view that names it gets them. Everything is checked first; then source tables are appended to, then online tables, each in a commit
 * of its own. Under a key each commit is made once, so that a repeat finishes the rest. ADR 0041.
 */
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { BatchRows, OnlineWriteDeps, OnlineWriteResult } from '../online/index.js';
import { type IdempotencyKey, idempotencyKey } from '../tables/index.js';
import { appendPushed, findPushed, type PushedTable, type SourcePush } from './push-append.js';
import {
  type PushPlan,
  type PushTarget,
  type PushTo,
  planPush,
  type SourceTarget,
  type ViewTarget,
} from './push-plan.js';

/** The rows of a push. */
export interface PushedInput {
  /**
   * Opens the rows. Called once, if there is anything to write.
   * @param targets that are still to be written
   * @throws for columns that are not right
   */
  open(plan: PushPlan, targets: readonly PushTarget[]): Promise<(target: PushTarget) => BatchRows>;
}

export interface OnlinePush {
  readonly rows: BatchRows;
  /** Whether rebuilds from the source keep the rows: they are not in the source. */
  readonly pushed: boolean;
  readonly key: IdempotencyKey | undefined;
  readonly nowUs: bigint;
}

export interface PushDeps extends OnlineWriteDeps {
  /** Writes rows into the online table of a view in one commit. */
  readonly writeOnline: (view: string, push: OnlinePush) => Promise<OnlineWriteResult>;
  /** Appends rows to a source table; in a commit of their own by default. */
  readonly appendSource?: (push: SourcePush) => Promise<PushedTable>;
  /** As `planPush`, from a look that begins after the call; `planPush` by default. */
  readonly plan?: (source: string, to: PushTo) => Promise<PushPlan>;
}

export interface RowsPush {
  readonly source: string;
  readonly to: PushTo;
  readonly input: PushedInput;
  /** Keys of the tables come from it. */
  readonly key?: IdempotencyKey | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Result of a push. */
export interface PushResult {
  readonly source: string;
  readonly to: PushTo;
  /** Source tables, each once. */
  readonly tables: readonly PushedTable[];
  /** Online tables, by the names of their views. */
  readonly views: readonly OnlineWriteResult[];
}

/** @throws as `push`; where some commits were made before the error, its message and `details.written` name them */
export async function pushRows(deps: PushDeps, { source, to, input, key, signal }: RowsPush): Promise<PushResult> {
  const plan = await (deps.plan?.(source, to) ?? planPush(deps, source, to));
  const [tableKey, viewKey] = [partKey(key, 'source'), partKey(key, 'online')];
  const { pending, pushedAtUs } = await findPending(plan, tableKey, viewKey);
  const nowUs = pushedAtUs ?? BigInt(Date.now()) * 1000n;
  const rowsOf = pending.length === 0 ? noRows : await input.open(plan, pending);
  // The writing of a single one checks them.
  if (pending.length > 1) for (const target of pending) await checkRows(deps, rowsOf(target), target, signal);
  const written: string[] = [];
  const isOnline = to !== 'offline';
  const append = deps.appendSource ?? ((push) => appendPushed(deps.engine, push, signal));
  const tables = await writeAll(plan.tables, written, source, (target: SourceTarget) =>
    append({ target, rows: rowsOf(target), nowUs, isOnline, key: tableKey }),
  );
  const pushed = to === 'online';
  const views = await writeAll(plan.views, written, source, (target: ViewTarget) =>
    deps.writeOnline(target.view, { rows: rowsOf(target), pushed, key: viewKey, nowUs }),
  );
  return { source, to, tables, views };
}

/** The key in tables of a kind: one table may be the source of a view and the online table of another. */
function partKey(key: IdempotencyKey | undefined, part: 'source' | 'online'): IdempotencyKey | undefined {
  if (key === undefined) return undefined;
  return idempotencyKey(`push/${part}/${key.key}`, key.content);
}

/** What no earlier push under the key has written, and the created time that such a push gave to rows without one. */
async function findPending(
  { tables, views }: PushPlan,
  tableKey: IdempotencyKey | undefined,
  viewKey: IdempotencyKey | undefined,
): Promise<{ readonly pending: readonly PushTarget[]; readonly pushedAtUs: bigint | undefined }> {
  const ofTables = await Promise.all(tables.map(({ table }) => findPushed(table, tableKey)));
  const ofViews = await Promise.all(
    views.map(async ({ made }) => (made === null ? undefined : await findPushed(made, viewKey))),
  );
  const known = [...ofTables, ...ofViews];
  return {
    pending: [...tables, ...views].filter((_, place) => known[place] === undefined),
    pushedAtUs: ofTables.find((found) => found !== undefined)?.pushedAtUs,
  };
}

/** The rows for targets that an earlier push has written: none. */
const noRows = (): BatchRows => ({ read: () => [] });

async function checkRows(
  { engine }: PushDeps,
  rows: BatchRows,
  { columns }: PushTarget,
  signal: AbortSignal | undefined,
): Promise<void> {
  if ('read' in rows) rows.read(columns);
  else await engine.withConnection((connection) => rows.open(connection, columns), { signal });
}

/**
 * Writes to all of them, also where it fails for some.
 * @param written gets the labels and snapshots of what was committed
 * @throws the first error, with what was written
 */
async function writeAll<Target extends PushTarget, Result extends Pick<OnlineWriteResult, 'snapshotId'>>(
  targets: readonly Target[],
  written: string[],
  source: string,
  write: (target: Target) => Promise<Result>,
): Promise<readonly Result[]> {
  const settled = await Promise.allSettled(
    targets.map(async (target) => {
      const result = await write(target);
      if (result.snapshotId !== null) written.push(`${target.label} (snapshot ${result.snapshotId})`);
      return result;
    }),
  );
  return settled.map((outcome) => {
    if (outcome.status === 'fulfilled') return outcome.value;
    throw withWritten(outcome.reason, written, source);
  });
}

function withWritten(error: unknown, written: readonly string[], source: string): unknown {
  if (written.length === 0 || !isMoraineError(error)) return error;
  const message = `${error.message} The push to '${source}' was committed in part: to ${written.join(', ')}. Repeated under its key it writes the rest; without a key it writes everything again.`;
  return new MoraineError(error.code, message, {
    details: { ...error.details, written },
    cause: error,
    remedy: error.remedy,
  });
}
