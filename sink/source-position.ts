/** Positions of sources: what was read, and where to go on. */

/** A half-open range [from, to) of positions of one partition of a source. */
export interface SourceRange {
  readonly partition: string;
  readonly from: bigint;
  readonly to: bigint;
  /**
   * What the source needs to know its place again, such as a digest of what lies before `to`; at most 200 characters. It is committed with the position, and
   * `marks` of the sink gives it back.
   */
  readonly mark?: string | undefined;
}

/**
 * How often a record is in the table once its source is read again after a crash: records with positions once; of those without nobody knows whether the table has them.
 */
export type Delivery = 'exactly-once' | 'at-least-once';

/** The position of one record. */
export interface SourcePosition {
  readonly partition: string;
  readonly offset: bigint;
}

/** What the source said of the next position, by partition; those of which it said nothing are left out. */
export type SourceMarks = ReadonlyMap<string, string>;

/** The next position to read, by partition. */
export type SourcePositions = ReadonlyMap<string, bigint>;
