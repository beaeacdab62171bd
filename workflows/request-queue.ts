/** Requests to the one run of a table. */
import { ApplicationFailure, ContinueAsNew, defineSignal, log, setHandler } from '@temporalio/workflow';
import type { LeftRequests, Requested } from '../activities/contract.js';
import { isCancelled, throwIfCancelled } from './cancellation.js';
import { asFailure, failureOf, failureOutcome, tellAll } from './run-outcome.js';
import { turns } from './turns.js';

/** Requests, done in the order in which they came, equal ones at once. */
export class RequestQueue<Request extends { readonly table: string }, Result> {
  readonly #entry: string;
  readonly #begun: readonly Requested<Request>[];
  #waiting: readonly Requested<Request>[];
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param entry the workflow that hands requests over
   * @param what it asks for, as the signal's description calls it
   * @param table the only one that can be asked for
   */
  constructor(
    entry: string,
    what: string,
    table: string,
    { waiting = [], asked = [], earlierFailure }: LeftRequests<Request> = {},
  ) {
    this.#entry = entry;
    this.#begun = asked;
    this.#waiting = waiting;
    if (earlierFailure !== undefined) this.#failure = { error: asFailure(earlierFailure) };
    setHandler(
      defineSignal<[Requested<Request>]>('requested'),
      (requested) => {
        // People send signals from the web UI, too, with nothing or anything in it.
        if (requested?.request?.table === table) this.#waiting = [...this.#waiting, requested];
        else log.warn('the signal `requested` asks for nothing of this table', { table });
      },
      { description: `Asks for ${what} of this table: done after what is in flight.` },
    );
  }

  /** For the next history. @param asked what is in work */
  left(
    asked: readonly Requested<Request>[],
  ): Required<Pick<LeftRequests<Request>, 'waiting' | 'asked'>> & LeftRequests<Request> {
    const failure = this.#failure;
    const earlier = failure === undefined ? {} : { earlierFailure: failureOf(failure.error) };
    return { waiting: this.#waiting, asked, ...earlier };
  }

  /**
   * Does one request, and sends its result to those who asked for it. The next one is done in a history of its own, so that none grows
   * while people keep asking. Once the run is cancelled, all who asked get an error that says so.
   *
   * @param goOn continues the run as new
   * @returns the result of the last
   * @throws what the last that failed did; INVALID_ARGUMENT if nothing was asked for
   */
  async workOff(
    work: (request: Request, asked: readonly Requested<Request>[]) => Promise<Result>,
    goOn: (left: LeftRequests<Request>) => Promise<never>,
  ): Promise<Result> {
    const begun = this.#begun;
    let result: Result | undefined;
    for (const turn of turns()) {
      const asked = turn === 0 && begun.length > 0 ? begun : this.#next();
      const [first] = asked;
      if (first === undefined) break;
      try {
        if (asked !== begun) throwIfCancelled();
        result = await work(first.request, asked);
        await tellAll(idsOf(asked), { status: 'completed', result });
      } catch (error) {
        if (error instanceof ContinueAsNew) throw error;
        this.#failure = { error };
        await tellAll(idsOf(asked), failureOutcome(error));
      }
      if (this.#waiting.length > 0 && !isCancelled()) await goOn(this.left([]));
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    if (result !== undefined) return result;
    throw ApplicationFailure.nonRetryable(`nothing was asked for: start \`${this.#entry}\``, 'INVALID_ARGUMENT');
  }

  /** Takes the first and those equal to it; none if nothing waits. */
  #next(): readonly Requested<Request>[] {
    const key = JSON.stringify(this.#waiting[0]?.request);
    const isSame = ({ request }: Requested<Request>): boolean => JSON.stringify(request) === key;
    const asked = this.#waiting.filter(isSame);
    this.#waiting = this.#waiting.filter((other) => !isSame(other));
    return asked;
  }
}

const idsOf = (asked: readonly Requested<unknown>[]) => new Set(asked.flatMap(({ replyTo }) => replyTo ?? []));
