/** What is known after a call of a Hive metastore that did not succeed. Only the catalog sees it, and turns it into an error with a code. */

/**
 * - `unreached`: the metastore has certainly not seen the call.
 * - `refused`: it answered with one of the exceptions of the call.
 * - `unknown`: it may have been done: the answer is lost, or is nonsense.
 */
export type HiveOutcome = 'unreached' | 'refused' | 'unknown';

export class HiveFailure extends Error {
  readonly outcome: HiveOutcome;
  /** The number of the exception among those of the call; undefined where there is none. */
  readonly exception: number | undefined;
  /** The metastore does not have the method. */
  readonly isUnknownMethod: boolean;

  constructor(
    outcome: HiveOutcome,
    message: string,
    more: { readonly exception?: number; readonly isUnknownMethod?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.name = 'HiveFailure';
    this.outcome = outcome;
    this.exception = more.exception;
    this.isUnknownMethod = more.isUnknownMethod ?? false;
  }
}
