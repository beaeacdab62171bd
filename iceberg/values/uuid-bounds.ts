/**
 * Bounds of uuids. Values are ordered by their bytes (RFC 9562), but Iceberg's Java library orders them as two signed numbers until 1.10
 * (https://github.com/apache/iceberg/issues/14216), and writes partition summaries in that order.
 */

/** Bounds in canonical text; none of them if they rule nothing out. */
export interface UuidBounds {
  readonly lower?: string;
  readonly upper?: string;
}

/** The first number in a uuid's text. */
const firstHalf = (uuid: string): string => uuid.slice(0, 'XXXXXXXX-XXXX-XXXX-'.length);

/** Bounds in the order of bytes, of bounds that were written in either order. They are as wide as the order of the first halves tells. */
export function uuidBoundsOfAnyOrder({ lower, upper }: UuidBounds): UuidBounds {
  if (lower === undefined || upper === undefined) return {};
  if (lower === upper) return { lower, upper };
  const [low, high] = [firstHalf(lower), firstHalf(upper)];
  // In the order of signed numbers: from below zero to above. Halves of one sign have one order.
  if (low > high) return {};
  return { lower: `${low}0000-000000000000`, upper: `${high}ffff-ffffffffffff` };
}
