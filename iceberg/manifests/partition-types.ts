/** Types of the partition values of a manifest. Metadata does not tell them all: source columns may be in no schema any more, and transforms may be unknown. */
import { type PartitionSpec, partitionType } from '../partitions/partition-spec.js';
import type { NestedField, Schema } from '../schema/types.js';
import type { ManifestEntry } from './data-file.js';

/** Files of one spec, and what tells the types of their partitions. */
export interface PartitionedEntries {
  readonly spec: PartitionSpec;
  readonly schema: Schema;
  /** All of the table's schemas, when the spec may have source columns that `schema` has dropped. */
  readonly otherSchemas?: readonly Schema[];
  readonly entries: readonly ManifestEntry[];
}

/** The struct of partition values; types that metadata does not tell are those that the manifests had which the entries come from. */
export function partitionTypeOf({ spec, schema, otherSchemas, entries }: PartitionedEntries): readonly NestedField[] {
  return partitionType(spec, schema, otherSchemas).map((field, position) => {
    if (isTold(spec, position, field)) return field;
    const type = entries
      .map(({ dataFile }) => dataFile.partitionTypes?.[position])
      .find((written) => written !== undefined && written.kind !== 'unknown');
    return type === undefined ? field : { ...field, type };
  });
}

/** Ids of the partition fields whose types schemas do not tell. */
export function untoldFields(spec: PartitionSpec, schema: Schema, otherSchemas: readonly Schema[]): readonly number[] {
  const fields = partitionType(spec, schema, otherSchemas);
  return fields.flatMap((field, position) => (isTold(spec, position, field) ? [] : [field.id]));
}

/** Whether metadata tells the type of a partition field. */
export function isTold(spec: PartitionSpec, position: number, { type }: Pick<NestedField, 'type'>): boolean {
  return type.kind !== 'unknown' && spec.fields[position]?.transform.kind !== 'unknown';
}
