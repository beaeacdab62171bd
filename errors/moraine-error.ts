import { ERROR_TABLE, type ErrorCode } from './table.js';

/** Facts that help to find the cause: names, paths, counts; never rows or secrets. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** The one error class of Moraine. Its `code` is looked up in {@link ERROR_TABLE}. */
export class MoraineError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly #remedy: string | undefined;

  /**
   * @param code one of the closed list of codes
   * @param message what was wrong, where, and (if the table's remedy is too general) what to do
   * @param options `details` for machines, `cause` for the error behind this one, `remedy` where that of the code does not fit
   */
  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: ErrorDetails; cause?: unknown; remedy?: string } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'MoraineError';
    this.code = code;
    this.details = options.details ?? {};
    this.#remedy = options.remedy;
  }

  /** Whether the same call may succeed later without anything being changed. */
  get retryable(): boolean {
    return ERROR_TABLE[this.code].retryable;
  }

  /** The remedy: in this case, or in general for this code. */
  get remedy(): string {
    return this.#remedy ?? ERROR_TABLE[this.code].remedy;
  }
}

/** Whether `error` is a {@link MoraineError}, optionally of one of the given codes. */
export function isMoraineError(error: unknown, ...codes: ErrorCode[]): error is MoraineError {
  return error instanceof MoraineError && (codes.length === 0 || codes.includes(error.code));
}
