/** What a dead-letter table notes of the last batch of a replay whose dead letters are marked: nothing else tells once their list is swept, or they are deleted. Pure. */
import { isJsonObject, parseJson, stringifyJson, type TableMetadata } from '../../iceberg/index.js';
import { isInAncestry } from '../../tables/index.js';

/** A batch of a replay. */
export interface MarkedBatch {
  readonly batchId: string;
  /** Of the table that has its rows. */
  readonly tableUuid: string;
}

const propertyOf = ({ tableUuid }: MarkedBatch): string => `moraine.replayed.${tableUuid}`;

/** @param sequenceNumber that of the snapshot since which they are marked: a rollback behind it takes the marks back */
export function markedProperties(batch: MarkedBatch, sequenceNumber: bigint): ReadonlyMap<string, string> {
  const note = { batch: batch.batchId, 'sequence-number': sequenceNumber.toString() };
  return new Map([[propertyOf(batch), stringifyJson(note)]]);
}

/** Whether the history of the current snapshot is known to have the marks. */
export function isMarked(metadata: TableMetadata, batch: MarkedBatch): boolean {
  const text = metadata.properties.get(propertyOf(batch));
  if (text === undefined) return false;
  const { batch: batchId, 'sequence-number': sequenceNumber } = noteOf(text);
  if (batchId !== batch.batchId || typeof sequenceNumber !== 'string' || !/^\d+$/.test(sequenceNumber)) return false;
  return isInAncestry(metadata, BigInt(sequenceNumber));
}

/** One that somebody damaged says nothing. */
function noteOf(text: string) {
  try {
    const json = parseJson(text);
    return isJsonObject(json) ? json : {};
  } catch {
    return {};
  }
}
