/** The header of an Avro object container file. Source: Apache Avro specification 1.12, "Object Container Files". */
import type { Cursor } from './cursor.js';

export const MAGIC = Buffer.from([0x4f, 0x62, 0x6a, 0x01]);
export const SYNC_BYTES = 16;
const MAX_HEADER_ENTRIES = 10_000;

/** A header as it stands in the file. */
export interface RawHeader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly schemaText: string;
  readonly codec: string;
  readonly sync: Uint8Array;
}

/** @throws Error when the bytes are not a header */
export function readHeader(cursor: Cursor): RawHeader {
  if (!MAGIC.equals(cursor.take(MAGIC.length))) throw new Error('it is not an Avro file');
  const metadata = new Map<string, string>();
  for (let count = cursor.long(); count !== 0; count = cursor.long()) {
    if (count < 0) cursor.long();
    for (let left = Math.abs(count); left > 0; left--) {
      if (metadata.size >= MAX_HEADER_ENTRIES) throw new Error('its header has too many entries');
      const key = cursor.text();
      metadata.set(key, cursor.text());
    }
  }
  const schemaText = metadata.get('avro.schema');
  if (schemaText === undefined) throw new Error('it has no schema');
  const codec = metadata.get('avro.codec') ?? 'null';
  metadata.delete('avro.schema');
  metadata.delete('avro.codec');
  return { metadata, schemaText, codec, sync: cursor.take(SYNC_BYTES) };
}
