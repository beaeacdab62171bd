/**
 * Dead letters become rows after all, each once: a replay is a sink of its own on the table that they were for. Its commits name the ids of their dead letters, which are
 * marked once the rows are in; whoever replays next does what the last one has left. ADR 0048.
 */
import { randomUUID } from 'node:crypto';
import { formatTableName, metadataFolder, type TableIdentifier } from '../../catalogs/index.js';
import { type Connection, plainValue, quoteLiteral } from '../../engine/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { currentSchema } from '../../iceberg/index.js';
import { loadTable, requireWritable, type Table } from '../../tables/index.js';
import { discardBatch, stageBatch } from '../batches/stage-batch.js';
import type { StagedBatch } from '../batches/staged-batch.js';
import { Coordinator } from '../protocol/coordinator.js';
import { requireAnchors } from '../protocol/find-state.js';
import type { SinkDeps } from '../sink-options.js';
import type { RejectedRecord, SinkRecords } from '../sink-records.js';
import { commitStaged } from '../upserts/commit-staged.js';
import type { UpsertOptions } from '../upserts/upsert-options.js';
import { CompanionTables } from './companion-tables.js';
import { deadLetterRowsSql, planDeadLetters } from './dead-letter-rows.js';
import { loadDeadLetterTable } from './dead-letter-table.js';
import { letterTies, placedSql } from './letter-places.js';
import { storeReplayed } from './mark-replayed.js';

export interface ReplayRequest {
  readonly deadLetters: TableIdentifier;
  /** The table that they were for. */
  readonly table: TableIdentifier;
  /** Makes records of dead letters as they came; the position of one that is rejected or omitted is the index of its letter. */
  readonly records: (letters: readonly Uint8Array[]) => SinkRecords;
  /** Dead letters that are judged and committed together; 10,000 by default. */
  readonly batchSize?: number | undefined;
  /** Tells how many dead letters are rows now, and changes nothing. */
  readonly dryRun?: boolean | undefined;
  /** As that of the sink: an old dead letter never beats a newer row. Where nobody knows which of two with one order is newer, the table's row stays. */
  readonly upsert?: UpsertOptions | undefined;
  /** Go on if the list of what an earlier replay has made rows of is gone: these dead letters are replayed again then. */
  readonly abandonLost?: boolean | undefined;
  /** Told of each batch. */
  readonly onBatch?: ((batch: ReplayedBatch) => void) | undefined;
  /** Told of each sink whose dead letters are left, because it writes in another way. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** Ends the replay between two batches. */
  readonly signal?: AbortSignal | undefined;
}

export interface ReplayedBatch {
  readonly rows: bigint;
  /** Dead letters that an upsert has left out; they are marked as replayed, too. */
  readonly superseded: bigint;
  /** Null: none of them has become a row, or it was a dry run. */
  readonly snapshotId: bigint | null;
  /** Dead letters that are no rows still. */
  readonly rejected: readonly RejectedRecord[];
}

interface DeadLetter {
  readonly id: string;
  readonly raw: Uint8Array;
}

const DEFAULT_BATCH = 10_000;
/** Bytes of dead letters that are taken into memory at once, the last one beyond it. */
const MAX_BATCH_BYTES = 64 * 2 ** 20;

/**
 * Writes the dead letters of a table that fit it now, those that were not replayed before, and marks them.
 * @throws MoraineError `SINK_FENCED` if another replay has begun; `INVALID_ARGUMENT`, also where no sink writes as the replay does; `TABLE_NOT_FOUND`, `SINK_TABLE_LOST`, and
 *   what staging and committing throw
 */
export async function replayDeadLetters(deps: SinkDeps, request: ReplayRequest): Promise<void> {
  const { deadLetters, abandonLost = false, dryRun = false, batchSize = DEFAULT_BATCH, signal } = request;
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new MoraineError('INVALID_ARGUMENT', `batchSize is ${batchSize}; it must be a whole number above 0.`);
  const waiting = await loadDeadLetterTable(deps, deadLetters);
  const table = await loadTable(deps.catalog, deps.io, request.table);
  requireWritable(table);
  // Before it takes the place of a replay that runs.
  const sinks = await deps.engine.withConnection((connection) => replayedSinks(connection, waiting, table, request));
  const replay = dryRun ? null : await Replay.open(deps, table, `${waiting.metadata.tableUuid}/replay`, abandonLost);
  // What an earlier replay had left to mark is marked only now.
  const current = await loadDeadLetterTable(deps, deadLetters);
  await deps.engine.withConnection(async (connection) => {
    const todo = `moraine_replay_${randomUUID().replaceAll('-', '_')}`;
    await collect(connection, current, waitingSql(table, sinks), todo);
    try {
      for await (const letters of batchesOf(connection, todo, batchSize)) {
        if (signal?.aborted === true) break;
        const records = request.records(letters.map(({ raw }) => raw));
        const batch = await (replay === null
          ? judge(connection, table, records)
          : replay.write(letters, records, current, request.upsert));
        request.onBatch?.(batch);
      }
    } finally {
      await connection.run(`DROP TABLE IF EXISTS ${todo}`);
    }
  });
  await replay?.close();
}

class Replay {
  readonly #deps: SinkDeps;
  readonly #coordinator: Coordinator;
  readonly #companions: CompanionTables;

  private constructor(deps: SinkDeps, coordinator: Coordinator, companions: CompanionTables) {
    this.#deps = deps;
    this.#coordinator = coordinator;
    this.#companions = companions;
  }

  static async open(deps: SinkDeps, table: Table, name: string, abandonLost: boolean): Promise<Replay> {
    const coordinator = await Coordinator.open(table, name);
    const companions = new CompanionTables(deps, coordinator, abandonLost);
    await companions.finish(coordinator.pending);
    return new Replay(deps, coordinator, companions);
  }

  async write(
    letters: readonly DeadLetter[],
    records: SinkRecords,
    deadLetters: Table,
    upsert: UpsertOptions | undefined,
  ): Promise<ReplayedBatch> {
    const { engine } = this.#deps;
    const { table } = this.#coordinator;
    const buffered = { records: [records], ranges: [], bytes: records.bytes, delivery: 'exactly-once' } as const;
    const traced = upsert === undefined ? undefined : { ...upsert, tracesKeys: true };
    const staged = await stageBatch(engine, table, buffered, traced);
    const { rows, superseded, rejected } = staged;
    // Those that a function leaves out are marked as well, in a commit without rows if need be.
    if (rejected.length === letters.length) return { rows, superseded, snapshotId: null, rejected };
    try {
      const idOfKey = idsOfKeys(staged, letters);
      const pending = [await this.#marks(staged, letters, deadLetters, idOfKey)];
      const breakTies = letterTies(this.#deps, deadLetters.identifier, table.metadata.tableUuid, idOfKey);
      const work = { ...staged, pending };
      const committed = await commitStaged(engine, this.#coordinator, work, upsert, { breakTies });
      await this.#companions.finish(pending);
      const { snapshotId, lost } = committed;
      return { rows: rows - lost, superseded: superseded + lost, snapshotId, rejected };
    } catch (error) {
      const isCommitted = this.#coordinator.pending.some(({ batchId }) => batchId === staged.id);
      if (!isCommitted && !this.#coordinator.wasSent(staged.id)) await discardBatch(table, staged);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#companions.close();
  }

  /** Stores which dead letters the batch makes rows of. */
  async #marks(
    { id, rejected }: StagedBatch,
    letters: readonly DeadLetter[],
    deadLetters: Table,
    idOfKey: ReadonlyMap<string, string>,
  ) {
    const target = await this.#companions.lease(deadLetters);
    const left = new Set(rejected.map(({ position }) => Number(position?.offset)));
    const ids = letters.filter((_, index) => !left.has(index)).map((letter) => letter.id);
    const file = `${metadataFolder(target.metadata)}/${this.#companions.prefixOf(id)}-replayed.json`;
    const keys = new Map([...idOfKey].map(([key, letter]) => [letter, key]));
    await storeReplayed(target.io, file, { ids, keys, replayedAtMs: Date.now() });
    const { identifier, metadata } = target;
    return { kind: 'mark-replayed', batchId: id, table: identifier, tableUuid: metadata.tableUuid, file } as const;
  }
}

/** The dead letter that became the row of each key; empty where that cannot be told. */
function idsOfKeys(
  { rows, superseded, rejected, keyPlaces }: StagedBatch,
  letters: readonly DeadLetter[],
): ReadonlyMap<string, string> {
  if (keyPlaces === undefined) return new Map();
  const gone = new Set([...rejected.map(({ position }) => position?.offset), ...keyPlaces.omitted]);
  const filled = letters.filter((_, index) => !gone.has(BigInt(index)));
  if (BigInt(filled.length) !== rows + superseded) return new Map();
  return new Map(
    [...keyPlaces.places].flatMap(([key, place]) => {
      const letter = filled[place];
      return letter === undefined ? [] : [[key, letter.id] as const];
    }),
  );
}

async function judge(connection: Connection, table: Table, records: SinkRecords): Promise<ReplayedBatch> {
  const opened = await records.open(connection, currentSchema(table.metadata));
  await opened.close();
  return { rows: opened.rows, superseded: 0n, snapshotId: null, rejected: opened.rejected };
}

/** Which dead letters of a table wait. @param sinks those that they are of; of any unless given */
function waitingSql({ metadata: { tableUuid } }: Table, sinks?: readonly string[]): string {
  const own = `"replayed_at" IS NULL AND "table_uuid" = ${quoteLiteral(tableUuid)}`;
  return sinks === undefined
    ? own
    : `${own} AND list_contains([${sinks.map(quoteLiteral).join(', ')}]::VARCHAR[], "sink")`;
}

/** Makes the temporary table `name` of the dead letters to replay: `id`, `raw` and `n` from 0, in the order in which their records were read. */
async function collect(connection: Connection, table: Table, where: string, name: string): Promise<void> {
  const plan = await planDeadLetters(table);
  if (plan.files.length === 0) {
    await connection.run(`CREATE TEMP TABLE ${name} (n BIGINT, id VARCHAR, raw BLOB)`);
    return;
  }
  const rows = await deadLetterRowsSql(connection, table, plan);
  const placed = placedSql(rows, where, ['any_value("raw") AS "raw"']);
  await connection.run(`CREATE TEMP TABLE ${name} AS SELECT n, "id", "raw" FROM (${placed})`);
}

/**
 * The sinks whose dead letters a replay makes rows of: those that write as it does. Rows that are appended to a table of which a sink keeps one row of each key would be
 * second rows of their keys; keys other than the sink's would replace rows that are none of theirs.
 * @throws MoraineError `INVALID_ARGUMENT` where dead letters wait, and none of their sinks writes so; `SINK_POSITION_UNKNOWN` where that is not known of any
 */
async function replayedSinks(
  connection: Connection,
  deadLetters: Table,
  table: Table,
  { upsert, onNotice }: ReplayRequest,
): Promise<readonly string[]> {
  const plan = await planDeadLetters(deadLetters);
  if (plan.files.length === 0) return [];
  const rows = await deadLetterRowsSql(connection, deadLetters, plan);
  const sql = `SELECT DISTINCT "sink" FROM ${rows} WHERE ${waitingSql(table)} ORDER BY "sink"`;
  const sinks = (await connection.rows(sql)).map(([name]) => String(name));
  const refused = new Map<string, MoraineError>();
  for (const sink of sinks) {
    const error = refusalOf(table, sink, upsert);
    if (error !== undefined) refused.set(sink, error);
  }
  const replayed = sinks.filter((sink) => !refused.has(sink));
  const [first] = refused.values();
  if (first !== undefined && replayed.length === 0) throw first;
  for (const { message, remedy } of refused.values()) onNotice?.(`${message} They are left. ${remedy ?? ''}`.trim());
  return replayed;
}

/** Why dead letters of a sink are not replayed; undefined: they are. */
function refusalOf(table: Table, sink: string, given: UpsertOptions | undefined): MoraineError | undefined {
  const columns = new Set(currentSchema(table.metadata).fields.map(({ name }) => name));
  let wanted: UpsertOptions | undefined;
  try {
    wanted = requireAnchors(table, sink).at(-1)?.state.upsert;
  } catch (error) {
    if (isMoraineError(error, 'SINK_POSITION_UNKNOWN')) return error;
    throw error;
  }
  if (wanted === undefined) return undefined;
  const [key, { order }] = [wanted.key.join(','), wanted];
  // Columns may have got other names since.
  const isKnown = [...wanted.key, order].every((column) => columns.has(column));
  if (given !== undefined && (!isKnown || isSameUpsert(wanted, given))) return undefined;
  return new MoraineError(
    'INVALID_ARGUMENT',
    `Sink ${JSON.stringify(sink)} keeps one row of each key of ${formatTableName(table.identifier)}: its dead letters are replayed so, too.`,
    { remedy: `Replay them with --upsert ${key} --order ${order} (upsert: ${JSON.stringify(wanted)}).` },
  );
}

const isSameUpsert = (one: UpsertOptions, other: UpsertOptions): boolean =>
  one.order === other.order && one.key.length === other.key.length && one.key.every((name) => other.key.includes(name));

async function* batchesOf(
  connection: Connection,
  name: string,
  batchSize: number,
): AsyncGenerator<readonly DeadLetter[]> {
  for (let first = 0n; ; ) {
    // As many as fit both limits, and always one.
    const sized = `SELECT *, sum(octet_length(raw)) OVER (ORDER BY n) - octet_length(raw) AS before FROM ${name} WHERE n >= ${first} AND n < ${first + BigInt(batchSize)}`;
    const rows = await connection.rows(`SELECT id, raw FROM (${sized}) WHERE before < ${MAX_BATCH_BYTES} ORDER BY n`);
    if (rows.length === 0) return;
    yield rows.map(([id, raw]) => ({
      id: id as string,
      raw: plainValue({ kind: 'binary' }, raw ?? null) as Uint8Array,
    }));
    first += BigInt(rows.length);
  }
}

/** Tables that have dead letters to replay, by uuid, with the names that they had. @throws MoraineError `TABLE_NOT_FOUND`, `INVALID_ARGUMENT` */
export async function tablesWithDeadLetters(
  deps: SinkDeps,
  deadLetters: TableIdentifier,
): Promise<ReadonlyMap<string, string>> {
  const table = await loadDeadLetterTable(deps, deadLetters);
  const plan = await planDeadLetters(table);
  if (plan.files.length === 0) return new Map();
  return await deps.engine.withConnection(async (connection) => {
    const rows = await deadLetterRowsSql(connection, table, plan);
    const sql = `SELECT "table_uuid", max_by("table", "rejected_at") FROM ${rows} WHERE "replayed_at" IS NULL GROUP BY ALL ORDER BY ALL`;
    return new Map((await connection.rows(sql)).map(([uuid, name]) => [String(uuid), String(name)]));
  });
}
