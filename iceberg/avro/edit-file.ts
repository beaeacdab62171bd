/** Changing records of an Avro file and nothing else: its schema, its properties and fields that are not known here stay. */
import { parseJson } from '../json.js';
import type { AvroNode } from './avro-node.js';
import { inFile, readAvroFile, readHeader, writeAvroFile } from './container.js';
import { Cursor } from './cursor.js';
import type { AvroRecord } from './datum.js';

/** Changes one record. It returns a new one: records may be shared with whoever else has read the file. */
export type RecordEdit = (record: AvroRecord) => AvroRecord;

/**
 * The bytes of a container file with every record edited. The same input gives the same bytes. A codec that is not written becomes deflate.
 * @param location names the file in errors
 * @param editOf makes the edit for the file's own schema
 * @throws MoraineError as {@link readAvroFile}
 */
export function editAvroFile(
  bytes: Uint8Array,
  location: string,
  editOf: (schema: AvroNode) => RecordEdit,
): Uint8Array {
  const { schema, metadata, records } = readAvroFile(bytes, location);
  return inFile(location, () => {
    const { schemaText, codec } = readHeader(new Cursor(bytes));
    const edited = records.map(editOf(schema));
    return writeAvroFile(parseJson(schemaText), metadata, edited, codec === 'null' ? 'null' : 'deflate');
  });
}
