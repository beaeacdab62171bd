/** An answer of an online read as rows of a log. Pure. */
import { randomUUID } from 'node:crypto';
import { MoraineError } from '../errors/index.js';
import type { IcebergType } from '../iceberg/index.js';
import {
  entityKeyValues,
  type FeatureValue,
  keyValue,
  keyValueOfText,
  type OnlineRequest,
  type OnlineResponse,
  type ReadKeyValue,
} from '../online/index.js';
import { type LogColumn, logColumns } from './log-columns.js';

/** A value that came with a request and is in no feature view. */
export type RequestValue = string | number | bigint | boolean | Date | null | undefined;

/** Request and answer of an online read. */
export interface ServedFeatures {
  /** The answer, for a feature service. */
  readonly response: OnlineResponse;
  /** The entities of the read, as they were given to it. */
  readonly entities: OnlineRequest['entities'];
  /** As in the read: key values are text. */
  readonly entitiesAsText?: boolean;
  /** As in the read: key values are written in another way. */
  readonly readKeyValue?: ReadKeyValue;
  /** Further values of the request, for each entity. Numbers become `double`, bigints `long`, dates points in time. */
  readonly requestData?: readonly Readonly<Record<string, RequestValue>>[];
  /** A fresh one unless given. Whether a request is in the sample depends on it alone. */
  readonly requestId?: string;
  /** When it was answered, in microseconds since the epoch; now unless given. */
  readonly loggedAtUs?: bigint;
}

/** Rows of a log, checked, in memory. */
export interface LoggedAnswer {
  readonly requestId: string;
  readonly columns: readonly LogColumn[];
  readonly rowCount: number;
  /** Values in the order of the columns. */
  rows(): Iterable<readonly FeatureValue[]>;
}

const MICROS_PER_MILLI = 1000n;

/**
 * Checks an answer and makes rows of it: one for each entity.
 * @throws INVALID_ARGUMENT if entities or request data are not one for each row; TYPE_MISMATCH, DUPLICATE_NAME
 */
export function loggedAnswer(served: ServedFeatures): LoggedAnswer {
  const { response, requestData } = served;
  refuseOtherLength('entities', served.entities.length, response.rows.length);
  if (requestData !== undefined) refuseOtherLength('rows of request data', requestData.length, response.rows.length);
  const requestId = served.requestId ?? randomUUID();
  const loggedAtUs = served.loggedAtUs ?? BigInt(Date.now()) * MICROS_PER_MILLI;
  const read = served.readKeyValue ?? (served.entitiesAsText === true ? keyValueOfText : keyValue);
  const keys = served.entities.map((entity) => keyValues(response, entity, read));
  const request = requestColumns(requestData ?? []);
  const columns = logColumns({
    joinKeys: response.joinKeys,
    requestData: request.columns,
    features: response.features,
    views: response.snapshots.map(({ view }) => view),
  });
  const snapshotIds = response.snapshots.map(({ snapshotId }) => snapshotId);
  const row = (index: number): readonly FeatureValue[] => [
    response.nowUs,
    loggedAtUs,
    requestId,
    ...(keys[index] ?? []),
    ...(request.rows[index] ?? []),
    ...(response.rows[index] ?? []).flatMap(({ value, eventTimestampUs, status }) => [value, eventTimestampUs, status]),
    ...snapshotIds,
  ];
  return {
    requestId,
    columns,
    rowCount: response.rows.length,
    *rows() {
      for (let index = 0; index < response.rows.length; index++) yield row(index);
    },
  };
}

function refuseOtherLength(what: string, given: number, wanted: number): void {
  if (given === wanted) return;
  throw new MoraineError('INVALID_ARGUMENT', `There are ${given} ${what}, but the answer has ${wanted} rows.`);
}

type Entity = OnlineRequest['entities'][number];

function keyValues({ joinKeys }: OnlineResponse, entity: Entity, read: ReadKeyValue): readonly FeatureValue[] {
  const given = entity instanceof Map ? (entity as ReadonlyMap<string, unknown>) : new Map(Object.entries(entity));
  return joinKeys.map((key) => entityKeyValues([key], given, read)?.[0] ?? null);
}

interface RequestColumns {
  readonly columns: readonly { readonly name: string; readonly type: IcebergType }[];
  readonly rows: readonly (readonly FeatureValue[])[];
}

/** Request data as columns. One whose values are all null has no type, and is left out. */
function requestColumns(data: readonly Readonly<Record<string, RequestValue>>[]): RequestColumns {
  const maps = data.map((row) => new Map(Object.entries(row)));
  const types = new Map<string, IcebergType>();
  for (const map of maps) {
    for (const [name, value] of map) {
      if (value === null || value === undefined) continue;
      const type = requestType(value);
      const other = types.get(name);
      if (other !== undefined && other.kind !== type.kind) {
        const remedy = 'Give every value the same type (numbers are double, bigints long).';
        throw new MoraineError(
          'TYPE_MISMATCH',
          `Request data '${name}' has values of types ${other.kind} and ${type.kind}. ${remedy}`,
        );
      }
      types.set(name, type);
    }
  }
  const columns = [...types].map(([name, type]) => ({ name, type }));
  return { columns, rows: maps.map((map) => columns.map(({ name }) => requestValue(map.get(name)))) };
}

function requestType(value: NonNullable<RequestValue>): IcebergType {
  if (value instanceof Date) return { kind: 'timestamptz' };
  if (typeof value === 'bigint') return { kind: 'long' };
  if (typeof value === 'number') return { kind: 'double' };
  return { kind: typeof value === 'boolean' ? 'boolean' : 'string' };
}

function requestValue(value: RequestValue): FeatureValue {
  if (value instanceof Date) return BigInt(value.getTime()) * MICROS_PER_MILLI;
  return value ?? null;
}
