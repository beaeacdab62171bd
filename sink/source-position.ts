/** Positions of sources: what was read, and where to go on. */

/** A half-open range [from, to) of positions of one partition of a source. */
export interface SourceRange {
  readonly partition: string;
  readonly from: bigint;
  readonly to: bigint;
}

/** The position of one record. */
export interface SourcePosition {
  readonly partition: string;
  readonly offset: bigint;
}

/** The next position to read, by partition. */
export type SourcePositions = ReadonlyMap<string, bigint>;
