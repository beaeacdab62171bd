/** State of a sink at one snapshot of its table, and its form in JSON. Pure. ADR 0046. */
import { isJsonArray, isJsonObject, type JsonValue } from '../../iceberg/index.js';
import type { SourceMarks, SourcePositions } from '../source-position.js';
import type { UpsertOptions } from '../upserts/upsert-options.js';
import { type PendingWork, workFromJson, workToJson } from './pending-work.js';

/** One of several attempts at the same work, of which an earlier one may still run somewhere. */
export interface SinkAttempt {
  /** Equal for all attempts at the same work, and for no other work. */
  readonly work: string;
  /** Whole numbers, compared one after the other: those of a later attempt of the same run are higher. */
  readonly order: readonly number[];
  /** Where the work is begun anew now and then: which of its runs it is of. */
  readonly run?: SinkRun | undefined;
}

/** One of several runs of the same work, of which one begins when the one before has ended. */
export interface SinkRun {
  readonly id: string;
  /** When this attempt was asked for, in milliseconds since 1970, by one clock for all runs: those of a later run come later. */
  readonly askedAtMs: number;
}

/** A coordinator's right to commit: no two claims have the same owner. */
export interface Claim {
  /** Higher than that of every earlier claim that is known. */
  readonly epoch: bigint;
  /** Random. */
  readonly owner: string;
  /** Whose claim it is, if attempts at some work claim the sink. */
  readonly attempt?: SinkAttempt | undefined;
  /** How the sink keeps one row of each key, if it does: its dead letters are replayed so, too. */
  readonly upsert?: UpsertOptions | undefined;
}

/** The last batch that a state knows of. */
export interface CommittedBatch {
  /** Counts the batches of a sink, from 1. */
  readonly number: bigint;
  /** Chosen when the batch was staged. */
  readonly id: string;
  /** Ids of what writers staged apart from each other and was committed together; empty: it was staged at once. */
  readonly parts: readonly string[];
  readonly snapshotId: bigint;
}

/** What a claim or a batch records: the newest claim, the last batch, and the next positions to read. */
export interface SinkState extends Claim {
  readonly lastBatch: CommittedBatch | null;
  readonly positions: SourcePositions;
  readonly marks: SourceMarks;
  /** Where partitions began that did not begin at 0: after a rollback behind their first batch they begin there again, and nowhere else. */
  readonly beginnings: SourcePositions;
  /** What the last batch has left to do in other tables, done or not. */
  readonly pending: readonly PendingWork[];
}

/** The state of a sink of which nothing is committed. */
export const NO_BATCHES = {
  lastBatch: null,
  positions: new Map(),
  marks: new Map(),
  beginnings: new Map(),
  pending: [],
} as const satisfies Partial<SinkState>;

/** An anchor's state that says that nothing of the sink is in the history of its snapshot. */
export const NOTHING: SinkState = { epoch: 0n, owner: '', ...NO_BATCHES };

/** The state's members in JSON; 64-bit numbers are texts. */
export function stateToJson(state: SinkState): { readonly [key: string]: JsonValue } {
  const { epoch, owner, attempt, upsert, lastBatch, positions, marks, beginnings, pending } = state;
  return {
    epoch: epoch.toString(),
    owner,
    ...(attempt === undefined ? {} : { attempt: attemptToJson(attempt) }),
    ...(upsert === undefined ? {} : { upsert: { key: [...upsert.key], order: upsert.order } }),
    ...(lastBatch === null
      ? {}
      : {
          batch: {
            number: lastBatch.number.toString(),
            id: lastBatch.id,
            ...(lastBatch.parts.length === 0 ? {} : { parts: lastBatch.parts }),
            'snapshot-id': lastBatch.snapshotId.toString(),
          },
        }),
    positions: positionsToJson(positions),
    ...(marks.size === 0 ? {} : { marks: Object.fromEntries(marks) }),
    ...(beginnings.size === 0 ? {} : { beginnings: positionsToJson(beginnings) }),
    ...(pending.length === 0 ? {} : { pending: pending.map(workToJson) }),
  };
}

/** @returns null for JSON that is not such a state */
export function stateFromJson(json: JsonValue | undefined): SinkState | null {
  if (!isJsonObject(json)) return null;
  const { epoch, owner, batch, marks = {} } = json;
  const positions = positionsFromJson(json['positions']);
  const beginnings = positionsFromJson(json['beginnings'] ?? {});
  const pending = workFromJson(json['pending'] ?? []);
  const lastBatch = batch === undefined ? null : batchFromJson(batch);
  const attempt = attemptFromJson(json['attempt']);
  if (!isCount(epoch) || typeof owner !== 'string' || lastBatch === undefined || attempt === null) return null;
  if (!isJsonObject(marks) || !hasTexts(marks)) return null;
  if (positions === null || beginnings === null || pending === null) return null;
  const upsert = upsertFromJson(json['upsert']);
  const claim = {
    ...{ epoch: BigInt(epoch), owner },
    ...(attempt === undefined ? {} : { attempt }),
    ...(upsert === undefined ? {} : { upsert }),
  };
  return { ...claim, lastBatch, positions, marks: new Map(Object.entries(marks)), beginnings, pending };
}

/** @returns undefined: there is none that can be read; nothing that is committed rests on it */
function upsertFromJson(json: JsonValue | undefined): UpsertOptions | undefined {
  if (!isJsonObject(json)) return undefined;
  const { key, order } = json;
  if (key === undefined || !isJsonArray(key) || typeof order !== 'string') return undefined;
  return { key: key.filter((column) => typeof column === 'string'), order };
}

/** @returns undefined: there is none; null for JSON that is not such an attempt */
function attemptFromJson(json: JsonValue | undefined): SinkAttempt | null | undefined {
  if (json === undefined) return undefined;
  if (!isJsonObject(json)) return null;
  const { work, order } = json;
  if (typeof work !== 'string' || order === undefined || !isJsonArray(order)) return null;
  const run = runFromJson(json['run']);
  if (run === null || !order.every((number) => typeof number === 'number')) return null;
  return { work, order, ...(run === undefined ? {} : { run }) };
}

/** @returns undefined: there is none; null for JSON that is not such a run */
function runFromJson(json: JsonValue | undefined): SinkRun | null | undefined {
  if (json === undefined) return undefined;
  if (!isJsonObject(json)) return null;
  const { id, 'asked-at-ms': askedAtMs } = json;
  return typeof id === 'string' && typeof askedAtMs === 'number' ? { id, askedAtMs } : null;
}

const attemptToJson = ({ work, order, run }: SinkAttempt): { readonly [key: string]: JsonValue } => ({
  ...{ work, order },
  ...(run === undefined ? {} : { run: { id: run.id, 'asked-at-ms': run.askedAtMs } }),
});

/** Whether an attempt at the same work as another one comes after it. Of two runs times tell it, within one numbers do: clocks need not be right for these. */
export function isLater(attempt: SinkAttempt, other: SinkAttempt): boolean {
  if (attempt.work !== other.work) return false;
  if (attempt.run?.id !== other.run?.id) return (attempt.run?.askedAtMs ?? 0) > (other.run?.askedAtMs ?? 0);
  const differs = attempt.order.findIndex((number, index) => number !== other.order[index]);
  return (attempt.order[differs] ?? 0) > (other.order[differs] ?? 0);
}

const positionsToJson = (positions: SourcePositions): { readonly [partition: string]: string } =>
  Object.fromEntries([...positions].map(([partition, position]) => [partition, position.toString()]));

function positionsFromJson(json: JsonValue | undefined): SourcePositions | null {
  if (!isJsonObject(json)) return null;
  const positions = new Map<string, bigint>();
  for (const [partition, position] of Object.entries(json)) {
    if (!isInteger(position)) return null;
    positions.set(partition, BigInt(position));
  }
  return positions;
}

/** @returns undefined for JSON that is not such a batch */
export function batchFromJson(json: JsonValue): CommittedBatch | undefined {
  if (!isJsonObject(json)) return undefined;
  const { number, id, parts = [], 'snapshot-id': snapshotId } = json;
  if (!isCount(number) || typeof id !== 'string' || !isCount(snapshotId)) return undefined;
  if (!isJsonArray(parts) || !parts.every((part) => typeof part === 'string')) return undefined;
  return { number: BigInt(number), id, parts, snapshotId: BigInt(snapshotId) };
}

/** Whether a batch is the one with an id, or has the part with it. */
export const hasPart = ({ id, parts }: Pick<CommittedBatch, 'id' | 'parts'>, part: string): boolean =>
  id === part || parts.includes(part);

const hasTexts = (json: { readonly [key: string]: JsonValue }): json is { readonly [key: string]: string } =>
  Object.values(json).every((value) => typeof value === 'string');

/** Whether JSON is a whole number of at least 0, as text. */
export const isCount = (json: JsonValue | undefined): json is string => typeof json === 'string' && /^\d+$/.test(json);

/** Whether JSON is a whole number, as text. */
export const isInteger = (json: JsonValue | undefined): json is string =>
  typeof json === 'string' && /^-?\d+$/.test(json);
