/** The requests that were refused or failed last, for the page that shows them. */

/** No API keys, entities or values are in it. */
export interface RecentError {
  readonly atMs: number;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const MAX_ERRORS = 100;

export class RecentErrors {
  readonly #errors: RecentError[] = [];
  #count = 0;

  add(error: RecentError): void {
    this.#count += 1;
    this.#errors.unshift(error);
    if (this.#errors.length > MAX_ERRORS) this.#errors.pop();
  }

  /** How many there were since the service started. */
  get count(): number {
    return this.#count;
  }

  /** The newest first. */
  list(): readonly RecentError[] {
    return this.#errors;
  }
}
