/** An answer of a batch of predictions: entity by entity, and the snapshots that were read. */
import type { IcebergType } from '../iceberg/index.js';
import { type OnlineJoinKey, type OnlineResponse, readKeyValue } from '../online/index.js';
import { JsonBytes } from './json-bytes.js';
import { keyValueOfJson } from './key-value-json.js';
import { EPOCH, TimeWriter } from './time-json.js';
import { type ValueWriter, valueWriter } from './value-json.js';

type JsonEntity = Readonly<Record<string, unknown>>;

/** Entities whose text is one part of the answer. */
const ENTITIES_OF_PART = 500;

/**
 * The answer in parts, to be sent one after the other. Values are written as those of `POST /get-online-features`.
 * @param entities of the request that was answered
 */
export function* batchJson(response: OnlineResponse, entities: readonly JsonEntity[]): Generator<Buffer> {
  const keys = response.joinKeys.map((key) => ({ ...memberOf(key), key }));
  const features = response.features.map(memberOf);
  yield Buffer.from('{"results":[');
  for (let from = 0; from < entities.length; from += ENTITIES_OF_PART) {
    const out = new JsonBytes();
    for (const [index, entity] of entities.slice(from, from + ENTITIES_OF_PART).entries()) {
      if (from + index > 0) out.ascii(',');
      out.ascii('{"entities":{');
      out.text(keys.map(({ name, write, key }) => `${name}${keyJson(key, entity, write)}`).join(','));
      writeRow(out, features, response.rows[from + index] ?? []);
    }
    yield out.finish();
  }
  const snapshots = response.snapshots.map(({ view, table, snapshotId }) => {
    return [view, { table, snapshot: snapshotId === null ? null : String(snapshotId) }];
  });
  yield Buffer.from(`],"snapshots":${JSON.stringify(Object.fromEntries(snapshots))}}`);
}

/** A member of an object: its name as JSON, with a colon, and what writes its value. */
interface Member {
  readonly name: string;
  readonly write: ValueWriter;
}

const memberOf = ({ name, type }: { readonly name: string; readonly type: IcebergType }): Member => ({
  name: `${JSON.stringify(name)}:`,
  write: valueWriter(type),
});

function keyJson(key: OnlineJoinKey, entity: JsonEntity, write: ValueWriter): string {
  const value = entity[key.name];
  return value === null || value === undefined ? 'null' : write(readKeyValue(key, value, keyValueOfJson));
}

/** Writes what follows the keys of an entity, to the end of its object. */
function writeRow(out: JsonBytes, features: readonly Member[], row: OnlineResponse['rows'][number]): void {
  const values = features.map(({ name, write }, place) => {
    const value = row[place]?.value ?? null;
    return `${name}${value === null ? 'null' : write(value)}`;
  });
  const statuses = features.map(({ name }, place) => `${name}"${row[place]?.status ?? 'NOT_FOUND'}"`);
  out.text(`},"features":{${values.join(',')}},"statuses":{${statuses.join(',')}},"event_timestamps":{`);
  const times = new TimeWriter(out);
  for (const [place, { name }] of features.entries()) {
    out.text(place === 0 ? name : `,${name}`);
    const us = row[place]?.eventTimestampUs ?? null;
    if (us === null) out.bytes(EPOCH);
    else times.write(us);
  }
  out.ascii('}}');
}
