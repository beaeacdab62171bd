/** A read on its way: what it still waits for, and what it has found when nothing is missing. */
import type { PrimitiveValue } from '../iceberg/index.js';
import type { BoundRequest } from './compiled-request.js';
import type { OnlineRequest, OnlineResponse } from './online-request.js';
import type { PartLoader } from './parts/part-loader.js';
import type { Queued } from './parts/statement-queue.js';
import type { FoundView, ViewRead } from './view-read.js';

/** The rows that a read has found, for those who write values in a form of their own. */
export interface FoundRows extends Omit<OnlineResponse, 'rows'> {
  /** Number of entities of the request. */
  readonly entities: number;
  /** Their features together are those of the answer, in its order. */
  readonly views: readonly FoundView[];
}

/** A read of several views at one time. */
export class OnlineRead {
  readonly #bound: BoundRequest;
  readonly #entities: OnlineRequest['entities'];
  readonly #nowUs: bigint;
  readonly #stalenessMs: number;
  readonly #views: readonly ViewRead[];
  #left: readonly (readonly [ViewRead, ReadonlyMap<string, readonly PrimitiveValue[]>])[] = [];

  constructor(
    bound: BoundRequest,
    { entities }: OnlineRequest,
    nowUs: bigint,
    stalenessMs: number,
    views: readonly ViewRead[],
  ) {
    this.#bound = bound;
    this.#entities = entities;
    this.#nowUs = nowUs;
    this.#stalenessMs = stalenessMs;
    this.#views = views;
  }

  /** Asks for parts that are not decoded; nothing if all are. */
  askFor(loader: PartLoader): readonly Queued<void>[] {
    return this.#views.flatMap((view) => view.askFor(loader));
  }

  /** Whether everything that is needed is decoded, and nothing is left to statements. */
  get isFound(): boolean {
    return this.#views.every(({ isReady }) => isReady) && this.find();
  }

  /** Looks the entities up in decoded parts. @returns whether nothing is left to statements */
  find(): boolean {
    this.#left = this.#views.map((view) => [view, view.find()] as const).filter(([, entities]) => entities.size > 0);
    return this.#left.length === 0;
  }

  /** Entities whose rows a statement has to find, by view. */
  get left(): readonly (readonly [ViewRead, ReadonlyMap<string, readonly PrimitiveValue[]>])[] {
    return this.#left;
  }

  /** Once nothing is missing. */
  get found(): FoundRows {
    const { features, joinKeys, snapshots } = this.#bound.answer;
    return {
      features,
      joinKeys,
      snapshots,
      entities: this.#entities.length,
      views: this.#views,
      nowUs: this.#nowUs,
      stalenessMs: this.#stalenessMs,
    };
  }
}

/** The values of what was found. */
export function responseOf({ entities, views, ...answer }: FoundRows): OnlineResponse {
  const [first, ...others] = views;
  const rows = Array.from({ length: entities }, (_, place) => {
    const values = first?.valuesOf(place) ?? [];
    return others.length === 0 ? values : [...values, ...others.flatMap((view) => view.valuesOf(place))];
  });
  return { ...answer, rows };
}
