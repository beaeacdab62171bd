/** State of a sink at one snapshot of its table, and its form in JSON. Pure. ADR 0046. */
import { isJsonObject, type JsonValue } from '../../iceberg/index.js';
import type { SourcePositions } from '../source-position.js';

/** A coordinator's right to commit: no two claims have the same owner. */
export interface Claim {
  /** Higher than that of every earlier claim that is known. */
  readonly epoch: bigint;
  /** Random. */
  readonly owner: string;
}

/** The last batch that a state knows of. */
export interface CommittedBatch {
  /** Counts the batches of a sink, from 1. */
  readonly number: bigint;
  /** Chosen when the batch was staged. */
  readonly id: string;
  readonly snapshotId: bigint;
}

/** What a claim or a batch records: the newest claim, the last batch, and the next positions to read. */
export interface SinkState extends Claim {
  readonly lastBatch: CommittedBatch | null;
  readonly positions: SourcePositions;
}

/** The state's members in JSON; 64-bit numbers are texts. */
export function stateToJson({ epoch, owner, lastBatch, positions }: SinkState): { readonly [key: string]: JsonValue } {
  return {
    epoch: epoch.toString(),
    owner,
    ...(lastBatch === null
      ? {}
      : {
          batch: {
            number: lastBatch.number.toString(),
            id: lastBatch.id,
            'snapshot-id': lastBatch.snapshotId.toString(),
          },
        }),
    positions: Object.fromEntries([...positions].map(([partition, next]) => [partition, next.toString()])),
  };
}

/** @returns null for JSON that is not such a state */
export function stateFromJson(json: JsonValue | undefined): SinkState | null {
  if (!isJsonObject(json) || !isJsonObject(json['positions'])) return null;
  const { epoch, owner, batch } = json;
  const lastBatch = batch === undefined ? null : batchFromJson(batch);
  if (!isCount(epoch) || typeof owner !== 'string' || lastBatch === undefined) return null;
  const positions = new Map<string, bigint>();
  for (const [partition, next] of Object.entries(json['positions'])) {
    if (!isInteger(next)) return null;
    positions.set(partition, BigInt(next));
  }
  return { epoch: BigInt(epoch), owner, lastBatch, positions };
}

function batchFromJson(json: JsonValue): CommittedBatch | undefined {
  if (!isJsonObject(json)) return undefined;
  const { number, id, 'snapshot-id': snapshotId } = json;
  if (!isCount(number) || typeof id !== 'string' || !isCount(snapshotId)) return undefined;
  return { number: BigInt(number), id, snapshotId: BigInt(snapshotId) };
}

/** Whether JSON is a whole number of at least 0, as text. */
export const isCount = (json: JsonValue | undefined): json is string => typeof json === 'string' && /^\d+$/.test(json);

/** Whether JSON is a whole number, as text. */
export const isInteger = (json: JsonValue | undefined): json is string =>
  typeof json === 'string' && /^-?\d+$/.test(json);
