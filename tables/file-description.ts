/** A data or delete file as JSON: what `table files` and the HTTP service list. */
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
import { deleteFilesOf } from './plan-deletes.js';
import type { PlannedFile } from './planned-file.js';

/** Content of a file: data, or deletes of one of the three kinds. */
export function contentOf({ content, fileFormat }: DataFile): string {
  return fileFormat === 'PUFFIN' ? 'deletion-vector' : content;
}

/** One line of JSON: the file, the deletes that apply to it, and the statistics of its columns by name. 64-bit numbers are exact JSON numbers. */
export function fileAsJson(schema: Schema, planned: PlannedFile): string {
  return stringifyJson({ ...fileFacts(schema, planned), columns: columnStatistics(schema, planned.file) });
}

/** The file and the deletes that apply to it, without statistics. */
export function fileFacts(schema: Schema, { file, spec, sequenceNumber, deletes }: PlannedFile): JsonObject {
  return {
    content: contentOf(file),
    path: file.filePath,
    format: file.fileFormat,
    rows: file.recordCount,
    bytes: file.fileSizeInBytes,
    specId: spec.specId,
    partition: partitionPath(spec, schema, file.partition),
    sequenceNumber,
    ...(deletes === undefined ? {} : { deletedBy: deleteFilesOf(deletes).map((entry) => entry.file.filePath) }),
    ...(file.equalityIds === undefined ? {} : { equalityIds: file.equalityIds }),
    ...(file.referencedDataFile === undefined ? {} : { referencedDataFile: file.referencedDataFile }),
  };
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
