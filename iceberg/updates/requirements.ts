/** Requirements of a commit. Source: Iceberg REST catalog specification, `TableRequirement`. */
import { MoraineError } from '../../errors/index.js';
import type { TableMetadata } from '../metadata/metadata.js';
import type { TableRequirement } from './update.js';

/**
 * Checks that every requirement holds.
 * @param metadata the table as it is now; null when it does not exist
 * @throws MoraineError `TABLE_REPLACED` when the table has another uuid, `COMMIT_CONFLICT` for any other requirement
 */
export function checkRequirements(metadata: TableMetadata | null, requirements: readonly TableRequirement[]): void {
  for (const requirement of requirements) {
    if (metadata === null) {
      if (requirement.type !== 'assert-create') conflict(`${requirement.type}: the table does not exist.`);
    } else {
      checkRequirement(metadata, requirement);
    }
  }
}

function checkRequirement(metadata: TableMetadata, requirement: TableRequirement): void {
  switch (requirement.type) {
    case 'assert-create':
      return conflict('assert-create: the table exists already.');
    case 'assert-table-uuid':
      if (requirement.uuid.toLowerCase() === metadata.tableUuid.toLowerCase()) return;
      throw new MoraineError(
        'TABLE_REPLACED',
        `The table's uuid is ${metadata.tableUuid}, not ${requirement.uuid}: it was dropped and created again.`,
      );
    case 'assert-ref-snapshot-id':
      return requireSame(
        `ref '${requirement.ref}'`,
        metadata.refs.get(requirement.ref)?.snapshotId ?? null,
        requirement.snapshotId,
      );
    case 'assert-last-assigned-field-id':
      return requireSame('the last assigned field id', metadata.lastColumnId, requirement.lastAssignedFieldId);
    case 'assert-current-schema-id':
      return requireSame('the current schema id', metadata.currentSchemaId, requirement.currentSchemaId);
    case 'assert-last-assigned-partition-id':
      return requireSame(
        'the last assigned partition id',
        metadata.lastPartitionId,
        requirement.lastAssignedPartitionId,
      );
    case 'assert-default-spec-id':
      return requireSame('the default spec id', metadata.defaultSpecId, requirement.defaultSpecId);
    case 'assert-default-sort-order-id':
      return requireSame('the default sort order id', metadata.defaultSortOrderId, requirement.defaultSortOrderId);
  }
}

function requireSame<T extends number | bigint | null>(what: string, actual: T, required: T): void {
  if (actual !== required) conflict(`${what} is ${actual ?? 'not set'}, the commit requires ${required ?? 'none'}.`);
}

function conflict(problem: string): never {
  throw new MoraineError('COMMIT_CONFLICT', `The table changed since the commit was prepared: ${problem}`);
}
