/** Evolution of partition specs. Source: Apache Iceberg specification, "Partition Evolution". */
import { didYouMean, largest, MoraineError } from '../../errors/index.js';
import type { TableMetadata } from '../metadata/metadata.js';
import { currentSchema, defaultSpec } from '../metadata/snapshot-log.js';
import type { PartitionField, PartitionSpec, TransformSource } from './partition-spec.js';
import { sameFields } from './partition-spec.js';
import { checkPartitionSpec } from './spec-check.js';
import { transformToString } from './transforms.js';

/** The identity of a partition field across specs: the source columns and the transform. */
export function sourceKey({ sourceId, sourceIds = [sourceId], transform }: TransformSource): string {
  return `${sourceIds.join(',')} ${transformToString(transform)}`;
}

/**
 * The table's spec, changed: fields removed by name, others added. A field that an earlier spec had keeps its id; new ones
 * get the next free id. Version 1 requires ids in sequence, so there a removed field stays as a `void` one.
 * The result has the id of an equal spec of the table, else the next id.
 * @param change `remove` names of partition fields; `add` fields of which ids are ignored
 * @throws MoraineError `COLUMN_NOT_FOUND` for a name that is not a partition field, `SCHEMA_INVALID`
 */
export function evolvePartitionSpec(
  metadata: TableMetadata,
  change: { readonly remove?: readonly string[]; readonly add?: readonly Omit<PartitionField, 'fieldId'>[] },
): PartitionSpec {
  const current = defaultSpec(metadata).fields;
  const removed = new Set(change.remove);
  for (const name of removed) {
    if (current.some((field) => field.name === name)) continue;
    const hint = didYouMean(
      name,
      current.map((field) => field.name),
    );
    throw new MoraineError('COLUMN_NOT_FOUND', `There is no partition field '${name}'. ${hint}`);
  }
  const kept = current.flatMap((field): PartitionField[] => {
    if (!removed.has(field.name)) return [field];
    return metadata.formatVersion === 1
      ? [{ ...field, name: `${field.name}_${field.fieldId}`, transform: { kind: 'void' } }]
      : [];
  });
  const earlierIds = new Map(
    metadata.partitionSpecs.flatMap((spec) => spec.fields.map((field) => [sourceKey(field), field.fieldId])),
  );
  let nextId = metadata.lastPartitionId + 1;
  const added = (change.add ?? []).map(({ sourceId, name, transform }) => {
    const earlier = metadata.formatVersion === 1 ? undefined : earlierIds.get(sourceKey({ sourceId, transform }));
    return { sourceId, fieldId: earlier ?? nextId++, name, transform };
  });
  const fields = [...kept, ...added];
  checkPartitionSpec(
    { specId: 0, fields: fields.filter((field) => field.transform.kind !== 'void') },
    currentSchema(metadata),
  );
  const same = metadata.partitionSpecs.find((spec) => sameFields(spec.fields, fields));
  return { specId: same?.specId ?? 1 + largest(metadata.partitionSpecs.map((spec) => spec.specId)), fields };
}
