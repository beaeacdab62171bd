/** An answer of an online read as Feast's feature server writes it: column by column, the join keys first. */
import type { IcebergType } from '../iceberg/index.js';
import {
  type Column,
  eventTimestampUs,
  type FoundRows,
  type FoundView,
  isExpired,
  isNull,
  type OnlineJoinKey,
  type OnlineRow,
  type OnlineStatus,
  type RowPlace,
  readKeyValue,
} from '../online/index.js';
import { columnWriter } from './column-json.js';
import { JsonBytes } from './json-bytes.js';
import { keyValueOfJson } from './key-value-json.js';
import { EPOCH, TimeWriter } from './time-json.js';
import { valueWriter } from './value-json.js';

/** Columns of the entities of a request, by their names. */
export type EntityColumns = ReadonlyMap<string, readonly unknown[]>;

export interface AnswerOptions {
  /** The columns of the request that was answered. */
  readonly columns: EntityColumns;
  /** List the views, as Feast does for versions of views. */
  readonly withViews: boolean;
}

const COMMA = Buffer.from(',');
const EPOCH_COMMA = Buffer.concat([EPOCH, COMMA]);
const NULL = Buffer.from('null');
/** With a comma. */
const STATUSES: Readonly<Record<OnlineStatus, Uint8Array>> = {
  PRESENT: Buffer.from('"PRESENT",'),
  NULL_VALUE: Buffer.from('"NULL_VALUE",'),
  NOT_FOUND: Buffer.from('"NOT_FOUND",'),
  OUTSIDE_MAX_AGE: Buffer.from('"OUTSIDE_MAX_AGE",'),
};

/** The body of the answer. */
export function answerJson(found: FoundRows, { columns, withViews }: AnswerOptions): Buffer {
  const { joinKeys, features, entities, views } = found;
  const out = new JsonBytes();
  const names = [...joinKeys, ...features].map(({ name }) => JSON.stringify(name));
  out.text(`{"metadata":{"feature_names":[${names.join(',')}]`);
  if (withViews) {
    const aliases = [...new Set(features.map(({ alias }) => alias))];
    out.text(`,"feature_view_metadata":[${aliases.map((name) => `{"name":${JSON.stringify(name)}}`).join(',')}]`);
  }
  out.ascii('},"results":[');
  const next = separator(out);
  for (const key of joinKeys) {
    next();
    writeKey(out, key, columns.get(key.name) ?? []);
  }
  for (const view of views) writeView(out, view, entities, next);
  out.ascii(']}');
  return out.finish();
}

/** Writes a comma before everything but the first. */
function separator(out: JsonBytes): () => void {
  let isFirst = true;
  return () => {
    if (!isFirst) out.bytes(COMMA);
    isFirst = false;
  };
}

function writeKey(out: JsonBytes, key: OnlineJoinKey, column: readonly unknown[]): void {
  const write = valueWriter(key.type);
  const values = column.map((value) => (value === null ? 'null' : write(readKeyValue(key, value, keyValueOfJson))));
  out.text(`{"values":[${values.join(',')}],"statuses":[`);
  if (column.length > 0) out.repeat(STATUSES.PRESENT, column.length);
  out.ascii('],"event_timestamps":[');
  if (column.length > 0) out.repeat(EPOCH_COMMA, column.length);
  out.ascii(']}');
}

/** The newest row of an entity. */
interface Row {
  /** Undefined: there is none. */
  readonly row: RowPlace | OnlineRow | undefined;
  /** Whether it is older than the view's ttl. */
  readonly isOld: boolean;
}

const timeOf = (row: RowPlace | OnlineRow): bigint => ('values' in row ? row.eventTimestampUs : eventTimestampUs(row));

function writeView(out: JsonBytes, view: FoundView, entities: number, next: () => void): void {
  const { features, places, moment } = view;
  const rows = Array.from({ length: entities }, (_, entity): Row => {
    const row = view.rowOf(entity);
    return { row, isOld: row !== undefined && isExpired(timeOf(row), moment) };
  });
  let times: readonly [from: number, to: number] | undefined;
  for (const [index, { type }] of features.entries()) {
    next();
    out.ascii('{"values":[');
    const statuses = writeValues(out, rows, { type, index, place: places[index] as number });
    out.ascii('],"statuses":[');
    writeStatuses(out, statuses);
    out.ascii('],"event_timestamps":[');
    // All features of a view have the event times of its rows.
    if (times === undefined) times = writeTimes(out, rows);
    else out.again(...times);
    out.ascii(']}');
  }
}

interface Feature {
  readonly type: IcebergType;
  /** Among the features that are asked for. */
  readonly index: number;
  /** Among the columns of decoded rows. */
  readonly place: number;
}

/** Writes the values of a feature. @returns their statuses */
function writeValues(out: JsonBytes, rows: readonly Row[], { type, index, place }: Feature): readonly OnlineStatus[] {
  const [writeColumn, write] = [columnWriter(type), valueWriter(type)];
  const writeOne = ({ row, isOld }: Row): OnlineStatus => {
    if (row === undefined || isOld) {
      out.bytes(NULL);
      return isOld ? 'OUTSIDE_MAX_AGE' : 'NOT_FOUND';
    }
    if ('values' in row) {
      const value = row.values[index] ?? null;
      out.text(value === null ? 'null' : write(value));
      return value === null ? 'NULL_VALUE' : 'PRESENT';
    }
    const column = row.segment.rows.features[place] as Column;
    if (!isNull(column, row.row)) {
      writeColumn(out, column, row.row);
      return 'PRESENT';
    }
    out.bytes(NULL);
    return 'NULL_VALUE';
  };
  return rows.map((row, entity) => {
    if (entity > 0) out.bytes(COMMA);
    return writeOne(row);
  });
}

/** Statuses that follow each other are mostly the same. */
function writeStatuses(out: JsonBytes, statuses: readonly OnlineStatus[]): void {
  for (let from = 0, to = 0; from < statuses.length; from = to) {
    const status = statuses[from] as OnlineStatus;
    while (to < statuses.length && statuses[to] === status) to += 1;
    if (from > 0) out.bytes(COMMA);
    out.repeat(STATUSES[status], to - from);
  }
}

/** Writes the event times of rows. @returns between which lengths they are */
function writeTimes(out: JsonBytes, rows: readonly Row[]): readonly [from: number, to: number] {
  const from = out.length;
  const writer = new TimeWriter(out);
  const next = separator(out);
  for (const { row } of rows) {
    next();
    if (row === undefined) out.bytes(EPOCH);
    else writer.write(timeOf(row));
  }
  return [from, out.length];
}
