/** Entries of the table of error codes. */

/** Entry of an error code. */
export interface ErrorEntry {
  /** Exit code of the command line, 1-125. */
  readonly exitCode: number;
  /** HTTP status of the API. */
  readonly httpStatus: number;
  /** Whether the same call may succeed later without anything being changed. */
  readonly retryable: boolean;
  /** Meaning, in one sentence. */
  readonly meaning: string;
  /** Remedy for the reader. */
  readonly remedy: string;
}

export const entry = (
  exitCode: number,
  httpStatus: number,
  retryable: boolean,
  meaning: string,
  remedy: string,
): ErrorEntry => ({ exitCode, httpStatus, retryable, meaning, remedy });
