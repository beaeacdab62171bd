/** What `table files` says of a data file. */
import {
  allFields,
  type DataFile,
  deserializeValue,
  type IcebergType,
  type JsonObject,
  type JsonValue,
  jsonObject,
  partitionPath,
  type Schema,
  stringifyJson,
  valueToJson,
} from '../iceberg/index.js';
import type { PlannedFile } from '../tables/index.js';

/** One line of JSON: the file, and the statistics of its columns by name. 64-bit numbers are exact JSON numbers. */
export function fileAsJson(schema: Schema, { file, spec, sequenceNumber }: PlannedFile): string {
  return stringifyJson({
    path: file.filePath,
    format: file.fileFormat,
    rows: file.recordCount,
    bytes: file.fileSizeInBytes,
    specId: spec.specId,
    partition: partitionPath(spec, schema, file.partition),
    sequenceNumber,
    columns: columnStatistics(schema, file),
  });
}

function columnStatistics(schema: Schema, file: DataFile): JsonObject {
  const columns = allFields(schema).flatMap(({ field, path }): [string, JsonValue][] => {
    const statistics = jsonObject([
      ['values', file.valueCounts?.get(field.id)],
      ['nulls', file.nullValueCounts?.get(field.id)],
      ['nans', file.nanValueCounts?.get(field.id)],
      ['lower', bound(field.type, file.lowerBounds?.get(field.id))],
      ['upper', bound(field.type, file.upperBounds?.get(field.id))],
    ]);
    return Object.keys(statistics).length === 0 ? [] : [[path, statistics]];
  });
  return jsonObject(columns);
}

/** A bound as people read it; left out if it does not fit the column's type now (it was promoted or is damaged). */
function bound(type: IcebergType, bytes: Uint8Array | undefined): JsonValue | undefined {
  if (bytes === undefined) return undefined;
  try {
    return valueToJson(type, deserializeValue(type, bytes));
  } catch {
    return undefined;
  }
}
