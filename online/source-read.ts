/** Online reads of views without an online table: the newest rows of their source tables, in place. */
import { type PlainValue, plainValue, sqlLiteral, sqlType } from '../engine/index.js';
import {
  type EntityRelation,
  EVENT_TIMESTAMP,
  getHistoricalFeatures,
  type HistoricalDeps,
  type HistoricalFeatures,
  ROW_TIMES,
} from '../features/index.js';
import type { IcebergType, PrimitiveType } from '../iceberg/index.js';
import { type EntityKeyPart, entityKeyValues } from './entity-key.js';
import type { OnlineJoinKey, OnlineRequest, OnlineResponse } from './online-request.js';
import { NOT_FOUND, type OnlineValue, onlineValue, type ReadMoment } from './online-status.js';
import { outputNames } from './select-features.js';

/** The views to read, all features of them, and the entities. */
export interface SourceRequest
  extends Pick<OnlineRequest, 'entities' | 'readKeyValue' | 'fullFeatureNames' | 'includeExpired'> {
  /** Names of feature views, online or not. */
  readonly views: readonly string[];
  /** As of when, in microseconds since the epoch. */
  readonly nowUs: bigint;
  readonly signal?: AbortSignal;
}

const TIME: PrimitiveType = { kind: 'timestamptz' };
const MICROS_PER_MILLI = 1000n;

/**
 * The newest values at a time, in the form of `OnlineReader.getOnlineFeatures`, from the current snapshots of the source tables. It opens every
 * file that may have a row of the entities, so that it takes as long as a retrieval. `snapshots` are those of the source tables.
 * @throws INVALID_ARGUMENT for a missing key, TYPE_MISMATCH for a key of another type, and as `getHistoricalFeatures`
 */
export async function readSources(deps: HistoricalDeps, request: SourceRequest): Promise<OnlineResponse> {
  const { views, nowUs, fullFeatureNames = false, signal } = request;
  let joinKeys: readonly OnlineJoinKey[] = [];
  const open = (_: unknown, keyTypes: ReadonlyMap<string, IcebergType>): Promise<EntityRelation> => {
    joinKeys = [...keyTypes].map(([name, type]) => ({ name, type }));
    return Promise.resolve(entityRelation(joinKeys, request));
  };
  return await getHistoricalFeatures(
    deps,
    {
      features: views.map((view) => ({ view })),
      entities: { open },
      // Unlike the names of the answer, these never collide with those of join keys.
      fullFeatureNames: true,
      rowTimes: true,
      // A row outside the ttl is told from none.
      anyAge: true,
      ...(signal === undefined ? {} : { signal }),
    },
    async (found) => {
      const read = viewsOf(found);
      const features = read.flatMap(({ view, features: own }) =>
        own.map(({ name, type }) => ({ view, alias: view, feature: name, type })),
      );
      const names = outputNames(features, fullFeatureNames);
      return {
        features: features.map((feature, index) => ({ ...feature, name: names[index] ?? feature.feature })),
        joinKeys,
        rows: await readRows(found, read, request),
        snapshots: read.map(({ view, table }) => ({ view, table, snapshotId: found.snapshots.get(table) ?? null })),
        nowUs,
        stalenessMs: 0,
      };
    },
  );
}

/** The keys of the entities by their types, and the time of the read. */
function entityRelation(keys: readonly EntityKeyPart[], request: SourceRequest): EntityRelation {
  const { entities, readKeyValue, nowUs } = request;
  const columns = [{ name: EVENT_TIMESTAMP, type: TIME }, ...keys];
  const now = sqlLiteral(TIME, nowUs);
  const rows = entities.map((entity) => {
    const literals = keys.map((key) => {
      const values = entityKeyValues([key], entity, readKeyValue);
      return values?.[0] === undefined ? nullOf(key) : sqlLiteral(key.type as PrimitiveType, values[0]);
    });
    return `(${[now, ...literals].join(', ')})`;
  });
  return {
    schema: {
      schemaId: 0,
      identifierFieldIds: [],
      fields: columns.map(({ name, type }, index) => ({ id: index + 1, name, required: false, type })),
    },
    relation:
      rows.length === 0 ? `(SELECT ${columns.map(nullOf).join(', ')} WHERE false)` : `(VALUES ${rows.join(', ')})`,
  };
}

const nullOf = ({ type }: { readonly type: IcebergType }): string => `NULL::${sqlType(type)}`;

/** One view of a retrieval: where its columns are in the answer. */
interface ReadView {
  readonly view: string;
  readonly table: string;
  readonly features: readonly { readonly name: string; readonly type: IcebergType; readonly place: number }[];
  readonly timePlace: number;
  readonly ttlUs: bigint | null;
}

function viewsOf({ schema, recipe }: HistoricalFeatures): readonly ReadView[] {
  let place = recipe.frameColumns;
  return recipe.views.map(({ view, features: names = [] }) => {
    const first = place;
    place += names.length;
    const definition = recipe.definitions.featureViews.get(view);
    const ttlMs = definition?.ttlMs ?? null;
    return {
      view,
      table: definition?.source.table ?? '',
      features: names.flatMap((name, index) => {
        const field = schema.fields[first + index];
        if (field === undefined || TIMES.has(name)) return [];
        return [{ name, type: field.type, place: first + index }];
      }),
      timePlace: first + names.indexOf(ROW_TIMES.event),
      ttlUs: ttlMs === null ? null : ttlMs * MICROS_PER_MILLI,
    };
  });
}

const TIMES: ReadonlySet<string> = new Set(Object.values(ROW_TIMES));

async function readRows(
  { connection, select, schema }: HistoricalFeatures,
  views: readonly ReadView[],
  { nowUs, includeExpired = false }: SourceRequest,
): Promise<readonly (readonly OnlineValue[])[]> {
  const names = schema.fields.map((_, index) => `a${index}`).join(', ');
  const outputs = views.flatMap(({ timePlace, features }) => [
    `CAST(epoch_us(a${timePlace}) AS VARCHAR)`,
    ...features.map(({ place }) => `a${place}`),
  ]);
  const rows = await connection.rows(`SELECT ${outputs.join(', ')} FROM (${select}) AS a(${names})`);
  const moments = views.map(({ ttlUs }): ReadMoment => ({ nowUs, ttlUs, includeExpired }));
  return rows.map((row) => {
    let at = 0;
    return views.flatMap(({ features }, index) => {
      const time = row[at] ?? null;
      const values = features.map(({ type }, place): PlainValue => plainValue(type, row[at + 1 + place] ?? null));
      at += 1 + features.length;
      if (time === null) return features.map(() => NOT_FOUND);
      const eventTimestampUs = BigInt(String(time));
      return values.map((value) => onlineValue(value, eventTimestampUs, moments[index] as ReadMoment));
    });
  });
}
