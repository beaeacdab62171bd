import { parseTimeUs } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';
import { resolveSnapshot, type Schema, type Snapshot, type TableMetadata } from '../../iceberg/index.js';

/** `--snapshot`, `--ref` and `--as-of`; at most one of them is given. */
export interface SnapshotOptions {
  readonly snapshot?: string;
  readonly ref?: string;
  readonly asOf?: string;
}

const MAX_LONG = 2n ** 63n - 1n;

/** A snapshot id as text. @throws INVALID_ARGUMENT */
export function parseSnapshotId(text: string): bigint {
  const id = /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined;
  if (id !== undefined && id <= MAX_LONG && id >= -MAX_LONG - 1n) return id;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `--snapshot ${JSON.stringify(text)}: not a snapshot id; see \`moraine table history\``,
  );
}

/** A snapshot, and the schema to read it with. */
export interface ChosenSnapshot {
  /** Null when the table has no rows yet. */
  readonly snapshot: Snapshot | null;
  readonly schema: Schema;
}

/** The snapshot and schema that the options ask for; the current ones without any. */
export function chooseSnapshot(metadata: TableMetadata, options: SnapshotOptions): ChosenSnapshot {
  if (options.snapshot !== undefined)
    return resolveSnapshot(metadata, { snapshotId: parseSnapshotId(options.snapshot) });
  if (options.ref !== undefined) return resolveSnapshot(metadata, { ref: options.ref });
  if (options.asOf === undefined) return resolveSnapshot(metadata, {});
  // The log has milliseconds: the last entry at or before a time is the last at or before its millisecond.
  const us = parseTimeUs(options.asOf, '--as-of');
  const asOfMs = us >= 0n ? us / 1000n : (us - 999n) / 1000n;
  return resolveSnapshot(metadata, { asOfMs });
}
