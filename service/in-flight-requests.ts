/** The requests that are not answered yet. */
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface InFlight {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Where it is in the list. */
  place: number;
}

/**
 * Each is added and taken out again within a millisecond or so. A Set is no place for them: it is copied every few changes, and copies that
 * outlive a collection of young garbage keep what they had alive, request after request.
 */
export class InFlightRequests {
  readonly #entries: InFlight[] = [];

  get size(): number {
    return this.#entries.length;
  }

  add(entry: InFlight): void {
    entry.place = this.#entries.length;
    this.#entries.push(entry);
  }

  /** The last one takes its place. */
  delete(entry: InFlight): void {
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#entries[entry.place] = last;
    last.place = entry.place;
  }

  /** As they are now. */
  [Symbol.iterator](): Iterator<InFlight> {
    return [...this.#entries][Symbol.iterator]();
  }
}
