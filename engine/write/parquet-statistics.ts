/**
 * The statistics that a Parquet write returns, as a manifest entry's metrics.
 * Source: Apache Iceberg specification, "Manifests" (data_file) and Appendix D.
 */
import type { DuckDBValue } from '@duckdb/node-api';
import { type DataFile, type PrimitiveType, type PrimitiveValue, serializeValue } from '../../iceberg/index.js';
import { duckdb } from '../duckdb.js';
import type { LeafColumn } from '../scan/column-path.js';
import { isPrimitive } from '../sql/sql-type.js';
import { parseSqlText } from '../sql/sql-value.js';

/** Bounds of text and bytes keep this many code points or bytes: `write.metadata.metrics.default = truncate(16)`. */
const BOUND_LENGTH = 16;

type Metrics = Required<
  Pick<DataFile, 'columnSizes' | 'valueCounts' | 'nullValueCounts' | 'nanValueCounts' | 'lowerBounds' | 'upperBounds'>
>;

/**
 * Reads the `column_statistics` map of `RETURN_STATS`.
 * @param isOneRowGroup of several row groups DuckDB tells of the last one alone whether it has NaN
 */
export function readMetrics(
  statistics: DuckDBValue,
  leaves: ReadonlyMap<string, LeafColumn>,
  isOneRowGroup: boolean,
): Metrics {
  const metrics = {
    columnSizes: new Map<number, bigint>(),
    valueCounts: new Map<number, bigint>(),
    nullValueCounts: new Map<number, bigint>(),
    nanValueCounts: new Map<number, bigint>(),
    lowerBounds: new Map<number, Uint8Array>(),
    upperBounds: new Map<number, Uint8Array>(),
  };
  if (!(statistics instanceof duckdb.api.DuckDBMapValue)) return metrics;
  for (const { key, value } of statistics.entries) {
    const leaf = leaves.get(String(key));
    if (leaf === undefined) continue;
    const facts = textMap(value);
    setCount(metrics.columnSizes, leaf.id, facts.get('column_size_bytes'));
    setCount(metrics.valueCounts, leaf.id, facts.get('num_values'));
    setCount(metrics.nullValueCounts, leaf.id, facts.get('null_count'));
    // Only "some" or "none" is known: a count of none is exact, another would be a guess.
    if (isOneRowGroup && facts.get('has_nan') === 'false') metrics.nanValueCounts.set(leaf.id, 0n);
    if (!leaf.repeated && isPrimitive(leaf.type)) {
      setBounds(metrics, leaf.id, leaf.type, facts.get('min'), facts.get('max'));
    }
  }
  return metrics;
}

/** A MAP(VARCHAR, VARCHAR) of the binding. */
export function textMap(value: DuckDBValue): ReadonlyMap<string, string | null> {
  const entries = value instanceof duckdb.api.DuckDBMapValue ? value.entries : [];
  return new Map(entries.map((entry) => [String(entry.key), entry.value === null ? null : String(entry.value)]));
}

function setCount(counts: Map<number, bigint>, id: number, text: string | null | undefined): void {
  if (text !== undefined && text !== null) counts.set(id, BigInt(text));
}

function setBounds(
  metrics: { readonly lowerBounds: Map<number, Uint8Array>; readonly upperBounds: Map<number, Uint8Array> },
  id: number,
  type: PrimitiveType,
  min: string | null | undefined,
  max: string | null | undefined,
): void {
  const lower = min === undefined || min === null ? undefined : lowerBound(type, parseSqlText(type, min));
  const upper = max === undefined || max === null ? undefined : upperBound(type, parseSqlText(type, max));
  if (lower !== undefined) metrics.lowerBounds.set(id, serializeValue(type, lower));
  if (upper !== undefined) metrics.upperBounds.set(id, serializeValue(type, upper));
}

/** A value not above any in the column, short. */
export function lowerBound(type: PrimitiveType, value: PrimitiveValue | undefined): PrimitiveValue | undefined {
  if (typeof value === 'number' && isFloat(type)) {
    if (Number.isNaN(value)) return undefined;
    // Some readers order -0 below 0, and a column may hold both.
    return value === 0 ? -0 : value;
  }
  if (typeof value === 'string' && type.kind === 'string') return [...value].slice(0, BOUND_LENGTH).join('');
  return value instanceof Uint8Array ? value.slice(0, BOUND_LENGTH) : value;
}

/** A value not below any in the column, short; undefined if none is that short. */
export function upperBound(type: PrimitiveType, value: PrimitiveValue | undefined): PrimitiveValue | undefined {
  if (typeof value === 'number' && isFloat(type)) {
    if (Number.isNaN(value)) return undefined;
    return value === 0 ? 0 : value;
  }
  if (typeof value === 'string' && type.kind === 'string') return upperText(value);
  return value instanceof Uint8Array ? upperBytes(value) : value;
}

const isFloat = (type: PrimitiveType): boolean => type.kind === 'float' || type.kind === 'double';

const LAST_CODE_POINT = 0x10ffff;

function upperText(value: string): string | undefined {
  const points = [...value].map((character) => character.codePointAt(0) as number);
  if (points.length <= BOUND_LENGTH) return value;
  points.length = BOUND_LENGTH;
  while (points.length > 0) {
    const last = points.pop() as number;
    // Between U+D7FF and U+E000 lie the surrogates, which are not characters.
    if (last < LAST_CODE_POINT) return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}

function upperBytes(value: Uint8Array): Uint8Array | undefined {
  if (value.length <= BOUND_LENGTH) return value;
  for (let length = BOUND_LENGTH; length > 0; length -= 1) {
    const last = value[length - 1] as number;
    if (last === 0xff) continue;
    const upper = value.slice(0, length);
    upper[length - 1] = last + 1;
    return upper;
  }
  return undefined;
}
