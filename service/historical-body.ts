/** Requests of `POST /get-historical-features` as retrievals of the library. */
import { LosslessNumber } from 'lossless-json';
import type { HistoricalFeaturesRequest } from '../client/index.js';
import { parseTimeUs } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import type { EntityValue } from '../features/index.js';
import type { EngineType } from '../reduction/index.js';
import { columnLength, type SelectionFields, selectionOf } from './body-parts.js';
import { parseExactJson } from './exact-json.js';

/** What a JSON body and a query say alike. */
interface RetrievalFields extends SelectionFields {
  readonly full_feature_names?: boolean;
  readonly as_of?: AsOf | null;
  readonly engine?: EngineType | null;
}

type AsOf = string | { readonly snapshots: Readonly<Record<string, string | number | bigint>> };
type Row = Readonly<Record<string, unknown>>;

/** A JSON body that its schema allows. */
export interface HistoricalBody extends RetrievalFields {
  readonly entities: readonly Row[] | Readonly<Record<string, readonly unknown[]>>;
}

/** A query that its schema allows. */
export interface HistoricalQuery {
  readonly features?: string;
  readonly feature_service?: string;
  readonly full_feature_names?: string;
  readonly as_of?: string;
  readonly engine?: EngineType;
}

type Retrieval = Omit<HistoricalFeaturesRequest, 'signal'>;

/** @throws INVALID_ARGUMENT */
export function retrievalOfBody(body: HistoricalBody): Retrieval {
  const { entities } = body;
  const rows = Array.isArray(entities)
    ? (entities as readonly Row[]).map((row) => new Map(Object.entries(row)))
    : rowsOfColumns(entities as Readonly<Record<string, readonly unknown[]>>);
  return { ...retrievedOf(body, 'The body'), entities: rows.map(entityRow) };
}

/** @param file the entity rows. @throws INVALID_ARGUMENT */
export function retrievalOfQuery(query: HistoricalQuery, file: string): Retrieval {
  const { features, feature_service, full_feature_names, as_of, engine = null } = query;
  const fields: RetrievalFields = {
    ...(features === undefined ? {} : { features: features.split(',').map((name) => name.trim()) }),
    ...(feature_service === undefined ? {} : { feature_service }),
    full_feature_names: full_feature_names?.toLowerCase() === 'true',
    ...(as_of === undefined ? {} : { as_of: as_of.trimStart().startsWith('{') ? parseAsOf(as_of) : as_of }),
    engine,
  };
  return { ...retrievedOf(fields, 'The query'), entities: { file } };
}

function retrievedOf(fields: RetrievalFields, place: string): Omit<Retrieval, 'entities'> {
  const { full_feature_names: fullFeatureNames = false, as_of: asOf, engine = null } = fields;
  return {
    ...selectionOf(fields, place),
    fullFeatureNames,
    ...(asOf === undefined || asOf === null ? {} : { asOf: stateOf(asOf, place) }),
    ...(engine === null ? {} : { engine }),
  };
}

function stateOf(asOf: AsOf, place: string): NonNullable<Retrieval['asOf']> {
  if (typeof asOf === 'string') return { asOfMs: parseTimeUs(asOf, `${place}'s as_of`) / 1000n };
  const snapshots = Object.entries(asOf.snapshots).map(([table, id]): [string, bigint] => {
    const text = String(id);
    if (!/^\d{1,19}$/.test(text)) throw invalid(`${place}'s as_of has no snapshot id for '${table}'.`);
    return [table, BigInt(text)];
  });
  return { snapshots: new Map(snapshots) };
}

function parseAsOf(text: string): AsOf {
  const parsed = parseExactJson(Buffer.from(text));
  const { snapshots } = parsed as { readonly snapshots?: unknown };
  if (typeof snapshots === 'object' && snapshots !== null) return { snapshots: snapshots as Record<string, string> };
  throw invalid('The query\'s as_of is neither a time nor {"snapshots": {TABLE: ID}}.');
}

function rowsOfColumns(columns: Readonly<Record<string, readonly unknown[]>>): readonly ReadonlyMap<string, unknown>[] {
  const count = columnLength(Object.entries(columns), "The body's entities have") ?? 0;
  const names = Object.keys(columns);
  return Array.from({ length: count }, (_, row) => new Map(names.map((name) => [name, columns[name]?.[row]])));
}

type EntityRow = Extract<Retrieval['entities'], readonly unknown[]>[number];

function entityRow(row: ReadonlyMap<string, unknown>, index: number): EntityRow {
  return new Map([...row].map(([name, value]) => [name, entityValue(value, name, index)]));
}

function entityValue(value: unknown, name: string, index: number): EntityValue {
  if (value instanceof LosslessNumber) return { number: value.value };
  if (typeof value !== 'object' || value === null) return value as EntityValue;
  throw invalid(`The body's entities have a list or an object as '${name}' of row ${index}; values are single ones.`);
}

const invalid = (message: string): MoraineError => new MoraineError('INVALID_ARGUMENT', message);
