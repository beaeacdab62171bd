/** The answers to a world's request: by nested loops, and by the product. */

import type { Engine } from '../../engine/index.js';
import {
  type Definitions,
  type EntitySource,
  getHistoricalFeatures,
  type HistoricalDeps,
  type JoinMethod,
  parseDefinitions,
} from '../../features/index.js';
import type { FileIO } from '../../storage/index.js';
import { loadTableAt } from '../../tables/index.js';
import { FRAME_TABLE } from './frame.js';
import { pointInTime } from './oracle.js';
import { plain } from './rows.js';
import { fromDuckDb, type PlainValue } from './values.js';
import { definitionsOf, keyValue, oracleRows, typeText } from './view.js';
import { selectedNames, type World } from './world.js';

/** Whole rows: the frame's columns, then the features. */
export interface Answer {
  /** `name type`. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly PlainValue[])[];
}

/** The right answer. */
export function expectedAnswer(world: World): Answer {
  const { frame } = world;
  const columns = frame.columns.map(({ name, type }) => `${name} ${typeText(type)}`);
  const rows = frame.values.map((values) =>
    values.map((value, index): PlainValue => plain(value, (frame.columns[index] ?? never()).type)),
  );
  for (const request of world.requested) {
    const { view, alias, joinKeyMap } = request;
    const source = oracleRows(view);
    const ttlNs = (view.ttlMs ?? 0) === 0 ? null : BigInt(view.ttlMs ?? 0) * 1_000_000n;
    const selected = selectedNames(request).map((name) => view.features.findIndex((feature) => feature.name === name));
    for (const index of selected) {
      const { name, type } = view.features[index] ?? never();
      columns.push(`${world.fullFeatureNames ? `${alias}__${name}` : name} ${typeText(type)}`);
    }
    for (const [index, { keys, timeNs }] of frame.rows.entries()) {
      const key = view.keys.map(({ domain }) =>
        keyValue(domain, (keys.get(joinKeyMap.get(domain.name) ?? domain.name) ?? null) as PlainValue),
      );
      const found = pointInTime(source, key, timeNs, { ttlNs, knownAsOf: world.knownAsOf });
      rows[index]?.push(...selected.map((feature) => found?.features[feature] ?? null));
    }
  }
  return { columns, rows };
}

function never(): never {
  throw new Error('no such column');
}

/** All joins. */
export const METHODS: readonly JoinMethod[] = ['arg-max', 'max-join-back', 'asof-join-back'];

/** The part that answers. */
export interface Product {
  readonly io: FileIO;
  readonly engine: Engine;
}

/** What the product needs to answer. */
export function askingDeps(world: World, { io, engine }: Product): HistoricalDeps {
  const locations = new Map(world.tables.map(({ name, location }) => [name, location]));
  if (world.frame.location !== undefined) locations.set(FRAME_TABLE, world.frame.location);
  const definitions: Definitions = parseDefinitions([{ value: definitionsOf(world.views) }]);
  return {
    io,
    engine,
    definitions: () => Promise.resolve(definitions),
    loadSource: (name) => loadTableAt(io, locations.get(name) ?? never()),
  };
}

/** The world's request. */
export function requestOf(world: World, method: JoinMethod | undefined) {
  const entities: EntitySource = world.frame.source;
  return {
    entities,
    features: world.requested.map(({ view, alias, joinKeyMap, features }) => ({
      view: view.name,
      ...(alias === view.name ? {} : { alias }),
      ...(joinKeyMap.size === 0 ? {} : { joinKeyMap }),
      ...(features === undefined ? {} : { features }),
    })),
    fullFeatureNames: world.fullFeatureNames,
    knownAsOf: world.knownAsOf,
    ...(world.asOf === undefined ? {} : { asOf: world.asOf }),
    ...(method === undefined ? {} : { method }),
  };
}

/** The product's answer. */
export async function actualAnswer(world: World, product: Product, method: JoinMethod | undefined): Promise<Answer> {
  const request = requestOf(world, method);
  return await getHistoricalFeatures(askingDeps(world, product), request, async (answer) => ({
    columns: answer.schema.fields.map(({ name, type }) => `${name} ${typeText(type)}`),
    rows: (await answer.connection.rows(answer.select)).map((row) => row.map(fromDuckDb)),
  }));
}
