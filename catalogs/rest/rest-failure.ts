/** What is known after a request to a REST catalog that did not succeed. */

/**
 * - `unreached`: the server has certainly not seen the request.
 * - `refused`: the server answered that it did not do what was asked.
 * - `unknown`: it may have been done: the answer is lost, is nonsense, or says that the server failed.
 */
export type RestOutcome = 'unreached' | 'refused' | 'unknown';

/** The error that a server names. Source: Iceberg REST catalog specification, `ErrorModel`. */
export interface RestErrorModel {
  readonly type: string;
  readonly message: string;
}

/** A request that did not succeed. Only the catalog sees it, and turns it into an error with a code. */
export class RestFailure extends Error {
  readonly outcome: RestOutcome;
  /** The status of the answer; undefined without one. */
  readonly status: number | undefined;
  /** Undefined where the answer does not have the form of the specification: it may not come from the catalog at all. */
  readonly model: RestErrorModel | undefined;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** What to do, as a sentence; undefined: the status says it. */
  readonly remedy: string | undefined;

  constructor(
    outcome: RestOutcome,
    message: string,
    more: {
      status?: number;
      model?: RestErrorModel | undefined;
      retryAfterMs?: number | undefined;
      remedy?: string | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: more.cause });
    this.name = 'RestFailure';
    this.outcome = outcome;
    this.status = more.status;
    this.model = more.model;
    this.retryAfterMs = more.retryAfterMs;
    this.remedy = more.remedy;
  }

  /** Whether the credentials were not accepted, which the server says before it looks at the request. */
  get isUnauthorized(): boolean {
    return this.status === 401 || this.status === 419;
  }
}
