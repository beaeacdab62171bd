/** The limit for nested lists and maps. */
import { largest, MoraineError } from '../../errors/index.js';
import { childFields, type IcebergType } from '../../iceberg/index.js';

/**
 * Levels of lists and maps in one column. DuckDB's Parquet reader asks each level twice for its values, so every level doubles its work:
 * 20 levels cost a tenth of a second, 40 would cost a day.
 */
export const MAX_REPEATED_LEVELS = 20;

/** Levels of lists and maps, one inside the other; structs do not count. */
export function repeatedLevels(type: IcebergType): number {
  const own = type.kind === 'list' || type.kind === 'map' ? 1 : 0;
  return own + largest(childFields(type).map((child) => repeatedLevels(child.type)));
}

/** @throws UNSUPPORTED_FEATURE for a column that cannot be read in reasonable time */
export function refuseDeepNesting(column: string, type: IcebergType): void {
  const levels = repeatedLevels(type);
  if (levels <= MAX_REPEATED_LEVELS) return;
  throw new MoraineError(
    'UNSUPPORTED_FEATURE',
    `The column ${column} nests lists and maps ${levels} deep; at most ${MAX_REPEATED_LEVELS} can be read and written. Select other columns.`,
  );
}
