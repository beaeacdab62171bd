/** Pushed rows become rows of a source table: those of several pushes in one commit. */
import { randomUUID } from 'node:crypto';
import { type Connection, type Engine, sqlType } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import type { DataFile } from '../iceberg/index.js';
import {
  type BatchRows,
  type KnownBatch,
  knownBatches,
  type OnlineWriteResult,
  type OpenedBatches,
  type Outcome,
  openBatches,
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
export interface PushedTable extends Omit<OnlineWriteResult, 'view' | 'minSnapshot'> {
  readonly table: string;
}

/** The rows of a push for one source table. */
export interface SourcePush {
  readonly target: SourceTarget;
  readonly rows: BatchRows;
  /** Created time of rows without one, in microseconds since the epoch. A whole number of milliseconds: the record of the key has it. */
  readonly nowUs: bigint;
  /** Whether online tables get the rows, too. */
  readonly isOnline: boolean;
  readonly key: IdempotencyKey | undefined;
}

/**
 * Appends the rows of one push, once under its key.
 * @throws IDEMPOTENCY_KEY_REUSED; COMMIT_CONFLICT; what reading the rows throws; as `commitAppend`
 */
export async function appendPushed(engine: Engine, push: SourcePush, signal?: AbortSignal): Promise<PushedTable> {
  const [outcome] = await appendPushes(engine, [push], signal);
  if (outcome === undefined || 'error' in outcome) throw outcome?.error;
  return outcome.result;
}

/** Whether two pushes to one table may be in one commit. */
export function areAlike(first: SourcePush, push: SourcePush): boolean {
  return first.isOnline === push.isOnline && first.target.shape === push.target.shape;
}

/**
 * Appends the rows of pushes that are alike, in one commit. A push some of whose rows tie with those of an earlier one gets the next commit, since the order of
 * commits decides which of them wins; so does one that repeats the key of an earlier one, and finds it committed.
 * @param pushes to one table, in the order that they arrived in
 * @returns an outcome for each; one whose rows cannot be read fails alone
 */
export async function appendPushes(
  engine: Engine,
  pushes: readonly SourcePush[],
  signal?: AbortSignal,
): Promise<readonly Outcome<PushedTable>[]> {
  const outcomes = new Map<SourcePush, Outcome<PushedTable>>();
  let table = newestOf(pushes);
  for (;;) {
    const left = pushes.filter((push) => !outcomes.has(push));
    if (table === undefined || left.length === 0) break;
    try {
      const round = await appendRound(engine, { table, pushes: left, signal });
      for (const [push, outcome] of round.outcomes) outcomes.set(push, outcome);
      table = round.table;
    } catch (thrown) {
      try {
        // Who has a key that is taken is found in the newer table.
        if (!(thrown instanceof IdempotencyKeysTaken)) throw thrown;
        table = await loadTable(requireCatalog(table), table.io, table.identifier);
      } catch (error) {
        for (const push of left) outcomes.set(push, { error });
      }
    }
  }
  return pushes.flatMap((push) => outcomes.get(push) ?? []);
}

/** The table as the push saw it that looked last. */
function newestOf(pushes: readonly SourcePush[]): Table | undefined {
  return pushes
    .map(({ target }) => target.table)
    .reduce<Table | undefined>((newest, table) => {
      const isNewer = newest === undefined || table.metadata.lastSequenceNumber > newest.metadata.lastSequenceNumber;
      return isNewer ? table : newest;
    }, undefined);
}

interface Round {
  readonly table: Table;
  readonly pushes: readonly SourcePush[];
  readonly signal: AbortSignal | undefined;
}

/** Makes one commit. @returns outcomes of one push at least, and the table with the commit */
async function appendRound(
  engine: Engine,
  { table, pushes, signal }: Round,
): Promise<{ readonly outcomes: ReadonlyMap<SourcePush, Outcome<PushedTable>>; readonly table: Table }> {
  const outcomes = new Map<SourcePush, Outcome<PushedTable>>();
  const keys = pushes.map(({ key }) => key);
  const named = keys.flatMap((key) => key?.key ?? []);
  const known = knownBatches(keys, await findIdempotencyKeys(table, named));
  for (const [place, batch] of known) {
    const push = pushes[place] as SourcePush;
    const outcome = outcomeOfKnown(push, batch);
    if (outcome !== undefined) outcomes.set(push, outcome);
  }
  const wanted = pushes.filter((_, place) => !known.has(place));
  const [first] = wanted;
  if (first === undefined) return { outcomes, table };
  requireSameSchema(table, first.target);
  const { files, opened, tied } = await engine.withConnection(
    (connection) => stagePushes(connection, { ...first.target, table }, wanted),
    { signal },
  );
  const written: SourcePush[] = [];
  for (const [place, push] of wanted.entries()) {
    const error = opened.errors[place];
    if (error !== undefined) outcomes.set(push, { error });
    else if (opened.counts[place] === 0n || files.length === 0) outcomes.set(push, { result: nothingOf(push) });
    else if (!tied.has(place)) written.push(push);
  }
  if (written.length === 0) return { outcomes, table };
  const { snapshotId, metadata, metadataLocation } = await commitAppend(table, {
    files,
    run: { key: `push-${randomUUID()}` },
    summary: new Map([
      ['moraine.kind', 'push'],
      [PUSHED_ONLINE, String(first.isOnline)],
    ]),
    isCostly: true,
    ...recordingKeys(table, written.flatMap(timedKey)),
  });
  const size = sizeOfFiles(files);
  for (const push of written) {
    const rows = opened.counts[wanted.indexOf(push)] ?? size.rows;
    outcomes.set(push, { result: { ...nothingOf(push), snapshotId, outcome: 'committed', ...size, rows } });
  }
  return { outcomes, table: { ...table, metadata, metadataLocation } };
}

/** Undefined: it waits for the push that it repeats. */
function outcomeOfKnown(push: SourcePush, batch: KnownBatch): Outcome<PushedTable> | undefined {
  if ('sameAs' in batch) return undefined;
  if ('error' in batch) return batch;
  return { result: { ...nothingOf(push), snapshotId: batch.snapshotId, outcome: 'already-committed' } };
}

function nothingOf({ target }: SourcePush): PushedTable {
  return { table: target.name, snapshotId: null, outcome: 'nothing', rows: 0n, files: 0, bytes: 0n };
}

/** The record of the key has the time of the push, which a repeat gives its rows. */
function timedKey({ key, nowUs }: SourcePush): readonly IdempotencyKey[] {
  return key === undefined ? [] : [{ ...key, atMs: nowUs / 1000n }];
}

function requireSameSchema({ metadata }: Table, { table: planned, label }: SourceTarget): void {
  const { tableUuid, currentSchemaId } = planned.metadata;
  if (metadata.tableUuid === tableUuid && metadata.currentSchemaId === currentSchemaId) return;
  throw new MoraineError('COMMIT_CONFLICT', `The ${label} got other columns during the push. Push again.`);
}

interface StagedPushes {
  readonly files: readonly DataFile[];
  readonly opened: OpenedBatches;
  /** Places of pushes whose rows are not in the files. */
  readonly tied: ReadonlySet<number>;
}

async function stagePushes(
  connection: Connection,
  target: SourceTarget,
  pushes: readonly SourcePush[],
): Promise<StagedPushes> {
  const opened = await openBatches(connection, target.columns, pushes);
  const columns = new Map(
    target.columns.schema.fields.map(({ name, type }, index) => {
      const given = `b${index}`;
      const now = `CAST(make_timestamptz(now_us) AS ${sqlType(type)})`;
      return [name, target.created.has(name) ? `coalesce(${given}, ${now})` : given];
    }),
  );
  const tied = pushes.length === 1 ? new Set<number>() : await tiedBatches(connection, target, opened, columns);
  const others = tied.size === 0 ? '' : ` WHERE batch NOT IN (${[...tied].join(', ')})`;
  const select = `SELECT ${[...columns.values()].join(', ')} FROM (${opened.sql})${others}`;
  const files = await stageRows(connection, target.table, { select, namePrefix: randomUUID() });
  return { files, opened, tied };
}

/** Places of batches with a row that ties with one of an earlier batch, for one of the views. */
async function tiedBatches(
  connection: Connection,
  { identities }: SourceTarget,
  { sql }: OpenedBatches,
  columns: ReadonlyMap<string, string>,
): Promise<ReadonlySet<number>> {
  const tied = identities.map((names) => {
    const identity = names.map((name) => columns.get(name) ?? 'NULL').join(', ');
    return `SELECT batch FROM (SELECT batch, min(batch) OVER (PARTITION BY ${identity}) AS earliest FROM (${sql})) WHERE batch > earliest`;
  });
  const rows = await connection.rows(tied.join(' UNION '));
  return new Set(rows.map(([batch]) => Number(batch)));
}

/** An earlier push under the same key. */
export interface EarlierPush {
  readonly snapshotId: bigint;
  /** Created time of its rows without one. */
  readonly pushedAtUs: bigint;
}

/** The commit that has the rows of a key. @throws IDEMPOTENCY_KEY_REUSED if something else was written under it */
export async function findPushed(table: Table, key: IdempotencyKey | undefined): Promise<EarlierPush | undefined> {
  if (key === undefined) return undefined;
  const known = knownBatches([key], await findIdempotencyKeys(table, [key.key])).get(0);
  if (known === undefined || 'sameAs' in known) return undefined;
  if ('error' in known) throw known.error;
  return { snapshotId: known.snapshotId, pushedAtUs: known.committedMs * 1000n };
}
