/** Time that requests take, as Node reports it of each: those of the AWS SDK (`node:http`) and those of `fetch`. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';

const BEGINS = ['http.client.request.start', 'undici:request:create'];
const ENDS = ['http.client.response.finish', 'undici:request:trailers'];

/** Counts requests, and the time during which at least one was on its way. */
export class RequestClock {
  requests = 0;
  ms = 0;
  #onTheirWay = 0;
  #since = 0;

  constructor() {
    for (const channel of BEGINS) subscribe(channel, this.#begin);
    for (const channel of ENDS) subscribe(channel, this.#end);
  }

  close(): void {
    for (const channel of BEGINS) unsubscribe(channel, this.#begin);
    for (const channel of ENDS) unsubscribe(channel, this.#end);
  }

  readonly #begin = (): void => {
    if (this.#onTheirWay === 0) this.#since = performance.now();
    this.#onTheirWay += 1;
    this.requests += 1;
  };

  readonly #end = (): void => {
    this.#onTheirWay -= 1;
    if (this.#onTheirWay === 0) this.ms += performance.now() - this.#since;
  };
}
