/** Pushed rows become rows of a source table, in one commit. */
import { randomUUID } from 'node:crypto';
import { type Connection, type Engine, sqlType } from '../engine/index.js';
import { findSnapshot } from '../iceberg/index.js';
import {
  type BatchRows,
  knownBatches,
  type OnlineWriteResult,
  openBatches,
  PUSHED_AT,
  PUSHED_ONLINE,
} from '../online/index.js';
import { sizeOfFiles, stageRows } from '../staging/index.js';
import {
  commitAppend,
  findIdempotencyKeys,
  type IdempotencyKey,
  IdempotencyKeysTaken,
  loadTable,
  recordingKeys,
  requireCatalog,
  type Table,
} from '../tables/index.js';
import type { SourceTarget } from './push-plan.js';

/** What a push wrote into a source table, as `OnlineWriteResult` says it of an online table. */
export interface PushedTable extends Omit<OnlineWriteResult, 'view'> {
  readonly table: string;
}

export interface PushedRows {
  readonly rows: BatchRows;
  /** Created time of rows without one. */
  readonly nowUs: bigint;
  /** Whether online tables get the rows, too. */
  readonly isOnline: boolean;
  readonly key: IdempotencyKey | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Appends pushed rows, once under their key.
 * @throws IDEMPOTENCY_KEY_REUSED; what reading the rows throws; as `commitAppend`
 */
export async function appendPushed(
  engine: Engine,
  target: SourceTarget,
  { rows, nowUs, isOnline, key, signal }: PushedRows,
): Promise<PushedTable> {
  let { table } = target;
  const nothing = { table: target.name, snapshotId: null, outcome: 'nothing', rows: 0n, files: 0, bytes: 0n } as const;
  for (;;) {
    const known = await findPushed(table, key);
    if (known !== undefined) return { ...nothing, snapshotId: known.snapshotId, outcome: 'already-committed' };
    const base = table;
    const files = await engine.withConnection(
      (connection) => stagePushed(connection, { ...target, table: base }, { rows, nowUs }),
      { signal },
    );
    if (files.length === 0) return nothing;
    try {
      const { snapshotId } = await commitAppend(base, {
        files,
        run: { key: `push-${randomUUID()}` },
        summary: new Map([
          ['moraine.kind', 'push'],
          [PUSHED_AT, String(nowUs)],
          [PUSHED_ONLINE, String(isOnline)],
        ]),
        isCostly: true,
        ...recordingKeys(base, key === undefined ? [] : [key]),
      });
      return { ...nothing, snapshotId, outcome: 'committed', ...sizeOfFiles(files) };
    } catch (error) {
      // Who has the key is found in the newer table.
      if (!(error instanceof IdempotencyKeysTaken)) throw error;
      table = await loadTable(requireCatalog(base), base.io, base.identifier);
    }
  }
}

async function stagePushed(
  connection: Connection,
  { table, columns, created }: SourceTarget,
  batch: Pick<PushedRows, 'rows' | 'nowUs'>,
): ReturnType<typeof stageRows> {
  const { sql, errors } = await openBatches(connection, columns, [batch]);
  const [error] = errors as readonly (Error | undefined)[];
  if (error !== undefined) throw error;
  const values = columns.schema.fields.map(({ name, type }, index) =>
    created.has(name) ? `coalesce(b${index}, CAST(make_timestamptz(now_us) AS ${sqlType(type)}))` : `b${index}`,
  );
  const select = `SELECT ${values.join(', ')} FROM (${sql})`;
  return await stageRows(connection, table, { select, namePrefix: randomUUID() });
}

/** An earlier push under the same key. */
export interface EarlierPush {
  readonly snapshotId: bigint;
  /** Created time of its rows without one; undefined where that is not known. */
  readonly pushedAtUs: bigint | undefined;
}

/** The commit that has the rows of a key. @throws IDEMPOTENCY_KEY_REUSED if something else was written under it */
export async function findPushed(table: Table, key: IdempotencyKey | undefined): Promise<EarlierPush | undefined> {
  if (key === undefined) return undefined;
  const known = knownBatches([key], await findIdempotencyKeys(table, [key.key])).get(0);
  if (known === undefined || 'sameAs' in known) return undefined;
  if ('error' in known) throw known.error;
  const { snapshotId } = known;
  const pushedAt = findSnapshot(table.metadata, snapshotId)?.summary?.get(PUSHED_AT);
  return { snapshotId, pushedAtUs: pushedAt === undefined ? undefined : BigInt(pushedAt) };
}
