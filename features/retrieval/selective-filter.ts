/** Leaving out conditions that nearly every row meets: looking at every row costs more than they save. */
import { type BoundExpression, type BoundReference, type DataFile, deserializeValue } from '../../iceberg/index.js';

/** A condition that this part of the rows or more is expected to meet is left out. */
const NEARLY_ALL = 0.95;

/**
 * The conditions of a filter that are worth applying to the rows of the files that it was planned for; undefined if none is. Only for rows
 * that a join checks again: more of them come through.
 */
export function selectivePart(filter: BoundExpression, files: readonly DataFile[]): BoundExpression | undefined {
  const conditions = filter.op === 'and' ? filter.children : [filter];
  const kept = conditions.filter((condition) => expectedShare(condition, files) < NEARLY_ALL);
  return kept.length === 0 ? undefined : { op: 'and', children: kept };
}

/** The share of rows that meet a condition, values taken to be spread evenly between a file's bounds; 0 if it cannot be told. */
function expectedShare(condition: BoundExpression, files: readonly DataFile[]): number {
  if (condition.op !== 'gt-eq' && condition.op !== 'lt-eq') return 0;
  const { op, ref, literal } = condition;
  let [met, rows] = [0, 0];
  for (const file of files) {
    const bounds = numericBounds(ref, file);
    if (bounds === undefined || !isNumeric(literal)) return 0;
    const below = shareBelow(Number(literal), bounds);
    met += Number(file.recordCount) * (op === 'gt-eq' ? 1 - below : below);
    rows += Number(file.recordCount);
  }
  return rows === 0 ? 0 : met / rows;
}

function shareBelow(value: number, { lowest, highest }: { readonly lowest: number; readonly highest: number }): number {
  if (highest <= lowest) return value >= highest ? 1 : 0;
  return Math.min(1, Math.max(0, (value - lowest) / (highest - lowest)));
}

function numericBounds(ref: BoundReference, file: DataFile) {
  const lower = file.lowerBounds?.get(ref.fieldId);
  const upper = file.upperBounds?.get(ref.fieldId);
  if (lower === undefined || upper === undefined || !COUNTED.has(ref.type.kind)) return undefined;
  const [lowest, highest] = [deserializeValue(ref.type, lower), deserializeValue(ref.type, upper)];
  return isNumeric(lowest) && isNumeric(highest) ? { lowest: Number(lowest), highest: Number(highest) } : undefined;
}

/** Types whose values are whole numbers. */
const COUNTED: ReadonlySet<string> = new Set([
  'int',
  'long',
  'date',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
]);

const isNumeric = (value: unknown): value is bigint | number => typeof value === 'bigint' || typeof value === 'number';
