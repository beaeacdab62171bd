/**
 * The record of a saved dataset: everything that computes it again. Its entity rows are kept as the dataset's own first columns.
 * The record is a row of the table of datasets, and a property of the dataset's own table if it is one.
 */
import { MoraineError } from '../../errors/index.js';
import {
  type JsonValue,
  parseJson,
  parseSchema,
  type Schema,
  schemaToJson,
  stringifyJson,
} from '../../iceberg/index.js';
import { type CanonicalValue, canonicalHash, canonicalJson } from '../definitions/definition-hash.js';
import { allDefinitions, definitionToJson } from '../definitions/definition-json.js';
import { parseDefinitions, parseFeatureReference } from '../definitions/parse-definitions.js';
import type { RequestedView } from '../retrieval/feature-request.js';
import type { RetrievalRecipe } from '../retrieval/historical-features.js';
import type { TableState } from '../views/pin-source.js';

/** Property of a dataset's table that holds its record. */
export const DATASET_PROPERTY = 'moraine.dataset';

/** Where a dataset's rows are: an Iceberg table at a snapshot, or a Parquet file. */
export type DatasetLocation = { readonly table: string; readonly snapshotId: bigint } | { readonly file: string };

/** A saved dataset. */
export interface DatasetRecord {
  readonly name: string;
  readonly recipe: RetrievalRecipe;
  /** SHA-256 of the definitions that were used, in canonical JSON. */
  readonly definitionHash: string;
  /** State of every source table that was read, by its name. */
  readonly sources: ReadonlyMap<string, TableState>;
  /** State of every table that the entity rows were read from, by its name. */
  readonly entitySources: ReadonlyMap<string, TableState>;
  readonly schema: Schema;
  readonly rows: bigint;
  /** See `digestRows`. */
  readonly digest: string;
  readonly location: DatasetLocation;
  /** The tag that keeps the source snapshots; null if nothing does. */
  readonly tag: string | null;
}

/** SHA-256 of the definitions of a recipe. */
export function recipeHash({ definitions }: RetrievalRecipe): string {
  return canonicalHash(definitionsJson(definitions));
}

/** A record as text, the same for equal records. */
export function recordToJson(record: DatasetRecord): string {
  const { recipe, schema, sources, entitySources, location, rows, ...plain } = record;
  const { views, definitions, window, ...options } = recipe;
  return canonicalJson({
    ...plain,
    rows: String(rows),
    schema: JSON.parse(stringifyJson(schemaToJson(schema))) as CanonicalValue,
    sources: statesJson(sources),
    entitySources: statesJson(entitySources),
    location: 'file' in location ? location : { table: location.table, snapshotId: String(location.snapshotId) },
    recipe: {
      ...options,
      views: views.map((view) => ({ ...view, joinKeyMap: new Map(view.joinKeyMap) })),
      definitions: definitionsJson(definitions),
      ...(window === undefined ? {} : { window: { startUs: String(window.startUs), endUs: String(window.endUs) } }),
    },
  });
}

function definitionsJson(definitions: RetrievalRecipe['definitions']): CanonicalValue {
  const of = (kind: string) =>
    allDefinitions(definitions)
      .filter((item) => item.kind === kind)
      .map(definitionToJson);
  return { entities: of('entity'), featureViews: of('featureView') };
}

/** States of tables by their names, as JSON. */
export function statesJson(states: ReadonlyMap<string, TableState>): CanonicalValue {
  const entries = [...states].map(([name, { snapshotId, schemaId, tableUuid }]) => {
    return [name, { snapshotId: snapshotId === null ? null : String(snapshotId), schemaId, tableUuid }] as const;
  });
  return new Map<string, CanonicalValue>(entries);
}

/** @throws UNSUPPORTED_FEATURE for what this version does not understand */
export function recordFromJson(text: string): DatasetRecord {
  try {
    const value = object(parseJson(text));
    const recipe = object(value['recipe']);
    const window = recipe['window'] === undefined ? undefined : object(recipe['window']);
    const location = object(value['location']);
    return {
      name: string(value['name']),
      recipe: {
        views: list(recipe['views']).map(viewFromJson),
        definitions: parseDefinitions([{ value: recipe['definitions'] }]),
        fullFeatureNames: recipe['fullFeatureNames'] === true,
        knownAsOf: recipe['knownAsOf'] === true,
        frameColumns: Number(recipe['frameColumns']),
        ...(window && { window: { startUs: long(window['startUs']), endUs: long(window['endUs']) } }),
      },
      definitionHash: string(value['definitionHash']),
      sources: statesFromJson(value['sources']),
      entitySources: statesFromJson(value['entitySources']),
      schema: parseSchema(value['schema'] as JsonValue),
      rows: long(value['rows']),
      digest: string(value['digest']),
      location:
        location['file'] === undefined
          ? { table: string(location['table']), snapshotId: long(location['snapshotId']) }
          : { file: string(location['file']) },
      tag: value['tag'] === null ? null : string(value['tag']),
    };
  } catch (cause) {
    const message = 'A record of a dataset is not understood; it may have been written by a newer Moraine.';
    throw new MoraineError('UNSUPPORTED_FEATURE', message, { cause });
  }
}

function viewFromJson(value: unknown): RequestedView {
  const reference = parseFeatureReference(value);
  if (reference === undefined) throw new TypeError('not a feature reference');
  const { view, alias = view, features, joinKeyMap = new Map<string, string>() } = reference;
  return { view, alias, features, joinKeyMap };
}

/** @throws TypeError for what {@link statesJson} does not write */
export function statesFromJson(value: unknown): ReadonlyMap<string, TableState> {
  const entries = Object.entries(object(value)).map(([name, inner]) => {
    const { snapshotId, schemaId, tableUuid } = object(inner);
    const state = { schemaId: Number(schemaId), tableUuid: string(tableUuid) };
    return [name, { ...state, snapshotId: snapshotId === null ? null : long(snapshotId) }] as const;
  });
  return new Map(entries);
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new TypeError('not an object');
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError('not a list');
}

function string(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError('not a text');
}

const long = (value: unknown): bigint => BigInt(string(value));
