/** An answer of an online read as Feast's feature server writes it: column by column, the join keys first. */
import { temporalText } from '../iceberg/index.js';
import type { OnlineJoinKey, OnlineResponse, OnlineValue } from '../online/index.js';
import { readKeyValue } from '../online/index.js';
import { keyValueOfJson } from './key-value-json.js';
import { valueWriter } from './value-json.js';

/** Columns of the entities of a request, by their names. */
export type EntityColumns = ReadonlyMap<string, readonly unknown[]>;

export interface AnswerOptions {
  /** The columns of the request that was answered. */
  readonly columns: EntityColumns;
  /** List the views, as Feast does for versions of views. */
  readonly withViews: boolean;
}

const EPOCH = '"1970-01-01T00:00:00Z"';

/** The body of the answer. */
export function answerJson(response: OnlineResponse, { columns, withViews }: AnswerOptions): string {
  const { joinKeys, features, rows } = response;
  const names = [...joinKeys, ...features].map(({ name }) => JSON.stringify(name));
  const results = joinKeys.map((key) => keyResult(key, columns.get(key.name) ?? []));
  const times = new ColumnTimes();
  for (const [column, { type }] of features.entries())
    results.push(featureResult(rows, column, valueWriter(type), times));
  const views = [...new Set(features.map(({ alias }) => alias))].map((name) => `{"name":${JSON.stringify(name)}}`);
  const metadata = `"feature_names":[${names.join(',')}]${withViews ? `,"feature_view_metadata":[${views.join(',')}]` : ''}`;
  return `{"metadata":{${metadata}},"results":[${results.join(',')}]}`;
}

function keyResult(key: OnlineJoinKey, column: readonly unknown[]): string {
  const write = valueWriter(key.type);
  const values = column.map((value) => (value === null ? 'null' : write(readKeyValue(key, value, keyValueOfJson))));
  const each = (text: string): string => Array.from(column, () => text).join(',');
  return `{"values":[${values.join(',')}],"statuses":[${each('"PRESENT"')}],"event_timestamps":[${each(EPOCH)}]}`;
}

function featureResult(
  rows: OnlineResponse['rows'],
  column: number,
  write: ReturnType<typeof valueWriter>,
  times: ColumnTimes,
): string {
  let values = '';
  let statuses = '';
  let separator = '';
  for (const row of rows) {
    const { value, status } = row[column] as OnlineValue;
    values += separator + (value === null ? 'null' : write(value));
    statuses += `${separator}"${status}"`;
    separator = ',';
  }
  return `{"values":[${values}],"statuses":[${statuses}],"event_timestamps":[${times.of(rows, column)}]}`;
}

/** The event times of a column: those of the column before it, where both are of one view. */
class ColumnTimes {
  #before: readonly (bigint | null)[] | undefined;
  #json = '';

  of(rows: OnlineResponse['rows'], column: number): string {
    const times = rows.map((row) => (row[column] as OnlineValue).eventTimestampUs);
    const { length } = times;
    const before = this.#before;
    let same = before !== undefined;
    for (let index = 0; same && index < length; index += 1) same = times[index] === before?.[index];
    if (!same) this.#json = times.map((us) => (us === null ? EPOCH : eventTimeJson(us))).join(',');
    this.#before = times;
    return this.#json;
  }
}

/** A time as Feast writes it: UTC, with a fraction of three or six digits where it is not zero. */
export function eventTimeJson(us: bigint): string {
  const text = temporalText({ kind: 'timestamptz' }, us, 'Z') as string;
  const fraction = text.slice(-7, -1);
  const digits = fraction === '000000' ? 0 : fraction.endsWith('000') ? 3 : 6;
  return `"${text.slice(0, -8)}${digits === 0 ? '' : `.${fraction.slice(0, digits)}`}Z"`;
}
