/** Names of columns in files without field ids. Source: Apache Iceberg specification, "Column Projection", name mapping. */
import { MoraineError } from '../../errors/index.js';
import { isJsonArray, isJsonObject, type JsonValue, parseJson } from '../json.js';
import type { TableMetadata } from '../metadata/metadata.js';

/** Names that a field may have in files without field ids, by field id. */
export type NameMapping = ReadonlyMap<number, readonly string[]>;

/** The table property that has the mapping. */
export const NAME_MAPPING_PROPERTY = 'schema.name-mapping.default';

/**
 * The table's name mapping; undefined if it has none.
 *
 * @throws `METADATA_CORRUPT` if the property is there and is not a name mapping
 */
export function nameMapping(metadata: TableMetadata): NameMapping | undefined {
  const text = metadata.properties.get(NAME_MAPPING_PROPERTY);
  if (text === undefined) return undefined;
  const names = new Map<number, readonly string[]>();
  try {
    collect(parseJson(text), names);
  } catch (error) {
    throw new MoraineError('METADATA_CORRUPT', `the table property ${NAME_MAPPING_PROPERTY} is not a name mapping`, {
      cause: error,
    });
  }
  return names;
}

function collect(fields: JsonValue | undefined, names: Map<number, readonly string[]>): void {
  if (!isJsonArray(fields ?? null)) throw new TypeError('fields must be a list');
  for (const field of fields as readonly JsonValue[]) {
    if (!isJsonObject(field)) throw new TypeError('a field must be an object');
    const id = field['field-id'];
    const known = field['names'];
    if (typeof id === 'number' && known !== undefined && isJsonArray(known)) {
      names.set(
        id,
        known.filter((name) => typeof name === 'string'),
      );
    }
    if (field['fields'] !== undefined) collect(field['fields'], names);
  }
}
