/** One read of one view: from the entities of a request to the values of its features. */
import type { Engine } from '../engine/index.js';
import type { NestedField, PrimitiveValue } from '../iceberg/index.js';
import type { BoundView } from './compiled-request.js';
import { entityKeyValues, keyValue, keyValueOfText } from './entity-key.js';
import type { OnlineRequest } from './online-request.js';
import { NOT_FOUND, type OnlineValue, onlineValue, type ReadMoment } from './online-status.js';
import type { OnlineRow } from './online-view.js';
import { DecodedRead } from './parts/decoded-read.js';
import type { PartCache } from './parts/part-cache.js';
import type { PartLoader } from './parts/part-loader.js';
import { eventTimestampUs, featureAt, type RowPlace } from './parts/segment.js';
import type { Queued } from './parts/statement-queue.js';

/** What a read has found in the table of a view. */
export interface FoundView {
  readonly features: readonly NestedField[];
  /** The places of the features among those of the decoded rows. */
  readonly places: readonly number[];
  readonly moment: ReadMoment;
  /** The newest row of an entity; undefined if there is none. */
  rowOf(place: number): RowPlace | OnlineRow | undefined;
  /** The values of the features of an entity. */
  valuesOf(place: number): readonly OnlineValue[];
}

/** Reads decoded parts; what they leave open, and everything where nothing is decoded, is left to one statement. */
export class ViewRead implements FoundView {
  readonly #bound: BoundView;
  readonly moment: ReadMoment;
  /** By entity of the request: the values of its key; null if one of them is null. */
  readonly #keys: readonly (readonly PrimitiveValue[] | null)[];
  readonly #decoded: DecodedRead | null;
  #found: readonly (RowPlace | 'left' | undefined)[] = [];
  /** Rows that the statement has found, by the identity of the entity. */
  #rows: ReadonlyMap<string, OnlineRow> = new Map();

  /** @throws INVALID_ARGUMENT, TYPE_MISMATCH for a key */
  constructor(bound: BoundView, request: OnlineRequest, nowUs: bigint, cache: PartCache) {
    this.#bound = bound;
    this.moment = { nowUs, ttlUs: bound.ttlUs, includeExpired: request.includeExpired ?? false };
    const read = request.readKeyValue ?? (request.entitiesAsText === true ? keyValueOfText : keyValue);
    this.#keys = request.entities.map((entity) => entityKeyValues(bound.keys, entity, read));
    const { view } = bound;
    if (cache.budgetBytes === 0) this.#decoded = null;
    else {
      const values = this.#keys.map((key) => (key === null ? null : view.lookupValue(key)));
      this.#decoded = new DecodedRead(view.decoded, cache, { type: view.columns.lookup.type, keys: values, nowUs });
    }
  }

  /** Whether every part that is needed is decoded. */
  get isReady(): boolean {
    return this.#decoded?.isReady ?? true;
  }

  /** Asks for what is not decoded yet. Ask again until the read is ready. */
  askFor(loader: PartLoader): readonly Queued<void>[] {
    return this.#decoded === null || this.#decoded.isReady ? [] : [this.#decoded.askFor(loader)];
  }

  /** Finds the rows. @returns entities that are left to the statement, by their identities */
  find(): ReadonlyMap<string, readonly PrimitiveValue[]> {
    const decoded = this.#decoded;
    this.#found = this.#keys.map((_, place) => (decoded === null ? 'left' : decoded.rowOf(place)));
    const left = new Map<string, readonly PrimitiveValue[]>();
    for (const [place, key] of this.#keys.entries())
      if (key !== null && this.#found[place] === 'left') left.set(this.#bound.view.entityKey(key), key);
    return left;
  }

  /** Finds rows by a statement. @param entities of {@link find} */
  async select(
    engine: Engine,
    entities: ReadonlyMap<string, readonly PrimitiveValue[]>,
    signal: AbortSignal,
  ): Promise<void> {
    const { view, features } = this.#bound;
    this.#rows = await view.newestRows(engine, entities, features, this.moment.nowUs, signal);
  }

  get features(): readonly NestedField[] {
    return this.#bound.features;
  }

  get places(): readonly number[] {
    return this.#bound.places;
  }

  rowOf(place: number): RowPlace | OnlineRow | undefined {
    const key = this.#keys[place];
    const found = this.#found[place];
    if (key === null || key === undefined) return undefined;
    return found === 'left' ? this.#rows.get(this.#bound.view.entityKey(key)) : found;
  }

  valuesOf(place: number): readonly OnlineValue[] {
    const { features, places } = this.#bound;
    const row = this.rowOf(place);
    if (row === undefined) return features.map(() => NOT_FOUND);
    if ('values' in row) return row.values.map((value) => onlineValue(value, row.eventTimestampUs, this.moment));
    const timestampUs = eventTimestampUs(row);
    return features.map((feature, index) =>
      onlineValue(featureAt(row, places[index] as number, feature), timestampUs, this.moment),
    );
  }
}
